package admin

import (
	"context"
	"strconv"
	"time"

	"github.com/bytedance/sonic"
	"github.com/cloudwego/hertz/pkg/app"
	"github.com/cloudwego/hertz/pkg/app/server"
)

const (
	// defaultLimit and maxLimit bound the lists of /api/v1/snapshot.
	defaultLimit = 1000
	maxLimit     = 10_000
)

func (s *Server) apiRoutes(h *server.Hertz) {
	get(h, "/api/v1/snapshot", s.snapshot)
	get(h, "/api/v1/rejections", s.rejections)
	get(h, "/api/v1/config", s.config)
	get(h, "/api/v1/explain", s.explain)
	get(h, "/api/v1/status", s.status)
}

// json is sonic as encoding/json behaves, with <, > and & escaped and maps sorted.
var json = sonic.ConfigStd

// answer writes v as JSON.
func (s *Server) answer(c *app.RequestContext, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		s.options.Logger.Error("marshal answer", "path", string(c.Path()), "error", err)
		refuse(c, 500, "the answer could not be written as JSON")
		return
	}
	c.Data(200, "application/json; charset=utf-8", append(body, '\n'))
}

// snapshot answers ?host=NAME&limit=N&offset=N, all optional.
func (s *Server) snapshot(_ context.Context, c *app.RequestContext) {
	want := selection{host: c.Query("host"), limit: defaultLimit}
	for _, q := range []struct {
		name string
		to   *int
		max  int
	}{{"limit", &want.limit, maxLimit}, {"offset", &want.offset, 1 << 30}} {
		text := c.Query(q.name)
		if text == "" {
			continue
		}
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 || n > q.max {
			refuse(c, 400, q.name+" must be a number from 0 to "+strconv.Itoa(q.max))
			return
		}
		*q.to = n
	}
	v := viewSnapshot(s.options.Snapshot(), want)
	vitals := s.vitals()
	v.BuildSeconds = vitals.LastBuild.Seconds()
	v.Rejections = vitals.Rejections
	s.answer(c, v)
}

func (s *Server) rejections(_ context.Context, c *app.RequestContext) {
	list := s.options.Rejections()
	if list == nil {
		list = []Rejection{}
	}
	s.answer(c, list)
}

func (s *Server) config(_ context.Context, c *app.RequestContext) { s.answer(c, s.options.Config()) }

// explain answers ?url=URL&method=METHOD&host=HOST&all=1; only url is needed.
func (s *Server) explain(_ context.Context, c *app.RequestContext) {
	q := Question{Method: c.Query("method"), URL: c.Query("url"), Host: c.Query("host"), All: c.Query("all") == "1", Live: true, Elsewhere: s.options.Elsewhere, Onion: s.options.Onion}
	if q.URL == "" {
		refuse(c, 400, "ask with ?url=http://host/path, and &method= and &host= where needed")
		return
	}
	a, err := Explain(s.options.Snapshot(), q)
	if err != nil {
		refuse(c, 400, err.Error())
		return
	}
	s.answer(c, a)
}

// Status is the head of the dashboard.
type Status struct {
	Version    string  `json:"version"`
	Ready      bool    `json:"ready"`
	Reason     string  `json:"reason,omitempty"`
	Generation uint64  `json:"generation"`
	Builds     uint64  `json:"builds"`
	LastBuild  float64 `json:"build_seconds"`
	Published  string  `json:"published,omitempty"` // RFC 3339
	Connected  bool    `json:"connected"`
	Rejections int     `json:"rejections"`
	ReloadOK   bool    `json:"reload_ok"`
}

func (s *Server) status(_ context.Context, c *app.RequestContext) {
	v := s.vitals()
	ready, reason := s.options.Ready()
	status := Status{
		Version: v.Version, Ready: ready, Reason: reason, Generation: v.Generation, Builds: v.Builds,
		LastBuild: v.LastBuild.Seconds(), Connected: v.Connected, Rejections: v.Rejections, ReloadOK: v.ReloadOK,
	}
	if !v.LastPublish.IsZero() {
		status.Published = v.LastPublish.UTC().Format(time.RFC3339)
	}
	s.answer(c, status)
}
