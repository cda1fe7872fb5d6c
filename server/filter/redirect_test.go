package filter

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/routing/policy"
)

// neverAsked is a Backend that no request may reach.
func neverAsked(t *testing.T) http.HandlerFunc {
	return func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("the Backend was asked for %s %s", r.Method, r.RequestURI)
	}
}

// TestRedirect: where each form of a redirect leads to, and with which status.
func TestRedirect(t *testing.T) {
	for _, row := range []struct {
		what     policy.Redirect
		host     string
		asked    string
		location string // "" for none
		body     string
	}{
		{policy.Redirect{Code: 301, To: "https://new.test"}, "old.test", "/a?b=c", "https://new.test", ""},
		{policy.Redirect{Code: 308, To: "https://new.test/x?y"}, "old.test", "/", "https://new.test/x?y", ""},
		{policy.Redirect{Code: 303, To: "/moved"}, "old.test:8080", "/a", "http://old.test/moved", ""},
		{policy.Redirect{Code: 302, To: "/moved", Relative: true}, "old.test", "/a", "/moved", ""},
		{policy.Redirect{Code: 302, To: "/app", Port: true}, "OLD.test:8080", "/?q", "http://OLD.test:8080/app", ""},
		{policy.Redirect{Code: 302, To: "/app", Port: true}, "[::1]:8080", "/", "http://[::1]:8080/app", ""},
		{policy.Redirect{Code: 302, To: "//evil.test", Port: true}, "old.test", "/", "http://old.test//evil.test", ""},
		{policy.Redirect{Code: 308, Host: "www.old.test"}, "old.test:1", "/a?b=c", "http://www.old.test:PORT/a?b=c", ""},
		{policy.Redirect{Code: 308, Host: "www.old.test"}, "old.test", "/", "http://www.old.test:PORT", ""},
		{policy.Redirect{Code: 308, Host: "www.old.test"}, "old.test", "//evil.test/", "http://www.old.test:PORT//evil.test", ""},
		{policy.Redirect{Code: 300, To: "https://new.test"}, "old.test", "/", "", "https://new.test\n"},
		{policy.Redirect{Code: 304, To: "https://new.test"}, "old.test", "/", "", ""},
		{policy.Redirect{Code: 305, To: "https://new.test"}, "old.test", "/", "", "https://new.test\n"},
	} {
		g := newGateway(t, with(&row.what), neverAsked(t))
		want := strings.Replace(row.location, "PORT", g.base[strings.LastIndexByte(g.base, ':')+1:], 1)
		for _, method := range []string{"GET", "HEAD", "POST", "OPTIONS"} {
			for _, two := range []bool{false, true} {
				resp, body := g.over(two, method, row.host, row.asked)
				wantBody := row.body
				if method == "HEAD" {
					wantBody = ""
				}
				if resp.StatusCode != row.what.Code || resp.Header.Get("Location") != want || body != wantBody {
					t.Errorf("%v, %s: got %d to %q, body %q", row, method, resp.StatusCode, resp.Header.Get("Location"), body)
				}
			}
		}
	}
}

// askHost is ask with a Host.
func (g *gateway) askHost(method, host, path string, fields ...string) (*http.Response, string) {
	g.t.Helper()
	return g.over(false, method, host, path, fields...)
}

// over asks over HTTP/2 in the clear, or over HTTP/1.1, with any Host.
func (g *gateway) over(two bool, method, host, path string, fields ...string) (*http.Response, string) {
	g.t.Helper()
	by := &http.Transport{Protocols: new(http.Protocols), DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, strings.TrimPrefix(g.base, "http://"))
	}}
	defer by.CloseIdleConnections()
	by.Protocols.SetHTTP1(!two)
	by.Protocols.SetUnencryptedHTTP2(two)
	return g.askAt(by, "http://"+host, method, path, fields...)
}

// TestHTTPS: plain HTTP is sent to HTTPS, over both versions of HTTP; a trusted proxy says what the client speaks, and nobody makes
// the Location lead elsewhere.
func TestHTTPS(t *testing.T) {
	served := func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "served") }
	g := newGateway(t, with(&policy.HTTPS{Code: 308}), served)
	for _, row := range []struct {
		host, asked string
		fields      []string
		location    string // "" where the Backend answers
	}{
		{"a.test", "/x/y?z=1", nil, "https://a.test/x/y?z=1"},
		{"a.test", "/", nil, "https://a.test"},
		{"a.test", "/x/", nil, "https://a.test/x"},
		{"a.test", "/x?next=/", nil, "https://a.test/x?next="},
		{"A.test:8080", "/x", nil, "https://A.test/x"},
		{"[::1]:8080", "/x", nil, "https://[::1]/x"},
		{"a.test", "//evil.test/%2e%2e", nil, "https://a.test//evil.test/%2e%2e"},
		{"a.test", "/x", []string{"X-Forwarded-Proto", "https"}, ""},
		{"a.test", "/x", []string{"X-Forwarded-Proto", "wss"}, ""},
		{"a.test", "/x", []string{"X-Forwarded-Proto", "http"}, "https://a.test/x"},
		{"a.test", "/x", []string{"X-Forwarded-Proto", "HTTP, https"}, "https://a.test/x"},
		{"a.test", "/x", []string{"X-Forwarded-Host", "front.test"}, "https://front.test/x"},
		{"a.test", "/x", []string{"X-Forwarded-Host", "one.test:8443, two.test"}, "https://one.test/x"},
		{"a.test", "/x", []string{"X-Forwarded-Host", "evil.test/path"}, "https://a.test/x"},
		{"a.test", "/x", []string{"X-Forwarded-Host", "user@evil.test"}, "https://a.test/x"},
		{"a.test", "/x", []string{"X-Forwarded-Host", `evil.test\@a.test`}, "https://a.test/x"},
		{"a.test", "/x", []string{"X-Forwarded-Host", ""}, "https://a.test/x"},
	} {
		for _, two := range []bool{false, true} {
			resp, body := g.over(two, "GET", row.host, row.asked, row.fields...)
			want, status := "", 308
			if row.location == "" {
				want, status = "served", 200
			}
			if resp.StatusCode != status || resp.Header.Get("Location") != row.location || body != want {
				t.Errorf("%v, HTTP/2 %v: got %d to %q, body %q", row, two, resp.StatusCode, resp.Header.Get("Location"), body)
			}
		}
	}
	keeps := newGateway(t, with(&policy.HTTPS{Code: 301, KeepSlash: true}), served)
	if resp, _ := keeps.askHost("GET", "a.test", "/x/"); resp.StatusCode != 301 || resp.Header.Get("Location") != "https://a.test/x/" {
		t.Errorf("a slash that is to be kept: got %d to %q", resp.StatusCode, resp.Header.Get("Location"))
	}
}

// raw sends text on a connection of its own, and returns what comes back until the gateway closes it.
func (g *gateway) raw(text string) string {
	g.t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(g.base, "http://"))
	if err != nil {
		g.t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, text); err != nil {
		g.t.Fatal(err)
	}
	got, err := io.ReadAll(bufio.NewReader(conn))
	if err != nil {
		g.t.Fatal(err)
	}
	return string(got)
}

// TestOldRedirects: what old and odd clients get: no Host, an absolute target, and one without a path.
func TestOldRedirects(t *testing.T) {
	https := newGateway(t, with(&policy.HTTPS{Code: 308}), neverAsked(t))
	root := newGateway(t, with(&policy.Redirect{Code: 302, To: "/app", Port: true}), neverAsked(t))
	for _, row := range []struct {
		g          *gateway
		sent, want string // the latter is a part of what comes back
	}{
		{https, "GET /x HTTP/1.0\r\n\r\n", " 400 "},
		{https, "GET /x HTTP/1.0\r\nHost: a.test\r\n\r\n", "Location: https://a.test/x\r\n"},
		{https, "GET http://a.test?q HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n", "Location: https://a.test?q\r\n"},
		{https, "GET http://a.test HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n", "Location: https://a.test\r\n"},
		{https, "GET http://a.test/x?y HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n", "Location: https://a.test/x?y\r\n"},
		{root, "GET / HTTP/1.0\r\n\r\n", "Location: /app\r\n"},
		{https, "GET /x HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade, close\r\nUpgrade: websocket\r\n\r\n", "Location: https://a.test/x\r\n"},
	} {
		if got := row.g.raw(row.sent); !strings.Contains(got, row.want) {
			t.Errorf("%q: got %q, want %q in it", row.sent, got, row.want)
		}
	}
}

// TestRedirectsTogether: pages of other origins are told that they may follow, a redirect to elsewhere comes before that to HTTPS, and
// that comes before the address list.
func TestRedirectsTogether(t *testing.T) {
	cors := &policy.CORS{Origins: []string{"https://a.example"}, Methods: "GET", MaxAge: 60}
	deny := &policy.Access{Deny: policy.Disjoint([]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")})}
	both := newGateway(t, with(&policy.Redirect{Code: 301, To: "https://new.test"}, &policy.HTTPS{Code: 308}, cors, deny), neverAsked(t))
	https := newGateway(t, with(&policy.HTTPS{Code: 308}, cors, deny, &policy.Rewrite{Target: "/inside"}), neverAsked(t))
	for _, row := range []struct {
		g              *gateway
		method, scheme string
		status         int
		location       string
	}{
		{both, "GET", "http", 301, "https://new.test"},
		{both, "GET", "https", 301, "https://new.test"},
		{both, "OPTIONS", "http", 204, ""},
		{https, "GET", "http", 308, "https://a.test/x"},
		{https, "GET", "https", 403, ""},
		{https, "OPTIONS", "http", 204, ""},
	} {
		resp, _ := row.g.askHost(row.method, "a.test", "/x", "X-Forwarded-Proto", row.scheme, "Origin", "https://a.example")
		if resp.StatusCode != row.status || resp.Header.Get("Location") != row.location || resp.Header.Get("Access-Control-Allow-Origin") != "https://a.example" {
			t.Errorf("%s over %s: got %d to %q, %v", row.method, row.scheme, resp.StatusCode, resp.Header.Get("Location"), resp.Header)
		}
	}
}

// TestRedirectAsksNobody: who is redirected is asked neither for an address nor for a password, and no authority about him.
func TestRedirectAsksNobody(t *testing.T) {
	guards := []policy.Filter{
		&policy.Access{Allow: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}}, &policy.BasicAuth{Users: staff()},
		&policy.External{URL: "http://127.0.0.1:1/", Method: "GET", SignInParam: "rd"},
	}
	for _, f := range []policy.Filter{
		&policy.Redirect{Code: 301, To: "https://new.test"}, &policy.HTTPS{Code: 301}, &policy.Slash{},
		&policy.Rewrite{Target: "https://new.test"},
	} {
		g := newGateway(t, with(append(guards, f)...), neverAsked(t))
		for _, two := range []bool{false, true} {
			if resp, _ := g.over(two, "GET", "a.test", "/x"); resp.StatusCode != 301 && resp.StatusCode != 302 {
				t.Errorf("%s, HTTP/2 %v: got %d", f.Kind(), two, resp.StatusCode)
			}
		}
	}
}
