package server

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"

	asked "github.com/sluice-gateway/sluice/routing/policy"
	"github.com/sluice-gateway/sluice/server/config"
	"github.com/sluice-gateway/sluice/server/internal/servertest"
	"github.com/sluice-gateway/sluice/server/internal/stats"
)

// filtered is a gateway of one loop, to which the loopback network is a trusted proxy, with Filters in front of app; nil
// answers "fine".
func filtered(t *testing.T, app http.HandlerFunc, filters ...Filter) (*gateway, *servertest.Wire) {
	g := newGateway(t, func(c *config.Config) { c.Threads = 1; c.Forwarded.TrustedCIDRs = []string{"127.0.0.0/8"} }, Options{Filters: filters})
	if app == nil {
		app = func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "fine") }
	}
	g.serve(nil, servertest.Backend(t, app))
	return g, g.wire()
}

func onRequest(f func(x *Exchange) Verdict) *plug {
	return &plug{name: "p", request: f}
}

func onResponse(f func(x *Exchange, r *Response) Verdict) *plug {
	return &plug{name: "p", response: f}
}

// misuses cost the request that they are about, and nothing else.
var misuses = map[string]func(t *testing.T){
	"ResponsePath": func(t *testing.T) {
		_, c := filtered(t, nil, onResponse(func(x *Exchange, r *Response) Verdict {
			r.Set("X-P", string(x.Path()))
			return Continue
		}))
		if got := c.Get("/p"); got.Header.Get("X-P") != "/p" {
			t.Errorf("got %v", got.Header)
		}
	},
	"ResponseRequestField": func(t *testing.T) {
		_, c := filtered(t, nil, onResponse(func(x *Exchange, r *Response) Verdict {
			x.RequestField("Origin")
			return Continue
		}))
		wantStatus(t, c, 200)
	},
	"ResponseClientTrusted": func(t *testing.T) { // where the request is looked at again
		_, c := filtered(t, nil, onResponse(func(x *Exchange, r *Response) Verdict {
			r.Set("X-C", x.Client().String())
			return Continue
		}))
		wantStatus(t, c, 200)
	},
	"DoneMethod": func(t *testing.T) {
		_, c := filtered(t, nil, &plug{name: "d", done: func(x *Exchange, e *Event) { x.Method() }})
		wantStatus(t, c, 200)
	},
	"RespondTwice": func(t *testing.T) {
		_, c := filtered(t, nil, onRequest(func(x *Exchange) Verdict { x.Respond(403, nil, nil); return x.Respond(404, nil, nil) }))
		wantStatus(t, c, 403)
	},
	"RespondThenContinue": func(t *testing.T) {
		_, c := filtered(t, nil, onRequest(func(x *Exchange) Verdict { x.Respond(403, nil, nil); return Continue }))
		wantStatus(t, c, 403)
	},
	"ParkThenContinue": func(t *testing.T) {
		_, c := filtered(t, nil, onRequest(func(x *Exchange) Verdict {
			x.Park(func(context.Context) func(*Exchange) Verdict {
				return func(*Exchange) Verdict { return Continue }
			})
			return Continue
		}))
		if got := c.Get("/p"); got.StatusCode == 0 {
			t.Errorf("no answer")
		}
		c.Get("/p")
	},
	"ParkInResponse": func(t *testing.T) {
		_, c := filtered(t, nil, onResponse(func(x *Exchange, r *Response) Verdict {
			return x.Park(func(context.Context) func(*Exchange) Verdict {
				return func(*Exchange) Verdict { return Continue }
			})
		}))
		c.Get("/p")
		if got := c.Get("/p"); got.StatusCode == 0 {
			t.Errorf("no answer")
		}
	},
	"ParkNil": func(t *testing.T) {
		_, c := filtered(t, nil, onRequest(func(x *Exchange) Verdict {
			return x.Park(func(context.Context) func(*Exchange) Verdict { return nil })
		}))
		wantStatus(t, c, 500)
	},
	"ParkPanicsOnLoop": func(t *testing.T) {
		_, c := filtered(t, nil, onRequest(func(x *Exchange) Verdict {
			return x.Park(func(context.Context) func(*Exchange) Verdict {
				return func(*Exchange) Verdict { panic("boom") }
			})
		}))
		wantStatus(t, c, 500)
	},
	"GoexitWhileParked": func(t *testing.T) {
		_, c := filtered(t, nil, onRequest(func(x *Exchange) Verdict {
			return x.Park(func(context.Context) func(*Exchange) Verdict { runtime.Goexit(); return nil })
		}))
		wantStatus(t, c, 500)
	},
	"ParkOverloadThenPark": func(t *testing.T) { // what the first call returned is ignored
		g, c := filtered(t, nil, onRequest(func(x *Exchange) Verdict {
			x.Park(func(context.Context) func(*Exchange) Verdict {
				return func(*Exchange) Verdict { return Continue }
			})
			return Park
		}))
		for range cap(g.parking) {
			g.parking <- struct{}{}
		}
		wantStatus(t, c, 503)
	},
	"PanicRequest": func(t *testing.T) {
		_, c := filtered(t, nil, onRequest(func(x *Exchange) Verdict { panic("boom") }))
		wantStatus(t, c, 500)
	},
	"PanicResponse": func(t *testing.T) {
		_, c := filtered(t, nil, onResponse(func(x *Exchange, r *Response) Verdict { panic("boom") }))
		wantStatus(t, c, 500)
	},
	"PanicDone": func(t *testing.T) {
		_, c := filtered(t, nil, &plug{name: "d", done: func(*Exchange, *Event) { panic("boom") }})
		wantStatus(t, c, 200)
		wantStatus(t, c, 200)
	},
	"RespondInDone": func(t *testing.T) {
		_, c := filtered(t, nil, &plug{name: "d", done: func(x *Exchange, e *Event) { x.Respond(500, nil, nil) }})
		wantStatus(t, c, 200)
		wantStatus(t, c, 200)
	},
	"SlotOutOfRange": func(t *testing.T) {
		_, c := filtered(t, nil, onRequest(func(x *Exchange) Verdict { x.Slot(7).N++; return Continue }))
		wantStatus(t, c, 500)
	},
	"StateOfNone": func(t *testing.T) {
		_, c := filtered(t, nil, onRequest(func(x *Exchange) Verdict { x.State(0); return Continue }))
		wantStatus(t, c, 500)
	},
	"RespondVerdictAlone": func(t *testing.T) {
		g, c := filtered(t, nil, onRequest(func(x *Exchange) Verdict { return Respond }))
		wantStatus(t, c, 500)
		servertest.Until(t, "the end of every Exchange", func() bool { return g.openExchanges() == 0 })
	},
	"ParkVerdictAlone": func(t *testing.T) {
		g, c := filtered(t, nil, onRequest(func(x *Exchange) Verdict { return Park }))
		wantStatus(t, c, 500)
		servertest.Until(t, "the end of every Exchange", func() bool { return g.openExchanges() == 0 })
	},
	"KeepX": func(t *testing.T) { // and answers behind its end
		var kept *Exchange
		g, c := filtered(t, nil, onRequest(func(x *Exchange) Verdict { kept = x; return Continue }))
		wantStatus(t, c, 200)
		g.workers[0].Post(func() { kept.Respond(403, nil, nil) })
		g.settle()
		wantStatus(t, c, 200)
	},
}

// wantStatus asks for something.
func wantStatus(t *testing.T, c *servertest.Wire, want int) {
	t.Helper()
	if got := c.Get("/p"); got.StatusCode != want {
		t.Errorf("got %d %q, want %d; %v", got.StatusCode, got.Text, want, got.Cut)
	}
}

// TestMisuses plays each of them.
func TestMisuses(t *testing.T) {
	for name, play := range misuses {
		t.Run(name, play)
	}
}

// TestForgottenCalls: an answer that a Filter made and did not announce goes to the request that it was made for, and one
// that was announced and not made goes to none.
func TestForgottenCalls(t *testing.T) {
	g, a := filtered(t, func(w http.ResponseWriter, r *http.Request) { w.Header().Set("X-P", r.URL.Path) }, onResponse(func(x *Exchange, r *Response) Verdict {
		if string(r.Field("X-P")) == "/a" {
			x.Respond(200, []byte("Set-Cookie: session=alice\r\n"), []byte("alice's")) // the Verdict is forgotten
			return Continue
		}
		return Respond // the call is forgotten
	}))
	if got := a.Get("/a"); got.Text != "alice's" {
		t.Errorf("alice got %d %q", got.StatusCode, got.Text)
	}
	if got := g.wire().Get("/b"); got.StatusCode != 500 || got.Header.Get("Set-Cookie") != "" {
		t.Errorf("bob got %d %q %v", got.StatusCode, got.Text, got.Header)
	}
}

// TestFilterStaleStatus: a Response that returns Respond without a call is answered 500, and never with what the loop
// answered before.
func TestFilterStaleStatus(t *testing.T) {
	_, c := filtered(t, nil, &plug{name: "p", request: func(x *Exchange) Verdict {
		if string(x.Path()) == "/teapot" {
			return x.Respond(418, []byte("X-Secret: of another\r\n"), []byte("of another"))
		}
		return Continue
	}, response: func(x *Exchange, r *Response) Verdict {
		if r.Own() {
			return Continue
		}
		return Respond
	}})
	a := c.Get("/a")
	c.Get("/teapot")
	b := c.Get("/a")
	if a.StatusCode < 200 || a.StatusCode != b.StatusCode {
		t.Errorf("got %d %v, and once another request was answered %d %q %v", a.StatusCode, a.Cut, b.StatusCode, b.Text, b.Header)
	}
}

// TestFilterRespondAliases: the arguments of Respond may be parts of the response that it replaces.
func TestFilterRespondAliases(t *testing.T) {
	_, c := filtered(t, nil, onResponse(func(x *Exchange, r *Response) Verdict {
		return x.Respond(403, []byte("Content-Type: text/plain; charset=utf-8\r\nX-B: 1234567890\r\n"), r.Field("X-Why"))
	}), onRequest(func(x *Exchange) Verdict {
		return x.Respond(200, []byte("X-Why: because of it\r\n"), nil)
	}))
	c.Get("/") // gives the loop's answer its memory
	if got := c.Get("/"); got.Text != "because of it" {
		t.Errorf("got %q", got.Text)
	}
}

// TestFilterSetServerAndDate: a Filter's Server and Date stand alone, whether or not the Backend has sent some.
func TestFilterSetServerAndDate(t *testing.T) {
	t.Parallel()
	set := onResponse(func(x *Exchange, r *Response) Verdict {
		r.Set("Server", "mine")
		r.Set("Date", "Mon, 02 Jan 2006 15:04:05 GMT")
		return Continue
	})
	through(t, Options{Filters: []Filter{set}}, func(w http.ResponseWriter, r *http.Request) {
		w.Header()["Date"] = nil
	}, func(t *testing.T, g *gateway, c *http.Client, base string) {
		for range 2 {
			resp, _ := ask(t, c, "GET", base+"/", nil)
			if s, d := resp.Header["Server"], resp.Header["Date"]; len(s) != 1 || s[0] != "mine" || len(d) != 1 {
				t.Errorf("Server %q, Date %q", s, d)
			}
		}
	})
}

// TestFilterSetServerAndDateOfOwn: the same on an answer of the gateway's own.
func TestFilterSetServerAndDateOfOwn(t *testing.T) {
	_, c := filtered(t, nil, onResponse(func(x *Exchange, r *Response) Verdict {
		r.Set("Server", "mine")
		r.Set("Date", "Mon, 02 Jan 2006 15:04:05 GMT")
		return Continue
	}), onRequest(func(x *Exchange) Verdict { return x.Refuse(403, "no") }))
	got := c.Get("/")
	if s, d := got.Header["Server"], got.Header["Date"]; len(s) != 1 || len(d) != 1 {
		t.Errorf("Server %q, Date %q", s, d)
	}
}

// TestFilterAddedFieldsOfTheReplaced: additions to a response are discarded with it where another Filter replaces it.
func TestFilterAddedFieldsOfTheReplaced(t *testing.T) {
	_, c := filtered(t, nil,
		onResponse(func(x *Exchange, r *Response) Verdict {
			return x.Respond(403, []byte("Content-Type: text/plain\r\n"), []byte("no"))
		}),
		onResponse(func(x *Exchange, r *Response) Verdict {
			r.Set("Content-Type", "application/wasm")
			r.Set("Content-Encoding", "br")
			r.Set("ETag", `"1"`)
			return Continue
		}))
	got := c.Get("/")
	if h := got.Header; len(h["Content-Type"]) != 1 || h["Content-Encoding"] != nil {
		t.Errorf("got %v", h)
	}
}

// TestFilterFramingIsNotAdded: Filters cannot add fields of framing, nor those of one connection.
func TestFilterFramingIsNotAdded(t *testing.T) {
	for _, own := range []bool{false, true} {
		_, c := filtered(t, nil, onResponse(func(x *Exchange, r *Response) Verdict {
			r.Drop("Content-Length")
			r.Set("Content-Length", "2")
			r.Add("Connection", "close, x")
			return Continue
		}), onRequest(func(x *Exchange) Verdict {
			if own {
				return x.Respond(200, nil, []byte("fine"))
			}
			return Continue
		}))
		c.Send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
		if head := c.Head(); strings.Count(head, "Content-Length") != 1 || strings.Contains(head, "close, x") {
			t.Errorf("own %v: %q", own, head)
		}
	}
}

// TestFilterTransferEncodingAdded: the same for a coding, of which the client would take the body for chunks.
func TestFilterTransferEncodingAdded(t *testing.T) {
	_, c := filtered(t, nil, onResponse(func(x *Exchange, r *Response) Verdict {
		r.Set("Transfer-Encoding", "chunked")
		return Continue
	}))
	c.Send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	if head := c.Head(); strings.Contains(head, "Transfer-Encoding") {
		t.Errorf("%q", head)
	}
}

// TestFilterDropRequestField: a field is dropped whether the client, the gateway or another Filter has added it.
func TestFilterDropRequestField(t *testing.T) {
	_, c := filtered(t, func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%q %q", r.Header["X-User"], r.Header["X-Request-Id"])
	},
		onRequest(func(x *Exchange) Verdict {
			x.AddRequestField("X-User", "outer")
			return Continue
		}),
		onRequest(func(x *Exchange) Verdict {
			x.DropRequestField("X-User")
			x.AddRequestField("X-User", "inner")
			x.DropRequestField("X-Request-Id")
			x.AddRequestField("X-Request-Id", "mine")
			return Continue
		}))
	c.Send("GET / HTTP/1.1\r\nHost: a\r\nX-User: client\r\n\r\n")
	if got := c.ReadAnswer("GET"); got.Text != `["inner"] ["mine"]` {
		t.Errorf("the Backend got %s", got.Text)
	}
}

type madeKind string

func (k madeKind) Kind() asked.Kind { return asked.Kind(k) }

func (k madeKind) Equal(f asked.Filter) bool { return k == f }

func (k madeKind) AppendText(b []byte) []byte { return append(b, k...) }

func (misspelt) Name() string { return "misspelt" }

func (misspelt) Request(x *Exchange) {}

type misspelt struct{}

// TestFilterMakers: a Maker that makes nothing, or nothing that works, closes the Routes.
func TestFilterMakers(t *testing.T) {
	maker := func(kind string, f Filter) Maker {
		return Maker{Kind: asked.Kind(kind), Make: func(asked.Filter, Env) (Filter, error) { return f, nil }}
	}
	for _, row := range []struct {
		name   string
		makers []Maker
		asks   []string
		want   []int
	}{
		{"nil", []Maker{maker("a", nil)}, []string{"a"}, []int{503}},
		{"no phase", []Maker{maker("a", misspelt{})}, []string{"a"}, []int{503}},
		{"one twice, the other not", []Maker{maker("a", &plug{name: "a"}), maker("a", &plug{name: "a"})}, []string{"a", "b"}, []int{503}},
		{"panic", []Maker{{Kind: "a", Make: func(f asked.Filter, _ Env) (Filter, error) { return f.(Filter), nil }}}, []string{"a"}, []int{503}},
	} {
		t.Run(row.name, func(t *testing.T) {
			defer func() {
				if r := recover(); r != nil {
					t.Errorf("the goroutine that builds Snapshots dies: %v", r)
				}
			}()
			g := newGateway(t, func(c *config.Config) { c.Threads = 1 }, Options{Makers: row.makers})
			p := &asked.Policy{}
			for _, a := range row.asks {
				p.Set(madeKind(a))
			}
			g.serve(p, servertest.Backend(t, func(w http.ResponseWriter, r *http.Request) {}))
			if got := g.wire().Get("/"); got.StatusCode != row.want[0] {
				t.Errorf("got %d, want %v", got.StatusCode, row.want)
			}
		})
	}
}

var (
	wellFormed = regexp.MustCompile(`^(HTTP/1\.1 [2-5]\d\d [A-Za-z ]+\r\n([A-Za-z-]+: [^\r\n]*\r\n)*Content-Length: \d+\r\n(Connection: close\r\n)?\r\n(x|body|5.*\n)){1,2}$`)
	asksWell   = regexp.MustCompile(`^GET /[^ #\r\n]* HTTP/1\.1\r\nHost: a\r\n`)
)

// TestFilterUnchecked: bytes that would break a message out of its frame are answered 500, and reach neither side.
func TestFilterUnchecked(t *testing.T) {
	for name, f := range map[string]func(x *Exchange) Verdict{
		"AddResponseField": func(x *Exchange) Verdict {
			x.AddResponseField("X-A", "a\r\nX-Evil: 1")
			return Continue
		},
		"AddRequestField": func(x *Exchange) Verdict {
			x.AddRequestField("X-A", "a\r\nX-Evil: 1")
			return Continue
		},
		"RequestLength": func(x *Exchange) Verdict {
			x.AddRequestField("Content-Length", "5")
			return Continue
		},
		"RespondNoCRLF": func(x *Exchange) Verdict { return x.Respond(200, []byte("X-A: b"), []byte("body")) },
		"RespondBlank": func(x *Exchange) Verdict {
			return x.Respond(200, []byte("X-A: b\r\n\r\n"), []byte("body"))
		},
		"Respond0":        func(x *Exchange) Verdict { return x.Respond(0, nil, []byte("body")) },
		"Respond101":      func(x *Exchange) Verdict { return x.Respond(101, nil, []byte("body")) },
		"Respond1000":     func(x *Exchange) Verdict { return x.Respond(1000, nil, []byte("body")) },
		"RespondNegative": func(x *Exchange) Verdict { return x.Respond(-1, nil, []byte("body")) },
		"TargetSpace":     func(x *Exchange) Verdict { x.SetTarget([]byte("/a b")); return Continue },
		"TargetNoSlash":   func(x *Exchange) Verdict { x.SetTarget([]byte("a")); return Continue },
		"TargetSmuggle": func(x *Exchange) Verdict {
			x.SetTarget([]byte("/a HTTP/1.1\r\nHost: b\r\n\r\nGET /b"))
			return Continue
		},
		"TargetEmpty":    func(x *Exchange) Verdict { x.SetTarget(nil); return Continue },
		"PathEmptyQuery": func(x *Exchange) Verdict { x.SetPath(nil); return Continue },
		"PathQuestion":   func(x *Exchange) Verdict { x.SetPath([]byte("/a?b#c")); return Continue },
		"DropHost":       func(x *Exchange) Verdict { x.DropRequestField("Host"); return Continue },
	} {
		t.Run(name, func(t *testing.T) {
			heads := make(chan string, 10)
			g := newGateway(t, func(c *config.Config) { c.Threads = 1 }, Options{Filters: []Filter{onRequest(f)}})
			g.serve(nil, servertest.RawBackend(t, func(_ int, c *servertest.Wire) {
				for {
					h := c.Head()
					if h == "" {
						return
					}
					heads <- h
					c.Send(servertest.OKResponse("x"))
				}
			}))
			c := g.wire()
			c.Send("GET /p?q HTTP/1.1\r\nHost: a\r\n\r\nGET /p2?q HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
			all, _ := io.ReadAll(c.R)
			g.settle()
			if text := string(all); !wellFormed.MatchString(text) || strings.Contains(text, "X-Evil") {
				t.Errorf("the client got %q", all)
			}
			for len(heads) > 0 {
				if h := <-heads; !asksWell.MatchString(h) || strings.Contains(h, "X-Evil") || strings.Contains(h, "Content-Length") {
					t.Errorf("the Backend got %.200q", h)
				}
			}
		})
	}
}

// TestFilterDropExpect: Expect stays, or the client would wait for an invitation that does not come.
func TestFilterDropExpect(t *testing.T) {
	_, c := filtered(t, func(w http.ResponseWriter, r *http.Request) { b, _ := io.ReadAll(r.Body); w.Write(b) },
		onRequest(func(x *Exchange) Verdict { x.DropRequestField("Expect"); return Continue }))
	c.Send("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
	if head := c.Head(); !strings.HasPrefix(head, "HTTP/1.1 100") {
		t.Errorf("got %q", head)
	}
}

// TestFilterStatusInResponse: no status is sent while the response phase runs.
func TestFilterStatusInResponse(t *testing.T) {
	_, c := filtered(t, nil, onResponse(func(x *Exchange, r *Response) Verdict {
		r.Set("X-S", fmt.Sprint(x.Status()))
		return Continue
	}))
	if got := c.Get("/"); got.Header.Get("X-S") != "0" {
		t.Errorf("got %q", got.Header.Get("X-S"))
	}
}

// TestFilterSetTargetThenPath: a path that is set behind a target leaves its query.
func TestFilterSetTargetThenPath(t *testing.T) {
	_, c := filtered(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.RequestURI) },
		onRequest(func(x *Exchange) Verdict {
			x.SetTarget([]byte("/a?token=1"))
			return Continue
		}),
		onRequest(func(x *Exchange) Verdict { x.SetPath([]byte("/b")); return Continue }))
	if got := c.Get("/p?q=2"); got.Text != "/b?token=1" {
		t.Errorf("got %q", got.Text)
	}
}

// TestFilterAddOverH2: a name that HTTP/2 has no place for costs the request and not its stream.
func TestFilterAddOverH2(t *testing.T) {
	// A connection field over HTTP/2 is an error of the stream for the client (RFC 9113 section 8.2.2).
	g, _ := filtered(t, nil, onResponse(func(x *Exchange, r *Response) Verdict {
		r.Set("Connection", "close")
		r.Set("X-A b", "c")
		return Continue
	}))
	resp, err := servertest.HTTP2Client(t).Get("http://" + g.addr + "/")
	if err != nil {
		t.Errorf("%v", err)
		return
	}
	resp.Body.Close()
	if resp.Header["Connection"] != nil {
		t.Errorf("got %v", resp.Header)
	}
}

// TestFilterRequestFieldSeesDropped: RequestField sees fields that go upstream, and no claim of a client that is not
// trusted.
func TestFilterRequestFieldSeesDropped(t *testing.T) {
	g := newGateway(t, func(c *config.Config) { c.Threads = 1 }, Options{Filters: []Filter{ // no proxy is trusted
		onRequest(func(x *Exchange) Verdict {
			x.DropRequestField("X-User")
			x.AddRequestField("X-Added", "1")
			return Continue
		}),
		onRequest(func(x *Exchange) Verdict {
			return x.Respond(200, nil, fmt.Appendf(nil, "user %q, ip %q, verified %q, added %q", x.RequestField("X-User"), x.RequestField("X-Real-IP"), x.RequestField("ssl-client-verify"), x.RequestField("X-Added")))
		}),
	}})
	g.serve(nil, "127.0.0.1:1")
	c := g.wire()
	c.Send("GET / HTTP/1.1\r\nHost: a\r\nX-User: admin\r\nX-Real-IP: 6.6.6.6\r\nssl-client-verify: SUCCESS\r\n\r\n")
	if got := c.ReadAnswer("GET"); got.Text != `user "", ip "127.0.0.1", verified "", added "1"` {
		t.Errorf("a filter reads %s; nothing that the client says of itself goes upstream", got.Text)
	}
}

// TestFilterRespondWithRequestBytes: the arguments of Respond may be parts of the request.
func TestFilterRespondWithRequestBytes(t *testing.T) {
	_, c := filtered(t, nil, onResponse(func(x *Exchange, r *Response) Verdict {
		r.Set("X-L", string(r.Field("X-E")))
		return Continue
	}),
		onRequest(func(x *Exchange) Verdict {
			return x.Respond(200, append(append([]byte("X-E: "), x.Path()...), "\r\n"...), x.RequestField("X-Body"))
		}))
	for i := range 3 {
		c.Send("GET /%s HTTP/1.1\r\nHost: a\r\nX-Body: b%d\r\n\r\n", strings.Repeat("x", 3-i), i)
		if got := c.ReadAnswer("GET"); got.Text != fmt.Sprint("b", i) || got.Header.Get("X-L") != "/"+strings.Repeat("x", 3-i) {
			t.Errorf("got %q %v", got.Text, got.Header)
		}
	}
}

type lockedWriter struct {
	mu *sync.Mutex
	w  io.Writer
}

func (l lockedWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}

// TestFilterFaultIsItsOwn: a Filter further outside sees the 500 that another's fault ends in, as it sees every answer; it is
// not taken for the one that erred, and what it adds goes out.
func TestFilterFaultIsItsOwn(t *testing.T) {
	t.Parallel()
	park := func(next func(*Exchange) Verdict) func(*Exchange) Verdict {
		return func(x *Exchange) Verdict {
			return x.Park(func(context.Context) func(*Exchange) Verdict { return next })
		}
	}
	bad := func(x *Exchange) Verdict { x.AddResponseField("X-Bad", "a\x01b"); return Continue }
	for name, row := range map[string]struct {
		filter Filter
		why    stats.Reason
	}{
		"panic":         {onRequest(func(*Exchange) Verdict { panic("boom") }), stats.Internal},
		"field":         {onRequest(bad), stats.Internal},
		"parked panic":  {onRequest(park(func(*Exchange) Verdict { panic("boom") })), stats.Internal},
		"parked field":  {onRequest(park(bad)), stats.Internal},
		"no call":       {onRequest(func(*Exchange) Verdict { return Park }), stats.Internal},
		"refused":       {onRequest(func(x *Exchange) Verdict { bad(x); return x.Refuse(403, "no") }), stats.Filtered},
		"responded":     {onRequest(park(func(x *Exchange) Verdict { bad(x); return x.Respond(403, nil, nil) })), stats.Filtered},
		"body":          {broken{"request"}, stats.Internal},
		"response body": {broken{"response"}, stats.Internal},
		"response":      {onResponse(func(_ *Exchange, r *Response) Verdict { r.Add("X-Bad", "a\x01b"); return Continue }), stats.Filtered},
	} {
		t.Run(name, func(t *testing.T) {
			outer := onResponse(func(_ *Exchange, r *Response) Verdict { r.Set("X-Why", r.Reason()); return Continue })
			_, c := filtered(t, nil, outer, row.filter)
			c.Send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nok")
			got := c.ReadAnswer("POST")
			if got.StatusCode != 500 || got.Header.Get("X-Why") != row.why.String() || got.Header.Get("X-Bad") != "" {
				t.Errorf("got %d %v, want 500 because of %q", got.StatusCode, got.Header, row.why)
			}
		})
	}
}

// deciding is a Filter that decides about the request in a body phase, where nothing is to be decided.
type deciding struct{ request, response func(x *Exchange) }

func (deciding) Name() string { return "deciding" }

func (d deciding) RequestBody(x *Exchange) Transform {
	if d.request != nil {
		d.request(x)
	}
	return nil
}

func (d deciding) ResponseBody(x *Exchange, _ *Response) Transform {
	if d.response != nil {
		d.response(x)
	}
	return nil
}

// TestBodyPhaseDecides: what is for another phase costs the request that it is about, and no other.
func TestBodyPhaseDecides(t *testing.T) {
	t.Parallel()
	for name, decide := range map[string]func(x *Exchange){
		"parks": func(x *Exchange) {
			x.Park(func(context.Context) func(*Exchange) Verdict {
				return func(*Exchange) Verdict { return Continue }
			})
		},
		"responds": func(x *Exchange) { x.Respond(403, nil, nil) },
		"refuses":  func(x *Exchange) { x.Refuse(403, "no") },
	} {
		for phase, f := range map[string]deciding{"request": {request: decide}, "response": {response: decide}} {
			t.Run(name+" in the "+phase, func(t *testing.T) {
				outer := onResponse(func(_ *Exchange, r *Response) Verdict { r.Set("X-Why", r.Reason()); return Continue })
				g, c := filtered(t, nil, outer, f)
				for range 2 {
					c.Send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody")
					if got := c.ReadAnswer("POST"); got.StatusCode != 500 || got.Header.Get("X-Why") != stats.Internal.String() {
						t.Errorf("got %d %v", got.StatusCode, got.Header)
					}
					c = g.wire()
				}
				g.settle()
				if n := g.openExchanges(); n != 0 {
					t.Errorf("%d Exchanges are open", n)
				}
			})
		}
	}
}
