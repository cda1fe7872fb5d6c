package admin

import (
	"context"
	"net/http"
	"net/http/pprof"

	"github.com/cloudwego/hertz/pkg/app"
	"github.com/cloudwego/hertz/pkg/app/server"
	"github.com/cloudwego/hertz/pkg/common/adaptor"
)

// adminRoutes are the pages of listen.admin and listen.admin_socket.
func (s *Server) adminRoutes(h *server.Hertz) {
	get(h, "/debug/routes", s.routes)
	get(h, "/debug/pprof/", adaptor.HertzHandler(http.HandlerFunc(pprof.Index)))
	get(h, "/debug/pprof/cmdline", adaptor.HertzHandler(http.HandlerFunc(pprof.Cmdline)))
	get(h, "/debug/pprof/profile", adaptor.HertzHandler(http.HandlerFunc(pprof.Profile)))
	get(h, "/debug/pprof/symbol", adaptor.HertzHandler(http.HandlerFunc(pprof.Symbol)))
	get(h, "/debug/pprof/trace", adaptor.HertzHandler(http.HandlerFunc(pprof.Trace)))
	for _, name := range []string{"allocs", "block", "goroutine", "heap", "mutex", "threadcreate"} {
		get(h, "/debug/pprof/"+name, adaptor.HertzHandler(pprof.Handler(name)))
	}
	s.apiRoutes(h)
	dashboardRoutes(h)
}

// routes writes the live Snapshot as text, in the format of the builder's goldens.
func (s *Server) routes(_ context.Context, c *app.RequestContext) {
	snapshot := s.options.Snapshot()
	if snapshot == nil {
		refuse(c, 503, "no Snapshot was published yet")
		return
	}
	c.SetContentType("text/plain; charset=utf-8")
	if err := snapshot.Dump(c); err != nil {
		s.options.Logger.Warn("dump routes", "error", err)
	}
}
