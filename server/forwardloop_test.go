package server

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/sluice-gateway/sluice/routing"
	asked "github.com/sluice-gateway/sluice/routing/policy"
	"github.com/sluice-gateway/sluice/server/config"
	"github.com/sluice-gateway/sluice/server/internal/exchange"
	"github.com/sluice-gateway/sluice/server/internal/servertest"
)

// countingFilter counts the requests that come by.
type countingFilter struct{ n atomic.Int64 }

func (*countingFilter) Name() string { return "count" }

func (f *countingFilter) Request(*Exchange) Verdict {
	f.n.Add(1)
	return Continue
}

// TestLoopsEnd: an ExternalName that leads back to the gateway makes one request a few, whatever is trusted and whatever is
// spoken, and not as many as there can be.
func TestLoopsEnd(t *testing.T) {
	t.Parallel()
	for _, trusted := range []bool{false, true} {
		for _, p := range []routing.Protocol{routing.HTTP, routing.H2C} {
			t.Run(fmt.Sprintf("trusted=%v,%v", trusted, p), func(t *testing.T) {
				count := &countingFilter{}
				g := newGateway(t, func(c *config.Config) {
					if trusted {
						c.Forwarded.TrustedCIDRs = []string{"127.0.0.0/8"}
					}
				}, Options{Filters: []Filter{count}})
				g.serveBackend(&asked.Policy{}, &routing.Backend{Protocol: p, ExternalName: "loop.example"}, g.addr)
				for i := range 3 {
					c := g.wire()
					c.Send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
					if a := c.ReadAnswer("GET"); a.StatusCode != 508 {
						t.Errorf("status %d", a.StatusCode)
					}
					if n := count.n.Load(); n > int64(i+1)*(exchange.LoopLimit+1) {
						t.Fatalf("%d requests have made %d", i+1, n)
					}
				}
			})
		}
	}
}

// TestLoopMark: a request to an ExternalName is marked, beside the marks that it has; one to Pods is not. Only our own marks
// count, and the request is refused at the limit.
func TestLoopMark(t *testing.T) {
	t.Parallel()
	eight := strings.TrimSuffix(strings.Repeat("sluice, ", exchange.LoopLimit), ", ")
	for _, row := range []struct {
		external string
		sent     []string
		status   int
		want     string
	}{
		{"", nil, 204, ""},
		{"", []string{"other; v=1"}, 204, "other; v=1"},
		{"", []string{"sluice"}, 204, "sluice"},
		{"app.example", nil, 204, "sluice"},
		{"app.example", []string{"other"}, 204, "other|sluice"},
		{"app.example", []string{"sluice", "a, b"}, 204, "sluice|a, b|sluice"},
		{"app.example", []string{strings.Repeat("a,", 100) + "sluices"}, 204, strings.Repeat("a,", 100) + "sluices|sluice"},
		{"app.example", []string{eight[len("sluice, "):]}, 204, eight[len("sluice, "):] + "|sluice"},
		{"app.example", []string{eight}, 508, ""},
		{"app.example", []string{"a,SLUICE;x=1 ,, sluice", eight[len("sluice, sluice, "):]}, 508, ""},
		{"", []string{eight}, 508, ""},
	} {
		for _, p := range []routing.Protocol{routing.HTTP, routing.H2C} {
			what := fmt.Sprintf("to %v %q, %q", p, row.external, row.sent)
			backend, seen := servertest.RecordingBackend(t, p)
			g := newGateway(t, nil, Options{})
			g.serveBackend(&asked.Policy{}, &routing.Backend{Protocol: p, ExternalName: row.external}, backend)
			text := "GET / HTTP/1.1\r\nHost: a\r\n"
			for _, v := range row.sent {
				text += "CDN-Loop: " + v + "\r\n"
			}
			c := g.wire()
			c.Send("%s", text+"\r\n")
			if a := c.ReadAnswer("GET"); a.StatusCode != row.status {
				t.Errorf("%s: status %d, want %d", what, a.StatusCode, row.status)
				continue
			}
			if row.status == 508 {
				continue
			}
			var marks []string
			for line := range strings.Lines(<-seen) {
				if value, ok := strings.CutPrefix(strings.ToLower(line), "cdn-loop:"); ok {
					marks = append(marks, strings.TrimSpace(value))
				}
			}
			if got := strings.Join(marks, "|"); got != row.want {
				t.Errorf("%s: %q, want %q", what, got, row.want)
			}
		}
	}
}
