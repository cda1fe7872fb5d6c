package server

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"

	asked "github.com/sluice-gateway/sluice/routing/policy"
	"github.com/sluice-gateway/sluice/server/config"
	"github.com/sluice-gateway/sluice/server/internal/servertest"
	"github.com/sluice-gateway/sluice/server/internal/stats"
)

// lockedBuffer is a log that is written by several goroutines.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

// take returns what was written since the last call.
func (l *lockedBuffer) take() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	defer l.b.Reset()
	return l.b.String()
}

// bodyPlug is a plug with body phases.
type bodyPlug struct {
	plug
	requestBody  func(x *Exchange) Transform
	responseBody func(x *Exchange, r *Response) Transform
}

func (p *bodyPlug) RequestBody(x *Exchange) Transform {
	if p.requestBody == nil {
		return nil
	}
	return p.requestBody(x)
}

func (p *bodyPlug) ResponseBody(x *Exchange, r *Response) Transform {
	if p.responseBody == nil {
		return nil
	}
	return p.responseBody(x, r)
}

// bomb is a Transform that panics, where it is told to.
type bomb struct{ inFeed, inClose bool }

func (b bomb) Feed(dst, p []byte, _ bool) ([]byte, bool) {
	if b.inFeed {
		panic("boom")
	}
	return append(dst, p...), true
}

func (b bomb) Close() {
	if b.inClose {
		panic("boom")
	}
}

// TestFaultsAreNamed: a panic of a filter, in whatever phase and on whatever goroutine, costs its request alone, and the log
// and the metrics say which filter it was.
func TestFaultsAreNamed(t *testing.T) {
	t.Parallel()
	onward := func(*Exchange) Verdict { return Continue }
	for _, row := range []struct {
		phase  string
		guilty Filter
		count  func(c *stats.FilterCounts) uint64
	}{
		{"request", &plug{name: "guilty", request: func(*Exchange) Verdict { panic("boom") }}, func(c *stats.FilterCounts) uint64 { return c.Failed }},
		{"response", &plug{name: "guilty", response: func(*Exchange, *Response) Verdict { panic("boom") }}, func(c *stats.FilterCounts) uint64 { return c.Spoiled }},
		{"parked, off the loop", &plug{name: "guilty", request: func(x *Exchange) Verdict {
			return x.Park(func(context.Context) func(*Exchange) Verdict { panic("boom") })
		}}, func(c *stats.FilterCounts) uint64 { return c.Responded }},
		{"parked, back on the loop", &plug{name: "guilty", request: func(x *Exchange) Verdict {
			return x.Park(func(context.Context) func(*Exchange) Verdict {
				return func(*Exchange) Verdict { panic("boom") }
			})
		}}, func(c *stats.FilterCounts) uint64 { return c.Failed }},
		{"body of the request", &bodyPlug{plug: plug{name: "guilty"}, requestBody: func(*Exchange) Transform { panic("boom") }}, func(c *stats.FilterCounts) uint64 { return c.Faulted }},
		{"body of the request, piece by piece", &bodyPlug{plug: plug{name: "guilty"}, requestBody: func(*Exchange) Transform { return bomb{inFeed: true} }}, func(c *stats.FilterCounts) uint64 { return c.Faulted }},
		{"body of the response", &bodyPlug{plug: plug{name: "guilty"}, responseBody: func(*Exchange, *Response) Transform { panic("boom") }}, func(c *stats.FilterCounts) uint64 { return c.Faulted }},
		{"body of the response, piece by piece", &bodyPlug{plug: plug{name: "guilty"}, responseBody: func(*Exchange, *Response) Transform { return bomb{inFeed: true} }}, func(c *stats.FilterCounts) uint64 { return c.Faulted }},
		{"end of a body", &bodyPlug{plug: plug{name: "guilty"}, responseBody: func(*Exchange, *Response) Transform { return bomb{inClose: true} }}, func(c *stats.FilterCounts) uint64 { return c.Faulted }},
		{"done", &plug{name: "guilty", done: func(*Exchange, *Event) { panic("boom") }}, func(c *stats.FilterCounts) uint64 { return c.Faulted }},
	} {
		t.Run(row.phase, func(t *testing.T) {
			var log lockedBuffer
			innocent := &bodyPlug{plug: plug{name: "innocent"}, requestBody: func(*Exchange) Transform { return bomb{} }, responseBody: func(*Exchange, *Response) Transform { return bomb{} }}
			parks := &plug{name: "parks", request: func(x *Exchange) Verdict {
				return x.Park(func(context.Context) func(*Exchange) Verdict { return onward })
			}}
			// The guilty one is a filter of an object: another Route on the same loop has none.
			g := newLoggingGateway(t, slog.New(slog.NewTextHandler(&log, nil)), func(c *config.Config) { c.Threads = 1 }, Options{
				Filters: []Filter{innocent, parks},
				Makers:  []Maker{{Kind: "guilty", Make: func(asked.Filter, Env) (Filter, error) { return row.guilty, nil }}},
			})
			p := &asked.Policy{}
			p.Set(madeKind("guilty"))
			g.serve(p, servertest.Backend(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("fine")) }))
			bystander := g.wire()
			c := g.wire()
			c.Send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
			c.ReadAnswer("POST")
			servertest.Until(t, "the end of the Exchange", func() bool { return g.openExchanges() == 0 })
			text := log.take()
			if !strings.Contains(text, "filter=guilty") || strings.Contains(text, "filter=innocent") || strings.Contains(text, "filter=parks") {
				t.Errorf("the log says %s", text)
			}
			g.settle()
			all := func() (names []string) {
				for _, f := range strings.Split(g.scrape(), "\n") {
					if strings.HasPrefix(f, "sluice_filter_verdicts_total") && strings.Contains(f, `verdict="fault"`) && !strings.HasSuffix(f, " 0") {
						names = append(names, f)
					}
				}
				return names
			}()
			if row.count(g.verdictsOf("guilty")) != 1 || slices.ContainsFunc(all, func(s string) bool { return !strings.Contains(s, `filter="guilty"`) }) {
				t.Errorf("counted are %+v; faults %v", g.verdictsOf("guilty"), all)
			}
			// The process, the loop and other connections are as before.
			g.serve(nil, servertest.Backend(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("fine")) }))
			if got := bystander.Get("/"); got.StatusCode != 200 || got.Text != "fine" {
				t.Errorf("another client got %d %q", got.StatusCode, got.Text)
			}
		})
	}
}

// verdictsOf returns the counts of the filter of that Kind.
func (g *gateway) verdictsOf(kind string) (c *stats.FilterCounts) {
	c = &stats.FilterCounts{}
	id := g.registry.AddFilter(kind, nil) // the one that it has
	for _, w := range g.workers {
		done := make(chan bool)
		w.Post(func() { c.Add(w.Shard.Filter(id)); close(done) })
		<-done
	}
	return c
}

// scrape returns the metrics, without those of Routes.
func (g *gateway) scrape() string {
	var b strings.Builder
	r := prometheus.NewRegistry()
	r.MustRegister(g.Collector())
	families, err := r.Gather()
	if err != nil {
		g.t.Fatal(err)
	}
	for _, f := range families {
		if _, err := expfmt.MetricFamilyToText(&b, f); err != nil {
			g.t.Fatal(err)
		}
	}
	return b.String()
}
