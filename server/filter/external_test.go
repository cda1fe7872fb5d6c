package filter

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/sluice-gateway/sluice/routing/policy"
)

// authorised is a gateway that asks an authority about each request.
func authorised(t *testing.T, e policy.External, authority, app http.HandlerFunc) *gateway {
	t.Helper()
	a := httptest.NewServer(authority)
	t.Cleanup(a.Close)
	e.URL = a.URL + e.URL
	if e.Method == "" {
		e.Method = "GET"
	}
	if e.SignInParam == "" {
		e.SignInParam = "rd"
	}
	if e.CacheFor == "" {
		e.CacheFor = "200 202 401 5m"
	}
	return newGateway(t, with(&e), app)
}

func backend(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/missing" {
		w.WriteHeader(404)
	}
	fmt.Fprintf(w, "Backend %q %q", r.Header["X-User"], r.Header["Authorization"])
}

// TestExternalStatus: what the authority answers, and what of it comes to the client.
func TestExternalStatus(t *testing.T) {
	g := authorised(t, policy.External{}, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("WWW-Authenticate", "Bearer")
		w.Header().Set("Location", "http://elsewhere.test/")
		w.Header().Set("Set-Cookie", "a=b")
		var status int
		fmt.Sscan(r.Header.Get("X-Status"), &status)
		switch status {
		case 0:
			panic(http.ErrAbortHandler)
		case 1:
			w.Header().Set("X-Large", strings.Repeat("x", 100_000))
			status = 200
		}
		w.WriteHeader(status)
		fmt.Fprint(w, "of the authority")
	}, backend)
	overHTTP2 := g.overHTTP2()
	for status, want := range map[int]int{0: 500, 1: 500, 200: 200, 202: 200, 204: 200, 301: 500, 302: 500, 400: 500, 401: 401, 403: 403, 404: 500, 429: 500, 500: 500, 503: 500} {
		for _, method := range []string{"GET", "HEAD", "POST"} {
			for _, ask := range []func(string, string, ...string) (*http.Response, string){g.ask, overHTTP2} {
				resp, body := ask(method, "/", "X-Status", fmt.Sprint(status))
				if resp.StatusCode != want || strings.Contains(body, "Backend") != (want == 200 && method != "HEAD") || strings.Contains(body, "of the authority") {
					t.Errorf("%d, %s: got %d %q", status, method, resp.StatusCode, body)
				}
				if (resp.Header.Get("WWW-Authenticate") != "") != (want == 401) || resp.Header.Get("Location") != "" || (resp.Header.Get("Set-Cookie") != "") != (want == 200) {
					t.Errorf("%d, %s: got %v", status, method, resp.Header)
				}
			}
		}
	}
	if resp, _ := g.ask("GET", "/.well-known/acme-challenge/x", "X-Status", "401"); resp.StatusCode != 200 {
		t.Errorf("a challenge is answered %d", resp.StatusCode)
	}
	if resp, body := g.ask("POST", "/", "Content-Type", "application/grpc", "X-Status", "403"); resp.StatusCode != 200 || resp.Header.Get("Grpc-Status") != "7" || body != "" {
		t.Errorf("a gRPC client is answered %d %v %q", resp.StatusCode, resp.Header, body)
	}
}

// TestExternalFields: a client can say nothing in the name of the authority, nor to it in the gateway's.
func TestExternalFields(t *testing.T) {
	var asked http.Header
	var host, uri string
	g := authorised(t, policy.External{URL: "/check?u=$escaped_request_uri&c=$cookie_b", Fields: []string{"X-User", "Authorization"}}, func(w http.ResponseWriter, r *http.Request) {
		asked, host, uri = r.Header.Clone(), r.Host, r.RequestURI
		if r.Header.Get("X-Known") != "" {
			w.Header().Add("X-User", "alice")
			w.Header().Add("X-User", "staff")
		}
	}, backend)
	_, body := g.ask("GET", "/a?b=c", "X-User", "spoof", "Authorization", "spoof", "X-Original-URL", "spoof", "X-Original-Method", "spoof", "X-Sent-From", "spoof",
		"X-Forwarded-Proto", "spoof", "X-Forwarded-For", "9.9.9.9", "Cookie", "a=1; b=2", "X-Auth-Request-Redirect", "spoof", "Connection", "X-Hop", "X-Hop", "1")
	if body != "Backend [] []" {
		t.Errorf("the Backend was told %q", body)
	}
	for name, want := range map[string]string{
		"X-Original-Url": g.base + "/a?b=c", "X-Original-Method": "GET", "X-Sent-From": "nginx-ingress-controller", "X-Real-Ip": "9.9.9.9", "X-Forwarded-For": "9.9.9.9",
		"X-Auth-Request-Redirect": "/a?b=c", "X-Forwarded-Proto": "", "X-User": "spoof", "Authorization": "spoof", "Cookie": "a=1; b=2", "X-Hop": "", "X-Scheme": "",
	} {
		if got := strings.Join(asked[name], "|"); got != want {
			t.Errorf("the authority was told %s: %q, want %q", name, got, want)
		}
	}
	if uri != "/check?u=%2Fa%3Fb%3Dc&c=2" || host != "127.0.0.1" {
		t.Errorf("it was asked for %q of %q", uri, host)
	}
	if _, body := g.ask("GET", "/", "X-User", "spoof", "X-Known", "1"); body != `Backend ["alice, staff"] []` {
		t.Errorf("the Backend was told %q", body)
	}
}

func TestExternalCookies(t *testing.T) {
	cookies := func(w http.ResponseWriter, r *http.Request) {
		w.Header()["Set-Cookie"] = []string{"a=1", "b=2"}
		if r.Header.Get("X-No") != "" {
			w.WriteHeader(401)
		}
	}
	for _, row := range []struct {
		e    policy.External
		path string
		no   string
		want int
	}{
		{policy.External{}, "/", "", 2},
		{policy.External{}, "/missing", "", 0},
		{policy.External{}, "/", "1", 0},
		{policy.External{AlwaysSetCookie: true}, "/missing", "", 2},
		{policy.External{AlwaysSetCookie: true}, "/", "1", 2},
		{policy.External{SignIn: "https://login.test"}, "/", "1", 2},
	} {
		g := authorised(t, row.e, cookies, backend)
		if resp, _ := g.ask("GET", row.path, "X-No", row.no); len(resp.Header["Set-Cookie"]) != row.want {
			t.Errorf("%+v: %v", row, resp.Header)
		}
	}
}

func TestExternalSignIn(t *testing.T) {
	for signIn, want := range map[string]string{
		"https://login.test/start": "https://login.test/start?rd=BASE%2Fa%3Fb%3Dc%26d",
		"https://login.test?x=1":   "https://login.test?x=1&rd=BASE%2Fa%3Fb%3Dc%26d",
		"https://login.test?rd=/":  "https://login.test?rd=/",
		"/login":                   "http://127.0.0.1/login?rd=BASE%2Fa%3Fb%3Dc%26d",
		"https://$host/$args":      "https://127.0.0.1/b=c&d?rd=BASE%2Fa%3Fb%3Dc%26d",
	} {
		g := authorised(t, policy.External{SignIn: signIn}, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(401) }, backend)
		resp, body := g.ask("GET", "/a?b=c&d")
		if got := resp.Header.Get("Location"); resp.StatusCode != 302 || got != strings.Replace(want, "BASE", g.base, 1) || strings.Contains(body, "Backend") {
			t.Errorf("%s: %d %q", signIn, resp.StatusCode, got)
		}
	}
}

// TestExternalIsTold: fields of a ConfigMap are told instead of a client's own, and the Backend is not sent them.
func TestExternalIsTold(t *testing.T) {
	var asked http.Header
	g := authorised(t, policy.External{Tell: []policy.FieldTemplate{{Name: "X-User", Value: "blue"}, {Name: "X-Path", Value: "$request_uri by $http_x_user"}, {Name: "x-none", Value: "$http_none"}}},
		func(_ http.ResponseWriter, r *http.Request) { asked = r.Header.Clone() }, backend)
	_, body := g.ask("GET", "/u?v", "X-User", "red", "X-None", "spoof")
	if !strings.HasPrefix(body, `Backend ["red"]`) || asked.Get("X-User") != "blue" || asked.Get("X-Path") != "/u?v by red" || asked["X-None"] != nil {
		t.Errorf("%q, and the authority was told %v", body, asked)
	}
	if resp, _ := authorised(t, policy.External{Tell: []policy.FieldTemplate{{Name: "Host", Value: "x"}}}, func(http.ResponseWriter, *http.Request) {}, backend).ask("GET", "/"); resp.StatusCode != 503 {
		t.Errorf("a field that frames messages: %d", resp.StatusCode)
	}
}

// TestExternalCache: one client's answer is never another's.
func TestExternalCache(t *testing.T) {
	var asked atomic.Int32
	g := authorised(t, policy.External{CacheKey: "$cookie_session", Fields: []string{"X-User"}}, func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		c, err := r.Cookie("session")
		if err != nil || !strings.HasPrefix(c.Value, "good") {
			w.WriteHeader(401)
			return
		}
		w.Header().Set("X-User", c.Value)
		if strings.Contains(c.Value, "private") {
			w.Header().Set("Cache-Control", "private")
		}
	}, backend)
	overHTTP2 := g.overHTTP2()
	for _, row := range []struct {
		cookie string
		want   int
		asked  int32
	}{
		{"session=good1", 200, 1}, {"session=good1", 200, 0}, {"x=1; session=good1", 200, 0},
		{"session=good2", 200, 1}, {"session=bad", 401, 1}, {"session=bad", 401, 0},
		{"", 401, 1}, {"", 401, 1}, {"session=", 401, 1}, {"session=good-private", 200, 1}, {"session=good-private", 200, 1},
		{"session=good1", 200, 0},
	} {
		asked.Store(0)
		resp, body := g.ask("GET", "/", "Cookie", row.cookie)
		_, user, _ := strings.Cut(row.cookie, "session=")
		if resp.StatusCode != row.want || asked.Load() != row.asked || row.want == 200 && !strings.Contains(body, `"`+user+`"`) {
			t.Errorf("%+v: %d %q, asked %d times", row, resp.StatusCode, body, asked.Load())
		}
	}
	asked.Store(0)
	if resp, body := overHTTP2("GET", "/", "Cookie", "x=1", "Cookie", "session=good3"); resp.StatusCode != 200 || !strings.Contains(body, "good3") || asked.Load() != 1 {
		t.Errorf("cookies of two fields: %d %q", resp.StatusCode, body)
	}
	if resp, _ := overHTTP2("GET", "/", "Cookie", "x=1"); resp.StatusCode != 401 {
		t.Errorf("a client without the cookie is answered %d", resp.StatusCode)
	}
}

// TestExternalIsScreened: a manifest cannot make the gateway ask what it must not.
func TestExternalIsScreened(t *testing.T) {
	loopback := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	for _, row := range []struct {
		refused, allowed []netip.Prefix
		want             int
	}{
		{nil, nil, 200}, {loopback, nil, 500}, {loopback, loopback, 200},
	} {
		g := authorised(t, policy.External{Refused: row.refused, Allowed: row.allowed}, func(http.ResponseWriter, *http.Request) {}, backend)
		if resp, body := g.ask("GET", "/"); resp.StatusCode != row.want || strings.Contains(body, "Backend") != (row.want == 200) {
			t.Errorf("%v: %d %q", row, resp.StatusCode, body)
		}
	}
}

// TestSlowAuthority: a client that leaves is not asked about any longer, and others are served meanwhile.
func TestSlowAuthority(t *testing.T) {
	asked, left := make(chan struct{}), make(chan struct{})
	g := authorised(t, policy.External{}, func(_ http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Slow") != "" {
			close(asked)
			<-r.Context().Done()
			close(left)
		}
	}, backend)
	conn, err := net.Dial("tcp", strings.TrimPrefix(g.base, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: a\r\nX-Slow: 1\r\n\r\n")
	<-asked
	for range 20 {
		if resp, _ := g.ask("GET", "/"); resp.StatusCode != 200 {
			t.Errorf("another client is answered %d", resp.StatusCode)
		}
	}
	_ = conn.(*net.TCPConn).SetLinger(0) // a reset: one that has only ended what it sends may still read
	conn.Close()
	<-left
}

// TestPasswordAndAuthority: both are asked, and either where that is enough; the authority sees what the client sent.
func TestPasswordAndAuthority(t *testing.T) {
	a := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Token") == "" {
			w.WriteHeader(403)
		}
		w.Header().Set("X-User", r.Header.Get("Authorization"))
	}))
	t.Cleanup(a.Close)
	e := &policy.External{URL: a.URL, Method: "GET", SignInParam: "rd", Fields: []string{"X-User"}}
	b := &policy.BasicAuth{Users: staff()}
	both, either := newGateway(t, with(b, e), backend), newGateway(t, with(&policy.AnyOf{Basic: b, External: e}), backend)
	good := basic("bcrypt", "pw")
	for _, row := range []struct {
		token, field string
		both, either []any
	}{
		{"", "", []any{401, false}, []any{401, false}},
		{"1", "", []any{401, false}, []any{200, true}},
		{"", good, []any{403, false}, []any{200, true}},
		{"1", good, []any{200, true}, []any{200, true}},
	} {
		for range 2 {
			for g, want := range map[*gateway][]any{both: row.both, either: row.either} {
				resp, body := g.ask("GET", "/", "X-Token", row.token, "Authorization", row.field, "X-User", "spoof")
				if got := []any{resp.StatusCode, strings.HasPrefix(body, "Backend")}; !slices.Equal(got, want) || strings.Contains(body, "spoof") {
					t.Errorf("%+v: got %v %q", row, got, body)
				}
				if g == both && row.token != "" && row.field != "" && !strings.Contains(body, good) {
					t.Errorf("the authority did not see the password: %q", body)
				}
			}
		}
	}
}
