package h1_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/server/internal/h1"
	"github.com/sluice-gateway/sluice/server/internal/message"
)

// crlf writes heads with one line per line: it turns LF into CR LF.
func crlf(s string) []byte { return []byte(strings.ReplaceAll(s, "\n", "\r\n")) }

func mustParse(t *testing.T, raw []byte) *h1.Request {
	t.Helper()
	var r h1.Request
	if st := h1.ParseRequest(&r, raw, h1.Limits{}); st != h1.Done {
		t.Fatalf("%q: %v", raw, st)
	}
	return &r
}

// describe writes the index of a request in one line: method, form, path, query, authority, then
// what is set.
func describe(r *h1.Request, b []byte) string {
	s := fmt.Sprintf("%v %s path=%s query=%s host=%s port=%s HTTP/1.%d",
		r.Method, [...]string{"origin", "absolute", "authority", "asterisk"}[r.Form],
		r.Path.Of(b), r.Query.Of(b), r.Host.Of(b), r.Port.Of(b), r.Minor)
	if r.ContentLength >= 0 {
		s += fmt.Sprintf(" length=%d", r.ContentLength)
	}
	for _, f := range []struct {
		name string
		set  bool
	}{{"chunked", r.Chunked}, {"body", r.HasBody}, {"keepalive", r.KeepAlive}, {"upgrade", r.Upgrade},
		{"h2c", r.UpgradeH2C}, {"continue", r.ExpectContinue}, {"417", r.ExpectOther}, {"https", r.TLSScheme},
		{"emptypath", r.EmptyPath}, {"trailers", r.TETrailers}} {
		if f.set {
			s += " " + f.name
		}
	}
	return s
}

func TestRequestSpecification(t *testing.T) {
	for _, c := range []struct{ head, want string }{
		// Targets.
		{"GET / HTTP/1.1\nHost: a\n", "GET origin path=/ query= host=a port= HTTP/1.1 keepalive"},
		{"GET /a/b?c=d HTTP/1.1\nHost: a:80\n", "GET origin path=/a/b query=c=d host=a port=80 HTTP/1.1 keepalive"},
		{"GET /a?b?c HTTP/1.1\nHost: a\n", "GET origin path=/a query=b?c host=a port= HTTP/1.1 keepalive"},
		{"GET /a? HTTP/1.1\nHost: a\n", "GET origin path=/a query= host=a port= HTTP/1.1 keepalive"},
		{"GET //b HTTP/1.1\nHost: a\n", "GET origin path=//b query= host=a port= HTTP/1.1 keepalive"},
		{"GET http://b:81/c?d HTTP/1.1\nHost: B:81\n", "GET absolute path=/c query=d host=b port=81 HTTP/1.1 keepalive"},
		{"GET http://b HTTP/1.0\n", "GET absolute path= query= host=b port= HTTP/1.0 emptypath"},
		{"GET http://b?c/d HTTP/1.1\nHost: b\n", "GET absolute path= query=c/d host=b port= HTTP/1.1 keepalive emptypath"},
		{"GET HTTPS://b/ HTTP/1.1\nHost: b:443\n", "GET absolute path=/ query= host=b port= HTTP/1.1 keepalive https"},
		{"OPTIONS * HTTP/1.1\nHost: a\n", "OPTIONS asterisk path=* query= host=a port= HTTP/1.1 keepalive"},
		{"CONNECT b:443 HTTP/1.1\nHost: b:443\n", "CONNECT authority path= query= host=b port=443 HTTP/1.1 keepalive"},
		{"GET / HTTP/1.1\nHost: [::1]:8080\n", "GET origin path=/ query= host=[::1] port=8080 HTTP/1.1 keepalive"},
		{"GET / HTTP/1.0\n", "GET origin path=/ query= host= port= HTTP/1.0"},

		// Methods.
		{"POST / HTTP/1.1\nHost: a\n", "POST origin path=/ query= host=a port= HTTP/1.1 keepalive"},
		{"DELETE / HTTP/1.1\nHost: a\n", "DELETE origin path=/ query= host=a port= HTTP/1.1 keepalive"},
		{"TRACE / HTTP/1.1\nHost: a\n", "TRACE origin path=/ query= host=a port= HTTP/1.1 keepalive"},
		{"get / HTTP/1.1\nHost: a\n", "other origin path=/ query= host=a port= HTTP/1.1 keepalive"},
		{"POSTS / HTTP/1.1\nHost: a\n", "other origin path=/ query= host=a port= HTTP/1.1 keepalive"},

		// Keep-alive: "close" wins, HTTP/1.0 must ask for it.
		{"GET / HTTP/1.1\nHost: a\nConnection: close\n", "GET origin path=/ query= host=a port= HTTP/1.1"},
		{"GET / HTTP/1.1\nHost: a\nConnection: x , CLOSE\n", "GET origin path=/ query= host=a port= HTTP/1.1"},
		{"GET / HTTP/1.1\nHost: a\nConnection: keep-alive\nConnection: close\n", "GET origin path=/ query= host=a port= HTTP/1.1"},
		{"GET / HTTP/1.1\nHost: a\nConnection: closed\n", "GET origin path=/ query= host=a port= HTTP/1.1 keepalive"},
		{"GET / HTTP/1.0\nConnection: Keep-Alive\n", "GET origin path=/ query= host= port= HTTP/1.0 keepalive"},
		{"GET / HTTP/1.0\nConnection: keep-alive, close\n", "GET origin path=/ query= host= port= HTTP/1.0"},

		// Upgrade needs both fields and HTTP/1.1.
		{"GET / HTTP/1.1\nHost: a\nConnection: Upgrade\nUpgrade: websocket\n", "GET origin path=/ query= host=a port= HTTP/1.1 keepalive upgrade"},
		{"GET / HTTP/1.1\nHost: a\nUpgrade: websocket\n", "GET origin path=/ query= host=a port= HTTP/1.1 keepalive"},
		{"GET / HTTP/1.1\nHost: a\nConnection: Upgrade\n", "GET origin path=/ query= host=a port= HTTP/1.1 keepalive"},
		{"GET / HTTP/1.0\nConnection: Upgrade\nUpgrade: websocket\n", "GET origin path=/ query= host= port= HTTP/1.0"},
		{"GET / HTTP/1.1\nHost: a\nConnection: Upgrade, HTTP2-Settings\nUpgrade: H2C\nHTTP2-Settings: x\n", "GET origin path=/ query= host=a port= HTTP/1.1 keepalive upgrade h2c"},
		{"GET / HTTP/1.1\nHost: a\nTE: gzip, Trailers\nConnection: TE\n", "GET origin path=/ query= host=a port= HTTP/1.1 keepalive trailers"},

		// Bodies and Expect.
		{"POST / HTTP/1.1\nHost: a\nContent-Length: 0\n", "POST origin path=/ query= host=a port= HTTP/1.1 length=0 keepalive"},
		{"POST / HTTP/1.1\nHost: a\nContent-Length: 9223372036854775807\n", "POST origin path=/ query= host=a port= HTTP/1.1 length=9223372036854775807 body keepalive"},
		{"POST / HTTP/1.1\nHost: a\nTransfer-Encoding: CHUNKED\n", "POST origin path=/ query= host=a port= HTTP/1.1 chunked body keepalive"},
		{"POST / HTTP/1.1\nHost: a\nContent-Length: 1\nExpect: 100-Continue\n", "POST origin path=/ query= host=a port= HTTP/1.1 length=1 body keepalive continue"},
		{"POST / HTTP/1.1\nHost: a\nContent-Length: 1\nExpect: 200-ok\n", "POST origin path=/ query= host=a port= HTTP/1.1 length=1 body keepalive 417"},
		{"POST / HTTP/1.0\nContent-Length: 1\nExpect: 100-continue\n", "POST origin path=/ query= host= port= HTTP/1.0 length=1 body"},
	} {
		raw := crlf(c.head + "\n")
		if got := describe(mustParse(t, raw), raw); got != c.want {
			t.Errorf("%q\n got %s\nwant %s", c.head, got, c.want)
		}
	}
}

func TestHopByHop(t *testing.T) {
	for _, c := range []struct {
		name, fields string
		want         []string
	}{
		{"the standard ones", "Connection: close\nKeep-Alive: timeout=5\nProxy-Connection: x\nTE: trailers\nUpgrade: x\nTrailer: y\nProxy-Authorization: z\n",
			[]string{"Connection", "Keep-Alive", "Proxy-Connection", "TE", "Upgrade"}},
		{"nominated before and after", "foo: 1\nConnection: Foo,BAR\nBar: 2\nFoobar: 3\nFOO: 4\n",
			[]string{"foo", "Connection", "Bar", "FOO"}},
		{"nominated over two lines", "Connection: a\nA: 1\nConnection: , close, b ,\nB: 1\n",
			[]string{"Connection", "A", "Connection", "B"}},
		{"known but unprotected", "Connection: Referer\nReferer: x\n", []string{"Connection", "Referer"}},
		{"framing, routing and identity stay", "Connection: host, content-length, x-forwarded-for, x-real-ip, authorization, cookie, via\n" +
			"Content-Length: 0\nX-Forwarded-For: 1\nX-Real-IP: 1\nAuthorization: x\nCookie: y\nVia: z\n", []string{"Connection"}},
		{"no token, no name", "Connection: a b\na: 1\nb: 2\n", []string{"Connection"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			raw := crlf("GET / HTTP/1.1\nHost: a\n" + c.fields + "\n")
			if got := hops(&mustParse(t, raw).Head, raw); !slices.Equal(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

// TestIndexCoversHead rebuilds a head from its index: lines are adjacent, names and values exact.
func TestIndexCoversHead(t *testing.T) {
	raw := []byte("\r\nPUT /x HTTP/1.1\r\nHost:a\r\nX:\r\nY: \t b c\t \r\nZ: \xff\r\n\r\nbody")
	r := mustParse(t, raw)
	at := r.Fields[0].Name.Off
	if string(raw[:at]) != "\r\nPUT /x HTTP/1.1\r\n" {
		t.Errorf("fields begin at %d", at)
	}
	for i := range r.Fields {
		line := r.Line(i)
		if line.Off != at || !strings.HasSuffix(string(line.Of(raw)), "\r\n") {
			t.Errorf("line %d is %q at %d, want it at %d", i, line.Of(raw), line.Off, at)
		}
		at = line.End
	}
	if string(raw[at:r.HeadLen]) != "\r\n" || string(raw[r.HeadLen:]) != "body" {
		t.Errorf("fields end at %d, head at %d", at, r.HeadLen)
	}
	var got []string
	for _, f := range r.Fields {
		got = append(got, fmt.Sprintf("%s=%s", f.Name.Of(raw), f.Value.Of(raw)))
	}
	if want := []string{"Host=a", "X=", "Y=b c", "Z=\xff"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if r.Find(message.FieldHost) != 0 || r.Find(message.FieldCookie) != -1 || !r.Has(message.FieldHost) || r.FindName(raw, "y", 0) != 2 || r.FindName(raw, "y", 3) != -1 {
		t.Error("Find, Has and FindName disagree with the fields")
	}
}

// TestPipelining parses several requests from one buffer with one Request.
func TestPipelining(t *testing.T) {
	buf := crlf("GET /1 HTTP/1.1\nHost: a\nConnection: x\nX: 1\n\nPOST /2 HTTP/1.1\nHost: b\nContent-Length: 0\n\n\nGET /3 HTTP/1.0\n\n")
	var r h1.Request
	var got []string
	for len(buf) > 0 {
		if st := h1.ParseRequest(&r, buf, h1.Limits{}); st != h1.Done {
			t.Fatalf("%q: %v", buf, st)
		}
		got = append(got, fmt.Sprintf("%s fields=%d", describe(&r, buf), len(r.Fields)))
		buf = buf[r.HeadLen:]
	}
	if want := []string{
		"GET origin path=/1 query= host=a port= HTTP/1.1 keepalive fields=3",
		"POST origin path=/2 query= host=b port= HTTP/1.1 length=0 keepalive fields=2",
		"GET origin path=/3 query= host= port= HTTP/1.0 fields=0",
	}; !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}

// TestErrorSticks: a refused head stays refused whatever follows, until Reset.
func TestErrorSticks(t *testing.T) {
	var r h1.Request
	bad := []byte("GET / HTTP/1.1\r\nHost : a\r\n")
	if st := h1.ParseRequest(&r, bad, h1.Limits{}); st.Err() != h1.ErrSpaceInName {
		t.Fatalf("got %v", st)
	}
	if st := h1.ParseRequest(&r, append(bad, "\r\n"...), h1.Limits{}); st.Err() != h1.ErrSpaceInName {
		t.Errorf("second call: got %v", st)
	}
	r.Reset()
	if st := h1.ParseRequest(&r, []byte("GET / HTTP/1.0\r\n\r\n"), h1.Limits{}); st != h1.Done {
		t.Errorf("after Reset: got %v", st)
	}
}

// TestLimitsAreExact: what reaches a limit passes, one more does not.
func TestLimitsAreExact(t *testing.T) {
	head := func(target, value, fields int) []byte {
		return []byte("GET /" + strings.Repeat("t", target-1) + " HTTP/1.0\r\n" + strings.Repeat("X: "+strings.Repeat("v", value)+"\r\n", fields) + "\r\n")
	}
	for _, c := range []struct {
		name string
		raw  []byte
		lim  h1.Limits
		want h1.Error
	}{
		{"target fits", head(20, 1, 1), h1.Limits{MaxTarget: 20}, h1.ErrNone},
		{"target too long", head(21, 1, 1), h1.Limits{MaxTarget: 20}, h1.ErrTargetTooLong},
		{"fields fit", head(1, 1, 3), h1.Limits{MaxFields: 3}, h1.ErrNone},
		{"too many fields", head(1, 1, 4), h1.Limits{MaxFields: 3}, h1.ErrTooManyFields},
		{"head fits", head(1, 50, 2), h1.Limits{MaxHead: len(head(1, 50, 2))}, h1.ErrNone},
		{"head too large", head(1, 50, 2), h1.Limits{MaxHead: len(head(1, 50, 2)) - 1}, h1.ErrHeadTooLarge},
		{"request line too large", head(50, 1, 1), h1.Limits{MaxHead: 40}, h1.ErrTargetTooLong},
		{"fault before the limit", []byte("GET /#" + strings.Repeat("t", 50)), h1.Limits{MaxHead: 40}, h1.ErrFragment},
	} {
		t.Run(c.name, func(t *testing.T) {
			var r h1.Request
			if st := h1.ParseRequest(&r, append(c.raw, "more"...), c.lim); st.Err() != c.want {
				t.Errorf("got %v, want %v", st, c.want)
			}
		})
	}
}

// TestConnectionWork bounds what an attacker gets for a head full of connection options.
func TestConnectionWork(t *testing.T) {
	raw := []byte("GET / HTTP/1.1\r\nHost: a\r\nConnection: " + strings.Repeat("a,", 20000) + "\r\n\r\n")
	var r h1.Request
	if st := h1.ParseRequest(&r, raw, h1.Limits{}); st.Err() != h1.ErrConnectionList {
		t.Errorf("got %v", st)
	}
}
