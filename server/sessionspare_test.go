package server

import (
	"sync/atomic"
	"testing"

	"golang.org/x/net/http2"

	"github.com/sluice-gateway/sluice/routing"
	"github.com/sluice-gateway/sluice/server/config"
	"github.com/sluice-gateway/sluice/server/internal/servertest"
	"github.com/sluice-gateway/sluice/server/internal/up"
)

// TestRefusedStreamsOpenFewSessions: an Endpoint that refuses a part of its streams gets some sessions more, not one for
// each; and all requests are answered.
func TestRefusedStreamsOpenFewSessions(t *testing.T) {
	t.Parallel()
	pod := newSharedPod(t)
	var asked atomic.Int64
	pod.request = func(c *servertest.RawHTTP2, st uint32, _ string) {
		if asked.Add(1)%2 == 1 {
			_ = c.WriteRSTStream(st, http2.ErrCodeRefusedStream)
			return
		}
		c.Fields(st, true, ":status", "204")
	}
	g := newGateway(t, func(c *config.Config) { c.Threads = 1 }, Options{})
	g.serveProtocol(routing.H2C, pod.addr)
	c := servertest.HTTP1Client(t)
	for i := range 200 {
		resp, err := c.Get("http://" + g.addr + "/")
		if err != nil || resp.StatusCode != 204 {
			t.Fatalf("request %d: %v %v", i, resp, err)
		}
	}
	if n := pod.conns.Load(); n > up.SpareSessions {
		t.Errorf("%d sessions for requests one after the other, want %d at most", n, up.SpareSessions)
	}
}
