package admin

import (
	"context"
	"embed"

	"github.com/cloudwego/hertz/pkg/app"
	"github.com/cloudwego/hertz/pkg/app/server"
)

//go:embed dashboard
var dashboardFiles embed.FS

// dashboardRoutes serves three static files. Their content comes from the API.
func dashboardRoutes(h *server.Hertz) {
	for path, file := range map[string]struct{ name, kind string }{
		"/":              {"dashboard/index.html", "text/html; charset=utf-8"},
		"/dashboard.css": {"dashboard/dashboard.css", "text/css; charset=utf-8"},
		"/dashboard.js":  {"dashboard/dashboard.js", "text/javascript; charset=utf-8"},
	} {
		text, err := dashboardFiles.ReadFile(file.name)
		if err != nil {
			panic("BUG: a file of the dashboard is not embedded: " + err.Error())
		}
		get(h, path, func(_ context.Context, c *app.RequestContext) { c.Data(200, file.kind, text) })
	}
}
