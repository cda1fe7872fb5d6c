package filter

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/sluice-gateway/sluice/routing"
	"github.com/sluice-gateway/sluice/routing/policy"
)

// errorPages replaces the statuses by what the Backend of index 1 answers.
func errorPages(statuses ...int) *policy.Errors {
	return &policy.Errors{Statuses: statuses, By: policy.BackendRef{Index: 1, Name: "default/other1:80"}}
}

// fallback has the same Backend asked where there is no Endpoint.
var fallback = &policy.Fallback{By: policy.BackendRef{Index: 1, Name: "default/other1:80"}}

// newErrors is a gateway in front of app, and of the backend pages for errors, which is nil for one without an Endpoint.
func newErrors(t *testing.T, p *policy.Policy, app, pages http.HandlerFunc) *gateway {
	t.Helper()
	return newGatewayOf(t, p, app, func(b *routing.Builder, of *routing.Source) (*routing.Host, *routing.Route) {
		host, _ := b.BuildHost("", []routing.Route{
			{Path: "/", Type: routing.Prefix, Source: of},
			{Path: "/empty", Type: routing.Prefix, Source: of, Backend: 2},
			{Path: "/missing", Type: routing.Prefix, Source: of, Backend: -1},
		})
		return host, nil
	}, pages, nil)
}

// statusOfPath answers the status that the path names, with a field and a body of its own.
func statusOfPath(w http.ResponseWriter, r *http.Request) {
	status, err := strconv.Atoi(strings.Trim(r.URL.Path, "/"))
	if err != nil {
		status = 200
	}
	w.Header().Set("X-Pod", "pod")
	w.Header().Add("Set-Cookie", "pod=1")
	w.WriteHeader(status)
	if r.Method != "HEAD" && status != 204 && status != 304 {
		fmt.Fprintf(w, "pod %d", status)
	}
}

// describing answers with the status that the field Want names, and with what it was told.
func describing(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	told := []string{r.Method, r.Host, r.RequestURI, string(body)}
	for _, name := range []string{"X-Code", "X-Format", "X-Original-Uri", "X-Namespace", "X-Ingress-Name", "X-Service-Name", "X-Service-Port"} {
		told = append(told, strings.Join(r.Header[name], "+"))
	}
	status := 200
	if want, err := strconv.Atoi(r.Header.Get("Want")); err == nil {
		status = want
	}
	w.Header().Set("X-Page", "page")
	w.Header().Set("X-Id", r.Header.Get("X-Request-Id"))
	w.WriteHeader(status)
	if r.Method != "HEAD" {
		fmt.Fprint(w, strings.Join(told, " "))
	}
}

// TestErrors: what is listed is answered by the other Backend, which is told what happened, and with its status; everything else
// is the Backend's.
func TestErrors(t *testing.T) {
	g := newErrors(t, with(errorPages(404, 500, 503), fallback), statusOfPath, describing)
	for _, row := range []struct {
		method, path string
		fields       []string
		status       int
		body         string
	}{
		{"GET", "/404?a=b", []string{"Accept", "text/html"}, 200, "GET a.test:80 /?a=b  404 text/html /404?a=b default app app 80"},
		{"GET", "/404", nil, 200, "GET a.test:80 /  404  /404 default app app 80"},
		{"GET", "/404", []string{"Want", "404"}, 404, "GET a.test:80 /  404  /404 default app app 80"},
		{"GET", "/500", []string{"Want", "500"}, 500, "GET a.test:80 /  500  /500 default app app 80"},                          // once
		{"GET", "/404", []string{"X-Code", "200", "X-Ingress-Name", "x"}, 200, "GET a.test:80 /  404  /404 default app app 80"}, // nobody else says so
		{"DELETE", "/404", nil, 200, "DELETE a.test:80 /  404  /404 default app app 80"},
		{"HEAD", "/404", nil, 200, ""},
		{"HEAD", "/404", []string{"Want", "404"}, 404, ""},
		{"GET", "/404", []string{"Want", "204"}, 204, ""},
		{"GET", "/404", []string{"Want", "304"}, 304, ""},
		{"GET", "/418", nil, 418, "pod 418"},
		{"GET", "/200", nil, 200, "pod 200"},
		{"GET", "/204", nil, 204, ""},
		{"GET", "/304", nil, 304, ""},
		{"GET", "/empty/x?q", nil, 200, "GET a.test:80 /empty/x?q  503  /empty/x?q default app other2 80"},
		{"GET", "/missing/x?q", nil, 200, "GET a.test:80 /missing/x?q  503  /missing/x?q default app  "},
	} {
		for _, two := range []bool{false, true} {
			for range 2 {
				resp, body := g.over(two, row.method, "a.test:80", row.path, row.fields...)
				replaced := !strings.HasPrefix(row.body, "pod") && row.path != "/200" && row.path != "/204" && row.path != "/304"
				if resp.StatusCode != row.status || body != row.body || replaced != (resp.Header.Get("X-Page") != "") || replaced != (resp.Header.Get("Set-Cookie") == "") ||
					replaced != (len(resp.Header.Get("X-Id")) == 32) {
					t.Errorf("%v, HTTP/2 %v: got %d %q %v", row, two, resp.StatusCode, body, resp.Header)
				}
			}
		}
	}
}

// TestErrorsOfTheGateway: its own answers are replaced too, whoever gives them, with the body that came with the head.
func TestErrorsOfTheGateway(t *testing.T) {
	p := with(errorPages(403, 413, 502, 503), &policy.Access{Deny: policy.Disjoint([]netip.Prefix{netip.MustParsePrefix("6.6.6.0/24")})},
		&policy.Rewrite{Target: "/inside"}, &policy.CORS{Origins: []string{"*"}, MaxAge: 1})
	p.Limits.BodyBytes = 10
	p.UpstreamHost = "inside.test"
	g := newErrors(t, p, func(w http.ResponseWriter, r *http.Request) {
		if c, _, err := http.NewResponseController(w).Hijack(); err == nil {
			c.Close()
		}
	}, describing)
	for _, row := range []struct {
		client, body, want string
	}{
		{"6.6.6.6", "", "POST a.test /?q  403  /x?q default app app 80"},
		{"6.6.6.6", "1234567890", "POST a.test /?q 1234567890 403  /x?q default app app 80"},
		{"1.2.3.4", "1234567890", "POST a.test /?q 1234567890 502  /x?q default app app 80"},
		{"1.2.3.4", "12345678901", "POST a.test /?q  413  /x?q default app app 80"},
	} {
		for _, chunked := range []bool{false, true} {
			for range 2 {
				framing := fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(row.body), row.body)
				if chunked {
					framing = "Transfer-Encoding: chunked\r\n\r\n"
					if row.body != "" {
						framing += fmt.Sprintf("%x;ext\r\n%s\r\n", len(row.body), row.body)
					}
					framing += "0\r\n\r\n"
				}
				resp, body := g.askRaw("POST /x?q HTTP/1.1\r\nHost: a.test\r\nX-Forwarded-For: " + row.client + "\r\n" + framing)
				if resp.StatusCode != 200 || body != row.want {
					t.Errorf("%v, chunked %v: got %d %q", row, chunked, resp.StatusCode, body)
				}
			}
		}
	}
}

// askRaw sends a request as it is, and reads the answer.
func (g *gateway) askRaw(request string) (*http.Response, string) {
	g.t.Helper()
	c, err := net.Dial("tcp", strings.TrimPrefix(g.base, "http://"))
	if err != nil {
		g.t.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, request); err != nil {
		g.t.Fatal(err)
	}
	return g.read(bufio.NewReader(c))
}

// read reads one answer.
func (g *gateway) read(from *bufio.Reader) (*http.Response, string) {
	g.t.Helper()
	resp, err := http.ReadResponse(from, nil)
	if err != nil {
		g.t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		g.t.Fatal(err)
	}
	return resp, string(body)
}

// TestErrorsNobodyAnswers: without a Backend, or with one that has no Endpoint, errors are answered 404, as in ingress-nginx;
// what a Backend lacks an Endpoint for stays. One that cannot be reached is 502, and nothing goes round in circles.
func TestErrorsNobodyAnswers(t *testing.T) {
	nobody := &policy.Errors{Statuses: []int{404, 500, 502, 503}}
	hangUp := func(w http.ResponseWriter, r *http.Request) {
		if c, _, err := http.NewResponseController(w).Hijack(); err == nil {
			c.Close()
			return
		}
		panic(http.ErrAbortHandler)
	}
	for _, row := range []struct {
		name   string
		errors *policy.Errors
		pages  http.HandlerFunc
		path   string
		status int
	}{
		{"no Backend", nobody, nil, "/500", 404},
		{"no Backend, a status that is not listed", nobody, nil, "/418", 418},
		{"no Backend, no Endpoint", nobody, nil, "/empty", 404},
		{"no Endpoint of pages", errorPages(500), nil, "/500", 404},
		{"no Endpoint, and nobody for that", errorPages(500), describing, "/empty", 503},
		{"pages that hang up", errorPages(500, 502), hangUp, "/500", 502},
		{"pages that are errors", errorPages(500), func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }, "/500", 500},
		{"an index that is none", &policy.Errors{Statuses: []int{500}, By: policy.BackendRef{Index: 99, Name: "x"}}, nil, "/500", 404},
	} {
		g := newErrors(t, with(row.errors), statusOfPath, row.pages)
		for _, two := range []bool{false, true} {
			for range 2 {
				if resp, body := g.over(two, "GET", "a.test", row.path); resp.StatusCode != row.status || strings.HasPrefix(body, "pod") && row.status != 418 {
					t.Errorf("%s, HTTP/2 %v: got %d %q", row.name, two, resp.StatusCode, body)
				}
			}
		}
	}
}

// TestErrorsOwnOnly: the Backend's errors stay, the gateway's own are replaced.
func TestErrorsOwnOnly(t *testing.T) {
	errors := errorPages(403, 404)
	errors.OwnOnly = true
	g := newErrors(t, with(errors, &policy.Access{Deny: policy.Disjoint([]netip.Prefix{netip.MustParsePrefix("6.6.6.0/24")})}), statusOfPath, describing)
	if resp, body := g.ask("GET", "/404"); resp.StatusCode != 404 || body != "pod 404" {
		t.Errorf("the Backend's: got %d %q", resp.StatusCode, body)
	}
	if resp, body := g.ask("GET", "/404", "X-Forwarded-For", "6.6.6.6"); resp.StatusCode != 200 || !strings.Contains(body, "403") {
		t.Errorf("the gateway's: got %d %q", resp.StatusCode, body)
	}
}

// TestFallback: a Backend without an Endpoint is stood in for, for any request but a gRPC call, with bodies of any size; what the other
// Backend answers may be an error that is replaced.
func TestFallback(t *testing.T) {
	large := strings.Repeat("x", 1<<20)
	pages := func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if r.URL.Path == "/" {
			fmt.Fprint(w, "page ", r.Header.Get("X-Code"))
			return
		}
		w.WriteHeader(map[bool]int{true: 404, false: 200}[r.URL.RawQuery == "404"])
		fmt.Fprint(w, r.Method, " ", r.RequestURI, " ", r.Header.Get("X-Code"), " ", r.Header.Values("X-Service-Name"), " ", len(body), " ", err)
	}
	for _, row := range []struct {
		name, path, want string
		status           int
		pages            http.HandlerFunc
		p                *policy.Policy
	}{
		{"no Endpoint", "/empty/x?q", "PUT /empty/x?q 503 [other2] 1048576 <nil>", 200, pages, with(fallback)},
		{"no Service", "/missing", "PUT /missing 503 [] 1048576 <nil>", 200, pages, with(fallback)},
		{"an Endpoint", "/418", "pod 418", 418, pages, with(fallback)},
		{"a rewrite", "/empty/x?q", "PUT /inside?q 503 [other2] 1048576 <nil>", 200, pages, with(fallback, &policy.Rewrite{Target: "/inside"})},
		{"an error of the other", "/empty?404", "page 404", 200, pages, with(fallback, errorPages(404))},
		{"no Endpoint of either", "/empty", "503 service unavailable: the service of this route has no ready endpoint\n", 503, nil, with(fallback)},
		{"no Endpoint of either, an error page", "/empty", "404 not found: nobody answers for this error\n", 404, nil, with(fallback, errorPages(503))},
	} {
		g := newErrors(t, row.p, statusOfPath, row.pages)
		for _, two := range []bool{false, true} {
			by := &http.Transport{Protocols: new(http.Protocols)}
			by.Protocols.SetHTTP1(!two)
			by.Protocols.SetUnencryptedHTTP2(two)
			req, err := http.NewRequest("PUT", g.base+row.path, strings.NewReader(large))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("X-Code", "200")
			resp, err := by.RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			body, _ := io.ReadAll(resp.Body)
			resp.Body.Close()
			by.CloseIdleConnections()
			if resp.StatusCode != row.status || string(body) != row.want {
				t.Errorf("%s, HTTP/2 %v: got %d %q", row.name, two, resp.StatusCode, body)
			}
		}
	}
}

// TestErrorsLeaveGRPC: a call is answered in its own form, and by nobody else.
func TestErrorsLeaveGRPC(t *testing.T) {
	var pages atomic.Int32
	g := newErrors(t, with(errorPages(404, 503), fallback), statusOfPath, func(http.ResponseWriter, *http.Request) { pages.Add(1) })
	for _, path := range []string{"/404", "/empty", "/missing"} {
		resp, _ := g.over(true, "POST", "a.test", path, "Content-Type", "application/grpc", "TE", "trailers")
		if path != "/404" && (resp.StatusCode != 200 || resp.Header.Get("Grpc-Status") == "") || path == "/404" && resp.StatusCode != 404 {
			t.Errorf("%s: got %d %v", path, resp.StatusCode, resp.Header)
		}
	}
	if pages.Load() != 0 {
		t.Error("calls were answered by an error page")
	}
}

// TestErrorsLeaveConnections: the connection of the client goes on behind an error page, where its request was read whole, and so
// does the Backend's, where its error was. A body that nobody reads delays nothing.
func TestErrorsLeaveConnections(t *testing.T) {
	var from []string
	large := strings.Repeat("x", 1<<20)
	g := newErrors(t, with(errorPages(404)), func(w http.ResponseWriter, r *http.Request) {
		from = append(from, r.RemoteAddr)
		w.WriteHeader(404)
		if r.URL.Path == "/large" {
			io.WriteString(w, large)
		} else {
			io.WriteString(w, "small")
		}
	}, describing)
	c, err := net.Dial("tcp", strings.TrimPrefix(g.base, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	answers := bufio.NewReader(c)
	for _, path := range []string{"/a", "/b", "/large", "/c", "/d"} {
		fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: a.test\r\n\r\n", path)
		if resp, body := g.read(answers); resp.StatusCode != 200 || resp.Close || !strings.Contains(body, " 404  "+path+" ") {
			t.Fatalf("%s: got %d %q, close %v", path, resp.StatusCode, body, resp.Close)
		}
	}
	if len(from) != 5 || from[0] != from[1] || from[1] != from[2] || from[2] == from[3] || from[3] != from[4] {
		t.Errorf("the Backend was asked from %q", from)
	}
	// The Backend answers while the client still sends.
	fmt.Fprintf(c, "POST /e HTTP/1.1\r\nHost: a.test\r\nContent-Length: %d\r\n\r\n%s", len(large), large[:1000])
	resp, body := g.read(answers)
	if resp.StatusCode != 200 || !resp.Close || !strings.HasPrefix(body, "POST a.test /  404") {
		t.Errorf("while sending: got %d %q, close %v", resp.StatusCode, body, resp.Close)
	}
}

// TestErrorsPipelined: answers stay in order where a client does not wait for them.
func TestErrorsPipelined(t *testing.T) {
	g := newErrors(t, with(errorPages(404, 403), &policy.Access{Deny: policy.Disjoint([]netip.Prefix{netip.MustParsePrefix("6.6.6.0/24")})}), statusOfPath, describing)
	c, err := net.Dial("tcp", strings.TrimPrefix(g.base, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var requests, got, want strings.Builder
	for i := range 40 {
		status, client := []int{200, 404, 418, 404}[i%4], "1.1.1.1"
		if i%3 == 0 {
			client = "6.6.6.6"
		}
		fmt.Fprintf(&requests, "POST /%d?%d HTTP/1.1\r\nHost: a.test\r\nX-Forwarded-For: %s\r\nContent-Length: 2\r\n\r\n%02d", status, i, client, i)
		switch {
		case client == "6.6.6.6":
			fmt.Fprintf(&want, "200 POST a.test /?%d %02d 403  /%d?%d default app app 80\n", i, i, status, i)
		case status == 404:
			fmt.Fprintf(&want, "200 POST a.test /?%d %02d 404  /404?%d default app app 80\n", i, i, i)
		default:
			fmt.Fprintf(&want, "%d pod %d\n", status, status)
		}
	}
	if _, err := io.WriteString(c, requests.String()); err != nil {
		t.Fatal(err)
	}
	answers := bufio.NewReader(c)
	for range 40 {
		resp, body := g.read(answers)
		fmt.Fprintf(&got, "%d %s\n", resp.StatusCode, body)
	}
	if got.String() != want.String() {
		t.Errorf("got\n%s\nwant\n%s", got.String(), want.String())
	}
}

// TestErrorsOfManyStreams: error pages of streams of one connection do not mix.
func TestErrorsOfManyStreams(t *testing.T) {
	g := newErrors(t, with(errorPages(404)), statusOfPath, describing)
	ask := g.overHTTP2()
	done := make(chan string)
	for i := range 50 {
		go func() {
			_, body := ask("GET", "/404?"+strconv.Itoa(i))
			done <- body
		}()
	}
	var got, want []string
	for i := range 50 {
		got = append(got, <-done)
		want = append(want, fmt.Sprintf("GET %s /?%d  404  /404?%d default app app 80", strings.TrimPrefix(g.base, "http://"), i, i))
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}

// TestErrorsBesides: what else can be under way when an error page takes over.
func TestErrorsBesides(t *testing.T) {
	p := with(errorPages(403, 404, 502, 504), &policy.Rewrite{Target: "/inside"})
	p.Limits.Read = 1e6
	release := make(chan struct{})
	g := newErrors(t, p, func(w http.ResponseWriter, r *http.Request) {
		switch r.Header.Get("Do") {
		case "hang":
			<-release
		case "early":
			w.WriteHeader(404) // and reads nothing
		case "hints":
			w.Header().Set("Link", "</a>")
			w.WriteHeader(103)
			w.WriteHeader(404)
		default:
			w.WriteHeader(403)
		}
	}, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") != "" || r.Header.Get("Expect") != "" {
			t.Errorf("the error page was asked with %v", r.Header)
		}
		fmt.Fprint(w, r.Method, " ", r.RequestURI, " ", r.Header.Get("X-Code"), " ", r.ContentLength)
	})
	defer close(release)
	for _, row := range []struct{ name, request, want string }{
		{"a Backend that does not answer", "GET /x HTTP/1.1\r\nHost: a.test\r\nDo: hang\r\n\r\n", "GET / 504 0"},
		{"a WebSocket that is refused", "GET /x?q HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", "GET /?q 403 0"},
		{"a body that waits to be asked for", "POST /x HTTP/1.1\r\nHost: a.test\r\nExpect: 100-continue\r\nContent-Length: 5\r\nDo: early\r\n\r\n", "POST / 404 0"},
		{"early hints", "GET /x HTTP/1.1\r\nHost: a.test\r\nDo: hints\r\n\r\n", "GET / 404 0"},
		{"an old client", "GET /x HTTP/1.0\r\nHost: a.test\r\n\r\n", "GET / 403 0"},
		{"an old client that names no host", "GET /x HTTP/1.0\r\n\r\n", "GET / 403 0"},
		{"an absolute target without a path", "GET http://a.test?q HTTP/1.1\r\nHost: a.test\r\n\r\n", "GET /?q 403 0"},
	} {
		c, err := net.Dial("tcp", strings.TrimPrefix(g.base, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(c, row.request); err != nil {
			t.Fatal(err)
		}
		answers := bufio.NewReader(c)
		resp, body := g.read(answers)
		for resp.StatusCode < 200 {
			resp, body = g.read(answers)
		}
		if c.Close(); resp.StatusCode != 200 || body != row.want {
			t.Errorf("%s: got %d %q, want %q", row.name, resp.StatusCode, body, row.want)
		}
	}
	// Over HTTP/2 a body comes behind its head, so that an error page goes without.
	by := &http.Transport{Protocols: new(http.Protocols)}
	by.Protocols.SetUnencryptedHTTP2(true)
	defer by.CloseIdleConnections()
	for _, do := range []string{"early", "hang"} {
		for range 3 {
			req, err := http.NewRequest("PUT", g.base+"/x", strings.NewReader(strings.Repeat("x", 1<<20)))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Do", do)
			resp, err := by.RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(resp.Body)
			if resp.Body.Close(); err != nil || resp.StatusCode != 200 || !strings.HasPrefix(string(body), "PUT / ") {
				t.Errorf("%s: got %d %q, %v", do, resp.StatusCode, body, err)
			}
		}
	}
}

// TestErrorsOfLostClients: clients that leave while an error page takes over cost nothing but their own requests.
func TestErrorsOfLostClients(t *testing.T) {
	g := newErrors(t, with(errorPages(404)), statusOfPath, describing)
	for range 100 {
		c, err := net.Dial("tcp", strings.TrimPrefix(g.base, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprint(c, "GET /404 HTTP/1.1\r\nHost: a.test\r\n\r\n")
		c.Close()
	}
	for range 10 {
		if resp, body := g.over(false, "GET", "a.test", "/404"); resp.StatusCode != 200 || body != "GET a.test /  404  /404 default app app 80" {
			t.Errorf("got %d %q", resp.StatusCode, body)
		}
	}
}
