package h1_test

import (
	"fmt"
	"testing"

	"github.com/sluice-gateway/sluice/server/internal/h1"
	"github.com/sluice-gateway/sluice/server/internal/h1/h1test"
	"github.com/sluice-gateway/sluice/server/internal/message"
)

func TestResponseSpecification(t *testing.T) {
	for _, c := range []struct {
		head   string
		method message.Method
		want   string // code, reason, body, connection
	}{
		{"HTTP/1.1 200 OK\nContent-Length: 5\n", message.MethodGet, "200 OK length=5 keepalive"},
		{"HTTP/1.1 200 OK\nContent-Length: 0\n", message.MethodGet, "200 OK length=0 keepalive"},
		{"HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n", message.MethodGet, "200 OK chunked keepalive"},
		{"HTTP/1.1 200 OK\n", message.MethodGet, "200 OK until-close keepalive"},
		{"HTTP/1.1 200 OK\nContent-Length: 5\nConnection: close\n", message.MethodGet, "200 OK length=5"},
		{"HTTP/1.0 200 OK\nContent-Length: 5\n", message.MethodGet, "200 OK length=5"},
		{"HTTP/1.0 200 OK\nContent-Length: 5\nConnection: keep-alive\n", message.MethodGet, "200 OK length=5 keepalive"},

		// No body whatever the fields say: RFC 9112 section 6.3.
		{"HTTP/1.1 200 OK\nContent-Length: 5\n", message.MethodHead, "200 OK none keepalive"},
		{"HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n", message.MethodHead, "200 OK none keepalive"},
		{"HTTP/1.1 304 Not Modified\nContent-Length: 5\n", message.MethodGet, "304 Not Modified none keepalive"},
		{"HTTP/1.1 204 No Content\n", message.MethodGet, "204 No Content none keepalive"},
		{"HTTP/1.1 204 No Content\nContent-Length: 0\n", message.MethodGet, "204 No Content none keepalive"},
		{"HTTP/1.1 204 No Content\nContent-Length: 5\n", message.MethodGet, "204 No Content none"}, // the 5 bytes may come
		{"HTTP/1.1 204 No Content\nTransfer-Encoding: chunked\n", message.MethodGet, "204 No Content none"},
		{"HTTP/1.1 100 Continue\n", message.MethodPost, "100 Continue none keepalive"},
		{"HTTP/1.1 103 Early Hints\nLink: </a>\n", message.MethodGet, "103 Early Hints none keepalive"},
		{"HTTP/1.1 101 Switching Protocols\nConnection: upgrade\nUpgrade: websocket\n", message.MethodGet, "101 Switching Protocols none keepalive upgrade"},

		// Reasons.
		{"HTTP/1.1 200 \nContent-Length: 0\n", message.MethodGet, "200  length=0 keepalive"},
		{"HTTP/1.1 200\nContent-Length: 0\n", message.MethodGet, "200  length=0 keepalive"}, // no space: lenient
		{"HTTP/1.1 404 N\xf6 \tx\nContent-Length: 0\n", message.MethodGet, "404 N\xf6 \tx length=0 keepalive"},
		{"HTTP/1.1 999 ?\nContent-Length: 0\n", message.MethodGet, "999 ? length=0 keepalive"},
	} {
		raw := crlf(c.head + "\n")
		var r h1.Response
		if st := h1.ParseResponse(&r, raw, h1.Limits{}); st != h1.Done {
			t.Errorf("%q: %v", c.head, st)
			continue
		}
		got := fmt.Sprintf("%d %s ", r.Code, r.Reason.Of(raw))
		switch r.BodyKind(c.method) {
		case message.BodyNone:
			got += "none"
		case message.BodyLength:
			got += fmt.Sprintf("length=%d", r.ContentLength)
		case message.BodyChunked:
			got += "chunked"
		case message.BodyUntilClose:
			got += "until-close"
		}
		if r.KeepAlive {
			got += " keepalive"
		}
		if r.Upgrade {
			got += " upgrade"
		}
		if got != c.want {
			t.Errorf("%q to %v\n got %s\nwant %s", c.head, c.method, got, c.want)
		}
	}
}

// TestSplitResponses gives every response of the corpus in two parts, split at every offset, and
// byte by byte.
func TestSplitResponses(t *testing.T) {
	for _, c := range append([]h1test.Response{{Name: "good", Raw: responseHead}}, h1test.Responses...) {
		raw := []byte(c.Raw)
		var whole h1.Response
		want := h1.ParseResponse(&whole, raw, corpusLimits)
		check := func(got h1.Status, r *h1.Response, how string, at int) {
			if got != want || got == h1.Done && !sameResponse(r, &whole) {
				t.Fatalf("%s: %s at %d: got %v %+v\nwant %v %+v", c.Name, how, at, got, r, want, whole)
			}
		}
		for at := 0; at < len(raw); at += splitStep(raw) {
			var r h1.Response
			st := h1.ParseResponse(&r, raw[:at:at], corpusLimits)
			if st == h1.Incomplete {
				st = h1.ParseResponse(&r, raw, corpusLimits)
			}
			check(st, &r, "split", at)
		}
		var r h1.Response
		for n := range len(raw) + 1 {
			if st := h1.ParseResponse(&r, raw[:n:n], corpusLimits); st != h1.Incomplete || n == len(raw) {
				check(st, &r, "byte by byte", n)
				break
			}
		}
	}
}
