package server

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/sluice-gateway/sluice/routing"
	"github.com/sluice-gateway/sluice/server/config"
	"github.com/sluice-gateway/sluice/server/internal/exchange"
	"github.com/sluice-gateway/sluice/server/internal/servertest"
)

// informingBackend sends n interim responses with a field of so many bytes before the final one, as the request's path has
// it: /status/n/bytes.
func informingBackend(t testing.TB, p routing.Protocol) string {
	parse := func(path string) (status, n, size int) {
		_, _ = fmt.Sscanf(path, "/%d/%d/%d", &status, &n, &size)
		return
	}
	if exchange.SpeaksHTTP2(p) {
		return servertest.RawHTTP2Backend(t, func(_ int, c *servertest.RawHTTP2) {
			c.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
			for {
				f, err := c.ReadFrame()
				if err != nil {
					return
				}
				if f, ok := f.(*http2.MetaHeadersFrame); ok {
					status, n, size := parse(f.PseudoValue("path"))
					for range n {
						c.Fields(f.StreamID, false, ":status", fmt.Sprint(status), "x-hint", strings.Repeat("h", size))
					}
					c.Fields(f.StreamID, false, ":status", "200", "content-length", "2")
					_ = c.WriteData(f.StreamID, true, []byte("ok"))
				}
			}
		})
	}
	return servertest.RawBackend(t, func(_ int, c *servertest.Wire) {
		for {
			head := c.Head()
			if head == "" {
				return
			}
			status, n, size := parse(servertest.Target(head))
			for range n {
				c.Send("HTTP/1.1 %d Hint\r\nX-Hint: %s\r\n\r\n", status, strings.Repeat("h", size))
			}
			c.Send("%s", servertest.OKResponse("ok"))
		}
	})
}

// informed asks for path, and returns how many interim responses came before the final one.
func informed(t *testing.T, g *gateway, version, path string) (interim int, status int) {
	t.Helper()
	if version == "h2" {
		c := servertest.DialHTTP2(t, g.addr)
		_ = c.SetDeadline(time.Now().Add(servertest.Timeout))
		c.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
		c.Request(1, "GET", path, true)
		for {
			f, err := c.ReadFrame()
			if err != nil {
				t.Fatal(err)
			}
			if f, ok := f.(*http2.MetaHeadersFrame); ok {
				if code := f.PseudoValue("status"); code[0] != '1' {
					_, _ = fmt.Sscan(code, &status)
					return interim, status
				}
				interim++
			}
		}
	}
	c := g.wire()
	c.Send("GET %s HTTP/1.1\r\nHost: a\r\n\r\n", path)
	for {
		head := c.Head()
		if !strings.HasPrefix(head, "HTTP/1.1 1") {
			_, _ = fmt.Sscanf(head, "HTTP/1.1 %d", &status)
			return interim, status
		}
		interim++
	}
}

// TestInterimResponsesAreBounded: interim responses are relayed, however many they are, at the rate of a useful Endpoint,
// and fail the request above that, in every pairing.
func TestInterimResponsesAreBounded(t *testing.T) {
	t.Parallel()
	for _, p := range []routing.Protocol{routing.HTTP, routing.H2C} {
		backend := informingBackend(t, p)
		for _, version := range []string{"h1", "h2"} {
			t.Run(fmt.Sprintf("%s to %v", version, p), func(t *testing.T) {
				g := newGateway(t, nil, Options{})
				g.serveProtocol(p, backend)
				for _, row := range []struct {
					path    string
					interim int
					status  int
				}{
					{"/103/0/0", 0, 200},
					{"/104/9/10", 9, 200},
					{"/102/200/10", 200, 200},
					{"/103/7/8000", 7, 200},
					{"/102/1000/10", -1, 502}, // as many as the allowance has, and what time gave back
					{"/103/40/8000", -1, 502},
					{"/104/9/10", 9, 200},
				} {
					interim, status := informed(t, g, version, row.path)
					if status != row.status || row.interim >= 0 && interim != row.interim {
						t.Errorf("%s: %d interim responses and %d, want %d and %d", row.path, interim, status, row.interim, row.status)
					}
				}
			})
		}
	}
}

// TestBodyTimeoutBeginsWithTheInvitation: the body timeout of a client that expects 100 begins when it was sent one.
func TestBodyTimeoutBeginsWithTheInvitation(t *testing.T) {
	t.Parallel()
	for _, p := range []routing.Protocol{routing.HTTP, routing.H2C} {
		for _, version := range []string{"h1", "h2"} {
			t.Run(fmt.Sprintf("%s to %v", version, p), func(t *testing.T) {
				t.Parallel()
				servertest.Retry(t, func(s *servertest.Try, timeout time.Duration) { invitedLate(t, s, p, version, timeout) })
			})
		}
	}
}

func invitedLate(t *testing.T, s *servertest.Try, p routing.Protocol, version string, timeout time.Duration) {
	asked, invite := make(chan struct{}, 4), make(chan struct{})
	var backend string
	if exchange.SpeaksHTTP2(p) {
		backend = servertest.RawHTTP2Backend(s, func(_ int, c *servertest.RawHTTP2) {
			for {
				id := c.NextHead()
				if id == 0 {
					return
				}
				asked <- struct{}{}
				<-invite
				c.Fields(id, false, ":status", "100")
				for {
					f, err := c.ReadFrame()
					if err != nil {
						return
					}
					if f, ok := f.(*http2.DataFrame); ok && f.StreamEnded() {
						break
					}
				}
				c.Fields(id, true, ":status", "204")
			}
		})
	} else {
		backend = servertest.RawBackend(s, func(_ int, c *servertest.Wire) {
			for c.Head() != "" {
				asked <- struct{}{}
				<-invite
				c.Send("HTTP/1.1 100 Continue\r\n\r\n")
				c.Take(4)
				c.Send("HTTP/1.1 204 No Content\r\n\r\n")
			}
		})
	}
	g := newGateway(s, timeouts(func(to *config.Timeouts) { to.Body = config.Duration(timeout) }), Options{})
	g.serveProtocol(p, backend)
	defer func() {
		select {
		case <-invite:
		default:
			close(invite)
		}
	}()
	wait := func() {
		<-asked
		timer := time.NewTimer(3*timeout + 200*time.Millisecond) // the wheel adds two ticks
		<-timer.C
		invite <- struct{}{}
	}
	if version == "h2" {
		c := servertest.DialHTTP2(t, g.addr)
		_ = c.SetDeadline(time.Now().Add(servertest.Timeout))
		c.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
		status := func() string {
			for {
				f, err := c.ReadFrame()
				if err != nil {
					return err.Error()
				}
				if f, ok := f.(*http2.MetaHeadersFrame); ok {
					return f.PseudoValue("status")
				}
			}
		}
		c.Request(1, "POST", "/", false, "expect", "100-continue", "content-length", "4")
		wait()
		if got := status(); got != "100" {
			s.Errorf("first came %s", got)
			return
		}
		_ = c.WriteData(1, true, []byte("body"))
		if got := status(); got != "204" {
			s.Errorf("then came %s", got)
		}
		return
	}
	c := g.wire()
	const head = "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n"
	c.Send(head)
	wait()
	if got := c.Head(); !strings.HasPrefix(got, "HTTP/1.1 100 ") {
		s.Errorf("first came %q", got)
		return
	}
	c.Send("body")
	if got := c.ReadAnswer("POST"); got.StatusCode != 204 {
		s.Errorf("then came %d", got.StatusCode)
	}
	// From the 100 on, or from the first byte of the body, the timeout runs.
	begun := time.Now()
	c.Send(head + "bo")
	if got := c.ReadAnswer("POST"); got.StatusCode != 408 {
		s.Errorf("begun uninvited: %d", got.StatusCode)
	}
	servertest.Took(s, begun, timeout)
}

// TestNeverInvited: where neither side moves, the Endpoint's timeout runs.
func TestNeverInvited(t *testing.T) {
	t.Parallel()
	backend := servertest.RawBackend(t, func(_ int, c *servertest.Wire) {
		c.Head()
		c.Rest()
	})
	g := newGateway(t, timeouts(func(to *config.Timeouts) { to.Read = config.Duration(servertest.Short) }), Options{})
	g.serve(nil, backend)
	c := g.wire()
	begun := time.Now()
	c.Send("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n")
	if got := c.ReadAnswer("POST"); got.StatusCode != 504 {
		t.Errorf("%d", got.StatusCode)
	}
	servertest.Took(t, begun, servertest.Short)
}

// TestResponseFieldCount: how many fields a response may have is configured, and live, for both protocols.
func TestResponseFieldCount(t *testing.T) {
	t.Parallel()
	var lines strings.Builder
	var fields []string
	for i := range 300 {
		fmt.Fprintf(&lines, "X-%d: 1\r\n", i)
		fields = append(fields, fmt.Sprintf("x-%d", i), "1")
	}
	one := servertest.RawBackend(t, func(_ int, c *servertest.Wire) {
		for c.Head() != "" {
			c.Send("%s", "HTTP/1.1 204 No Content\r\n"+lines.String()+"\r\n")
		}
	})
	two := servertest.RawHTTP2Backend(t, func(_ int, c *servertest.RawHTTP2) {
		for id := c.NextHead(); id != 0; id = c.NextHead() {
			c.Fields(id, true, append([]string{":status", "204"}, fields...)...)
		}
	})
	for p, backend := range map[routing.Protocol]string{routing.HTTP: one, routing.H2C: two} {
		g := newGateway(t, nil, Options{})
		g.serveProtocol(p, backend)
		for _, row := range []struct{ limit, want int }{{128, 502}, {300, 204}, {299, 502}, {1000, 204}} {
			changed := config.Default()
			changed.Limits.ResponseHeaderCount = row.limit
			g.Reload(changed)
			g.settle()
			if got := g.wire().Get("/"); got.StatusCode != row.want || row.want == 204 && len(got.Header) < 300 {
				t.Errorf("%v, at most %d: %d with %d fields", p, row.limit, got.StatusCode, len(got.Header))
			}
		}
	}
}

// TestRequestFieldCountIsLive: that of requests is so over HTTP/2 as well.
func TestRequestFieldCountIsLive(t *testing.T) {
	t.Parallel()
	backend, seen := servertest.RecordingBackend(t, routing.HTTP)
	g := newGateway(t, nil, Options{})
	g.serve(nil, backend)
	changed := config.Default()
	changed.Limits.HeaderCount = 200
	g.Reload(changed)
	g.settle()
	var fields []string
	for i := range 150 {
		fields = append(fields, fmt.Sprintf("x-%d", i), "1")
	}
	c := servertest.DialHTTP2(t, g.addr)
	c.Request(1, "GET", "/", true, fields...)
	if text := servertest.NextSeen(t, seen); !servertest.HasField(text, "x-149") {
		t.Errorf("%s", text)
	}
}
