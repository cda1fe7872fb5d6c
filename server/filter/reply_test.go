package filter

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/sluice-gateway/sluice/routing/policy"
)

// replying answers with the fields of the request whose names begin with Reply-, less that, and with the status of its path.
func replying(w http.ResponseWriter, r *http.Request) {
	for name, values := range r.Header {
		if name, ok := strings.CutPrefix(name, "Reply-"); ok {
			w.Header()[name] = values
		}
	}
	statusOfPath(w, r)
}

// TestLocation: a Backend's Location and Refresh are changed where they begin with what is replaced, and nothing else is.
func TestLocation(t *testing.T) {
	g := newGateway(t, with(
		&policy.Location{From: "http://inner.test/", To: "https://outer.test/x/"},
		&policy.Access{Deny: policy.Disjoint([]netip.Prefix{netip.MustParsePrefix("6.6.6.0/24")})},
	), replying)
	for _, row := range []struct{ name, sent, want string }{
		{"Location", "http://inner.test/a?b=c", "https://outer.test/x/a?b=c"},
		{"Location", "http://inner.test/", "https://outer.test/x/"},
		{"Location", "http://inner.test", "http://inner.test"},
		{"Location", "HTTP://inner.test/a", "HTTP://inner.test/a"},
		{"Location", "/http://inner.test/", "/http://inner.test/"},
		{"Location", "", ""},
		{"Refresh", "5; url=http://inner.test/z", "5; url=https://outer.test/x/z"},
		{"Refresh", "5;URL=http://inner.test/z", "5;URL=https://outer.test/x/z"},
		{"Refresh", "5; url=http://other.test/url=http://inner.test/", "5; url=http://other.test/url=http://inner.test/"},
		{"Refresh", "5", "5"},
		{"Refresh", "url=", "url="},
		{"Content-Location", "http://inner.test/a", "http://inner.test/a"},
	} {
		for _, two := range []bool{false, true} {
			for _, method := range []string{"GET", "HEAD"} {
				resp, _ := g.over(two, method, "a.test", "/302", "Reply-"+row.name, row.sent)
				if got := resp.Header.Values(row.name); resp.StatusCode != 302 || len(got) != 1 || got[0] != row.want {
					t.Errorf("%s %v, HTTP/2 %v: got %d %q", method, row, two, resp.StatusCode, got)
				}
			}
		}
	}
	if resp, _ := g.ask("GET", "/", "X-Forwarded-For", "6.6.6.6"); resp.StatusCode != 403 {
		t.Errorf("the gateway's own answer: %d", resp.StatusCode)
	}
}

// TestCookies: Domain and Path of a Backend's cookies are changed, whatever else they say, and cookies keep their order.
func TestCookies(t *testing.T) {
	g := newGateway(t, with(&policy.Cookies{Domain: policy.Change{From: "inner.test", To: "outer.test"}, Path: policy.Change{From: "/in/", To: "/out/"}}), replying)
	for _, row := range []struct{ sent, want []string }{
		{[]string{"a=1; Path=/in/x; HttpOnly"}, []string{"a=1; Path=/out/x; HttpOnly"}},
		{[]string{"a=1; path = /in/ ;Secure"}, []string{"a=1; path = /out/ ;Secure"}},
		{[]string{"a=1; Path=/in"}, []string{"a=1; Path=/in"}},
		{[]string{"a=1; Path=/IN/"}, []string{"a=1; Path=/IN/"}},
		{[]string{"a=1; Domain=inner.test; Path=/in/"}, []string{"a=1; Domain=outer.test; Path=/out/"}},
		{[]string{"a=1;domain=.INNER.test"}, []string{"a=1;domain=.outer.test"}},
		{[]string{"a=1; Domain=x.inner.test"}, []string{"a=1; Domain=x.inner.test"}},
		{[]string{"a=1; Domain=inner.test.evil.test"}, []string{"a=1; Domain=inner.test.evil.test"}},
		{[]string{"path=/in/; b"}, []string{"path=/in/; b"}},                                 // a cookie called path
		{[]string{"a=1; Path=/in/a; Path=/in/b"}, []string{"a=1; Path=/out/a; Path=/out/b"}}, // the last counts
		{[]string{`a="; Path=/in/x"`}, []string{`a="; Path=/out/x"`}},                        // browsers do not read quotes either
		{[]string{"a=1; Path; Domain", ";;;", "", "=", "; Path=/in/"}, []string{"a=1; Path; Domain", ";;;", "", "=", "; Path=/out/"}},
		{[]string{"a=1", "a=2; Path=/in/", "a=3"}, []string{"a=1", "a=2; Path=/out/", "a=3"}},
		{[]string{"a=1", "b=2"}, []string{"a=1", "b=2"}},
	} {
		for _, two := range []bool{false, true} {
			var fields []string
			for _, cookie := range row.sent {
				fields = append(fields, "Reply-Set-Cookie", cookie)
			}
			resp, _ := g.over(two, "GET", "a.test", "/", fields...)
			got := resp.Header.Values("Set-Cookie")
			if len(got) == 0 || got[len(got)-1] != "pod=1" || !slices.Equal(got[:len(got)-1], row.want) {
				t.Errorf("%q, HTTP/2 %v: got %q", row.sent, two, got)
			}
		}
	}
}

// TestFields: the edits are on every response, the Backend's and the gateway's own, and on an error page.
func TestFields(t *testing.T) {
	p := with(&policy.Fields{
		Remove:  []string{"X-Powered-By", "content-length", "X-Page"},
		Set:     []policy.Field{{Name: "X-Frame-Options", Value: "DENY"}, {Name: "Server", Value: "none"}},
		Add:     []policy.Field{{Name: "Link", Value: "</a>"}, {Name: "Link", Value: "</b>"}},
		Default: []policy.Field{{Name: "Referrer-Policy", Value: "origin"}, {Name: "X-Frame-Options", Value: "SAMEORIGIN"}},
	}, &policy.Access{Deny: policy.Disjoint([]netip.Prefix{netip.MustParsePrefix("6.6.6.0/24")})}, errorPages(500))
	p.Limits.BodyBytes = 10
	g := newErrors(t, p, replying, describing)
	for _, row := range []struct {
		path, client string
		status       int
		referrer     string
	}{
		{"/200", "1.1.1.1", 200, "own"},
		{"/404", "1.1.1.1", 404, "own"},
		{"/304", "1.1.1.1", 304, "own"},
		{"/200", "6.6.6.6", 403, "origin"},
		{"/500", "1.1.1.1", 200, "origin"},
		{"/missing", "1.1.1.1", 503, "origin"},
	} {
		for _, two := range []bool{false, true} {
			for _, method := range []string{"GET", "HEAD"} {
				resp, _ := g.over(two, method, "a.test", row.path, "X-Forwarded-For", row.client, "Reply-X-Powered-By", "x", "Reply-x-frame-options", "ALLOW", "Reply-Link", "</c>", "Reply-Referrer-Policy", "own")
				links := resp.Header.Values("Link")
				slices.Sort(links)
				if resp.StatusCode != row.status || resp.Header.Get("X-Powered-By") != "" || resp.Header.Get("X-Page") != "" ||
					!slices.Equal(resp.Header.Values("X-Frame-Options"), []string{"DENY"}) || !slices.Equal(resp.Header.Values("Server"), []string{"none"}) ||
					!slices.Equal(resp.Header.Values("Referrer-Policy"), []string{row.referrer}) || strings.Join(links[:2], "") != "</a></b>" {
					t.Errorf("%s %v, HTTP/2 %v: got %d %v", method, row, two, resp.StatusCode, resp.Header)
				}
			}
		}
	}
	resp, _ := g.askRaw("POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 11\r\n\r\n12345678901")
	if resp.StatusCode != 413 || resp.Header.Get("X-Frame-Options") != "DENY" || resp.ContentLength <= 0 {
		t.Errorf("a body that is too large: got %d %v", resp.StatusCode, resp.Header)
	}
}

// TestFieldsThatAreNone: a Policy with what nobody may set closes its Routes, and splits no head.
func TestFieldsThatAreNone(t *testing.T) {
	for _, field := range []policy.Field{
		{Name: "X-A", Value: "a\r\nX-B: b"}, {Name: "X A", Value: "a"}, {Name: "X-A\r\nX-B", Value: "a"}, {Name: "", Value: "a"},
		{Name: "Content-Length", Value: "1"}, {Name: "transfer-encoding", Value: "x"}, {Name: "Connection", Value: "x"}, {Name: "Upgrade", Value: "x"},
	} {
		for _, fields := range []*policy.Fields{{Set: []policy.Field{field}}, {Add: []policy.Field{field}}, {Default: []policy.Field{field}}} {
			g := newGateway(t, with(fields), replying)
			if resp, _ := g.ask("GET", "/"); resp.StatusCode != 503 || resp.Header.Get("X-B") != "" || resp.Header.Get("X-A") != "" {
				t.Errorf("%q: got %d %v", field, resp.StatusCode, resp.Header)
			}
		}
	}
}

// TestConnection: a Backend is told of its connection, and what it is told holds. WebSockets cannot be opened then.
func TestConnection(t *testing.T) {
	for _, told := range []string{"", policy.ConnectionClose, policy.ConnectionKeep, "x\r\nX-B: b"} {
		var mu sync.Mutex
		seen := make(map[string]int)
		p := with()
		p.Connection = told
		g := newGateway(t, p, func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			defer mu.Unlock()
			seen[r.RemoteAddr]++
			w.Header()["Told"] = r.Header["Connection"]
			w.Header()["Asked"] = r.Header["Upgrade"]
			w.Header()["Split"] = r.Header["X-B"]
		})
		want := map[string]string{policy.ConnectionClose: "close", policy.ConnectionKeep: "keep-alive"}[told]
		for range 3 {
			if resp, _ := g.ask("GET", "/"); strings.Join(resp.Header["Told"], "|") != want || resp.Header.Get("Split") != "" {
				t.Errorf("%q: the Backend was told %q", told, resp.Header["Told"])
			}
		}
		mu.Lock()
		if conns := len(seen); (conns == 3) != (told == policy.ConnectionClose) {
			t.Errorf("%q: %d connections for 3 requests", told, conns)
		}
		mu.Unlock()
		upgrade := want
		if upgrade == "" {
			upgrade = "upgrade"
		}
		resp, _ := g.askRaw("GET / HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n")
		if strings.Join(resp.Header["Told"], "|") != upgrade || resp.Header.Get("Asked") != "x" {
			t.Errorf("%q: with an Upgrade the Backend was told %q", told, resp.Header["Told"])
		}
	}
}
