package h1_test

import (
	"testing"

	"github.com/sluice-gateway/sluice/server/internal/h1"
	"github.com/sluice-gateway/sluice/server/internal/message"
)

func TestAppend(t *testing.T) {
	for _, c := range []struct{ name, got, want string }{
		{"chunk header", string(h1.AppendChunkHeader(nil, 4096)), "1000\r\n"},
		{"field", string(h1.AppendField(nil, "X-Real-IP", []byte("::1"))), "X-Real-IP: ::1\r\n"},
		{"uint field", string(h1.AppendUintField(nil, "Content-Length", 1<<40)), "Content-Length: 1099511627776\r\n"},
		{"known status", string(message.AppendStatusLine(nil, 404)), "HTTP/1.1 404 Not Found\r\n"},
		{"unknown status", string(message.AppendStatusLine(nil, 299)), "HTTP/1.1 299 \r\n"},
		{"status beyond the table", string(message.AppendStatusLine(nil, 999)), "HTTP/1.1 999 \r\n"},
		{"error answer", string(h1.AppendErrorResponse(nil, 404, "no route", nil, true, false)),
			"HTTP/1.1 404 Not Found\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 24\r\n\r\n404 not found: no route\n"},
		{"error answer that closes", string(h1.AppendErrorResponse(nil, 400, "", nil, false, false)),
			"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 16\r\nConnection: close\r\n\r\n400 bad request\n"},
		{"error answer to HEAD", string(h1.AppendErrorResponse(nil, 503, "no endpoint", []byte("Date: x\r\n"), true, true)),
			"HTTP/1.1 503 Service Unavailable\r\nDate: x\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 37\r\n\r\n"},
	} {
		if c.got != c.want {
			t.Errorf("%s:\n got %q\nwant %q", c.name, c.got, c.want)
		}
	}
}

// TestErrorAnswersParse reads every error answer back: head and body must agree.
func TestErrorAnswersParse(t *testing.T) {
	for code := 400; code < 600; code++ {
		for _, reason := range []string{"", "no route"} {
			raw := h1.AppendErrorResponse(nil, code, reason, nil, code%2 == 0, false)
			var r h1.Response
			if st := h1.ParseResponse(&r, raw, h1.Limits{}); st != h1.Done {
				t.Fatalf("%q: %v", raw, st)
			}
			if int(r.Code) != code || int(r.ContentLength) != len(raw)-r.HeadLen || r.KeepAlive != (code%2 == 0) {
				t.Errorf("%q: code %d, length %d, keep-alive %v", raw, r.Code, r.ContentLength, r.KeepAlive)
			}
		}
	}
}

// TestErrorsAreComplete: every Error has a status to answer with and a text of its own.
func TestErrorsAreComplete(t *testing.T) {
	seen := map[string]h1.Error{}
	for e := h1.ErrNone + 1; e <= h1.ErrTrailerTooLarge; e++ {
		if s := e.HTTPStatus(); s < 400 || s > 599 || message.StatusText(s) == "" {
			t.Errorf("%d: status %d", e, s)
		}
		if other, ok := seen[e.Reason()]; ok || e.Reason() == "" {
			t.Errorf("%d and %d share the reason %q", e, other, e.Reason())
		}
		seen[e.Reason()] = e
	}
}
