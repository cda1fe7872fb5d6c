package admin

import (
	"context"

	"github.com/cloudwego/hertz/pkg/app"
	"github.com/cloudwego/hertz/pkg/app/server"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// processCollectors report on the Go runtime and the process, under their usual names.
func processCollectors() []prometheus.Collector {
	return []prometheus.Collector{
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	}
}

// metricsRoutes are the pages of listen.metrics. There is no check of Host or Origin: Prometheus and
// the kubelet come by whatever name they have, and there is nothing here that names a secret.
func (s *Server) metricsRoutes(h *server.Hertz, g *guard) {
	get(h, "/metrics", func(_ context.Context, c *app.RequestContext) { s.scrape(c, g) })
	get(h, "/healthz", healthz)
	get(h, "/readyz", s.readyz)
}

// get serves GET and HEAD.
func get(h *server.Hertz, path string, handlers ...app.HandlerFunc) {
	h.GET(path, handlers...)
	h.HEAD(path, handlers...)
}

// healthz reports that the process runs. It asks nothing of the loops: a gateway that is busy must
// not be restarted for it.
func healthz(_ context.Context, c *app.RequestContext) { c.String(200, "ok\n") }

func (s *Server) readyz(_ context.Context, c *app.RequestContext) {
	if ok, reason := s.options.Ready(); !ok {
		c.String(503, "not ready: %s\n", reason)
		return
	}
	c.String(200, "ok\n")
}
