package server

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/cloudwego/hertz/pkg/app"

	"github.com/sluice-gateway/sluice/server/config"
	"github.com/sluice-gateway/sluice/server/internal/servertest"
	"github.com/sluice-gateway/sluice/server/internal/stats"
)

// journal records, in order, what filters were called for.
type journal struct {
	mu   sync.Mutex
	text []string
	done chan struct{} // gets one for each Done
}

func newJournal() *journal { return &journal{done: make(chan struct{}, 100)} }

func (j *journal) note(format string, args ...any) {
	j.mu.Lock()
	j.text = append(j.text, fmt.Sprintf(format, args...))
	j.mu.Unlock()
}

func (j *journal) take() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	s := strings.Join(j.text, " ")
	j.text = nil
	return s
}

// layer is a Filter with all three phases.
type layer struct {
	name    string
	journal *journal
	request func(x *Exchange) Verdict // nil continues
}

func (l *layer) Name() string { return l.name }

func (l *layer) Request(x *Exchange) Verdict {
	l.journal.note("%s.request", l.name)
	x.AddRequestField("X-Layer", l.name)
	if l.request != nil {
		return l.request(x)
	}
	return Continue
}

func (l *layer) Response(_ *Exchange, r *Response) Verdict {
	l.journal.note("%s.response(%d)", l.name, r.Status())
	r.Add("X-Layer", l.name)
	return Continue
}

func (l *layer) Done(_ *Exchange, e *Event) {
	l.journal.note("%s.done(%d)", l.name, e.Status)
	l.journal.done <- struct{}{}
}

// requestOnly is a Filter without the other phases.
type requestOnly func(x *Exchange) Verdict

func (requestOnly) Name() string { return "request" }

func (f requestOnly) Request(x *Exchange) Verdict { return f(x) }

// TestFilterOrder: requests inwards, responses and ends outwards, and each sees what it should.
func TestFilterOrder(t *testing.T) {
	t.Parallel()
	j := newJournal()
	g := newGateway(t, nil, Options{Filters: []Filter{
		&layer{name: "a", journal: j},
		requestOnly(func(x *Exchange) Verdict { x.DropRequestField("x-secret"); return Continue }),
		&layer{name: "b", journal: j},
	}})
	addr, heads := servertest.ScriptedBackend(t, "HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\nok", false)
	g.serve(nil, addr)
	c := g.wire()
	for range 3 { // the second and third on reused memory
		c.Send("GET / HTTP/1.1\r\nHost: a\r\nX-Secret: 1\r\nX-Open: 2\r\nx-secret: 3\r\n\r\n")
		got := c.ReadAnswer("GET")
		if got.StatusCode != 201 || fmt.Sprint(got.Header["X-Layer"]) != "[b a]" {
			t.Errorf("got %d, %v", got.StatusCode, got.Header["X-Layer"])
		}
		<-j.done
		<-j.done
		if text := j.take(); text != "a.request b.request b.response(201) a.response(201) b.done(201) a.done(201)" {
			t.Errorf("called: %s", text)
		}
		head := <-heads
		if strings.Contains(strings.ToLower(head), "x-secret") || !strings.Contains(head, "X-Open: 2\r\n") ||
			strings.Count(head, "X-Layer") != 2 || strings.Index(head, "X-Layer: a") > strings.Index(head, "X-Layer: b") {
			t.Errorf("the Backend saw %q", head)
		}
	}
}

// TestFilterResponds: the inner filters and the Backend see nothing, the outer ones see the end.
func TestFilterResponds(t *testing.T) {
	t.Parallel()
	j := newJournal()
	g := newGateway(t, nil, Options{Filters: []Filter{
		&layer{name: "a", journal: j},
		&layer{name: "b", journal: j, request: func(x *Exchange) Verdict {
			return x.Respond(403, []byte("X-Why: because\r\n"), []byte("no entry"))
		}},
		&layer{name: "c", journal: j},
	}})
	seen := &servertest.Targets{}
	g.serve(nil, servertest.RawBackend(t, func(_ int, c *servertest.Wire) { seen.Add(c.Head()) }))
	c := g.wire()
	for _, tt := range []struct{ method, body, want string }{
		{"GET", "", "no entry"}, {"HEAD", "", ""}, {"POST", "Content-Length: 2\r\n\r\nok", "no entry"}, {"GET", "", "no entry"},
	} {
		c.Send("%s / HTTP/1.1\r\nHost: a\r\n%s", tt.method, tt.body)
		if tt.body == "" {
			c.Send("\r\n")
		}
		got := c.ReadAnswer(tt.method)
		if got.StatusCode != 403 || got.Text != tt.want || got.ContentLength != 8 || got.Header.Get("X-Why") != "because" || got.Close {
			t.Errorf("%s got %d %q, %v", tt.method, got.StatusCode, got.Text, got.Header)
		}
		<-j.done
		<-j.done
		if text := j.take(); text != "a.request b.request a.response(403) b.done(403) a.done(403)" {
			t.Errorf("called: %s", text)
		}
	}
	// A body that is still to come ends the connection.
	c.Send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\nok")
	if got := c.ReadAnswer("POST"); got.StatusCode != 403 || !got.Close {
		t.Errorf("got %d, close %v", got.StatusCode, got.Close)
	}
	c.WantClosed()
	if seen.Count() > 0 {
		t.Errorf("the Backend saw %v", seen)
	}
}

// TestFilterParks: the loop serves others meanwhile, the request goes on as it was, with its body, and the filters behind
// run after.
func TestFilterParks(t *testing.T) {
	t.Parallel()
	j := newJournal()
	blocked := make(chan chan Verdict, 10)
	g := newGateway(t, func(c *config.Config) { c.Threads = 1 }, Options{Filters: []Filter{
		&layer{name: "a", journal: j, request: func(x *Exchange) Verdict {
			if req, head := x.Head(); string(req.Path.Of(head)) != "/park" {
				return Continue
			}
			return x.Park(func(context.Context) func(*Exchange) Verdict {
				answer := make(chan Verdict)
				blocked <- answer
				v := <-answer
				return func(x *Exchange) Verdict {
					if v == Respond {
						return x.Respond(401, nil, []byte("who?"))
					}
					x.AddRequestField("X-Parked", "yes")
					return v
				}
			})
		}},
		&layer{name: "b", journal: j},
	}})
	g.serve(nil, servertest.RawBackend(t, func(_ int, c *servertest.Wire) {
		for {
			head := c.Head()
			if head == "" {
				return
			}
			body := ""
			if strings.Contains(head, "Content-Length: 6\r\n") {
				body = c.Take(6)
			}
			c.Send(servertest.OKResponse(fmt.Sprint(strings.Contains(head, "X-Parked: yes"), body)))
		}
	}))
	const parked = "POST /park HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\n"
	c, other := g.wire(), g.wire()
	for range 2 {
		c.Send(parked + "abc")
		answer := <-blocked
		if got := other.Get("/"); got.Text != "false" {
			t.Errorf("another got %d %q", got.StatusCode, got.Text)
		}
		c.Send("def")
		g.settle()
		answer <- Continue
		if got := c.ReadAnswer("POST"); got.Text != "trueabcdef" {
			t.Errorf("got %d %q", got.StatusCode, got.Text)
		}
		c.Send(parked + "abcdef")
		answer = <-blocked
		answer <- Respond
		if got := c.ReadAnswer("POST"); got.StatusCode != 401 || got.Text != "who?" || got.Close {
			t.Errorf("got %d %q, close %v", got.StatusCode, got.Text, got.Close)
		}
	}
	// A client leaves while its request is parked: DoneFilters are called at once, and a later decision of the Filter
	// changes no request, least of all the next one in the same memory.
	for range 2*2 + 2*1 + 2*2 { // forwarded, answered by a, the other client's
		<-j.done
	}
	j.take()
	c.Send(parked + "abcdef")
	answer := <-blocked
	c.SetLinger(0)
	c.Close()
	<-j.done
	if text := j.take(); text != "a.request a.done(499)" {
		t.Errorf("called: %s", text)
	}
	next := g.wire()
	next.Send(parked + "abcdef")
	second := <-blocked
	answer <- Respond
	g.settle()
	second <- Continue
	if got := next.ReadAnswer("POST"); got.StatusCode != 200 || got.Text != "trueabcdef" {
		t.Errorf("the next client got %d %q", got.StatusCode, got.Text)
	}
}

// TestHertzMiddleware: it may add fields, answer, and panic.
func TestHertzMiddleware(t *testing.T) {
	t.Parallel()
	g := newGateway(t, nil, Options{Middleware: []app.HandlerFunc{
		func(_ context.Context, c *app.RequestContext) {
			switch string(c.Path()) {
			case "/deny":
				c.Header("WWW-Authenticate", "Basic")
				c.AbortWithStatusJSON(401, map[string]string{"error": "no"})
			case "/panic":
				panic("boom")
			default:
				c.Request.Header.Set("X-User", c.ClientIP()+" "+string(c.GetHeader("X-In"))+" "+string(c.Host()))
				c.Request.Header.Set("X-Replaced", "new")
				c.Header("X-Out", "1")
			}
		},
		func(ctx context.Context, c *app.RequestContext) { c.Next(ctx) },
	}})
	addr, heads := servertest.ScriptedBackend(t, "HTTP/1.1 200 OK\r\nContent-Type: text/x\r\nContent-Length: 2\r\n\r\nok", false)
	g.serve(nil, addr)
	c := g.wire()
	for range 2 {
		c.Send("POST /go?x=1 HTTP/1.1\r\nHost: a\r\nX-In: in\r\nx-replaced: old\r\nUser-Agent: t\r\nCookie: a=b; c=d\r\nContent-Length: 2\r\n\r\nok")
		got := c.ReadAnswer("POST")
		if got.StatusCode != 200 || got.Header.Get("X-Out") != "1" || got.Header.Get("Content-Type") != "text/x" {
			t.Errorf("got %d %v", got.StatusCode, got.Header)
		}
		head := <-heads
		for _, want := range []string{"POST /go?x=1 HTTP/1.1\r\nHost: a\r\nX-In: in\r\nUser-Agent: t\r\nCookie: a=b; c=d\r\nX-Forwarded-For: ", "\r\nContent-Length: 2\r\n\r\n", "\r\nX-User: 127.0.0.1 in a\r\n", "\r\nX-Replaced: new\r\n"} {
			if !strings.Contains(head, want) {
				t.Errorf("the Backend saw %q, without %q", head, want)
			}
		}
		if strings.Contains(head, "old") {
			t.Errorf("the Backend saw %q", head)
		}
		c.Send("GET /deny HTTP/1.1\r\nHost: a\r\n\r\n")
		got = c.ReadAnswer("GET")
		if got.StatusCode != 401 || got.Text != `{"error":"no"}` || got.Header.Get("WWW-Authenticate") != "Basic" || !strings.HasPrefix(got.Header.Get("Content-Type"), "application/json") {
			t.Errorf("denied: %d %q %v", got.StatusCode, got.Text, got.Header)
		}
		c.Send("GET /panic HTTP/1.1\r\nHost: a\r\n\r\n")
		if got := c.ReadAnswer("GET"); got.StatusCode != 500 {
			t.Errorf("panicked: %d %q", got.StatusCode, got.Text)
		}
	}
}

// TestHertzBadField: an answer of a middleware that cannot stand in a head is a fault, and no answer of a filter's.
func TestHertzBadField(t *testing.T) {
	t.Parallel()
	g := newGateway(t, nil, Options{
		Filters: []Filter{onResponse(func(_ *Exchange, r *Response) Verdict {
			r.Set("X-Why", r.Reason())
			return Continue
		})},
		Middleware: []app.HandlerFunc{func(_ context.Context, c *app.RequestContext) {
			c.Response.Header.Set("X-Bad", "a\x01b")
			c.AbortWithStatus(403)
		}},
	})
	g.serve(nil, servertest.FieldsBackend(t))
	got := g.wire().Get("/")
	if got.StatusCode != 500 || got.Header.Get("X-Bad") != "" || got.Header.Get("X-Why") != stats.Internal.String() {
		t.Errorf("got %d, %v", got.StatusCode, got.Header)
	}
}
