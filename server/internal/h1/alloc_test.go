//go:build !race

package h1_test

import (
	"testing"

	"github.com/sluice-gateway/sluice/server/internal/h1"
)

// TestNoAllocations covers all that runs per request.
func TestNoAllocations(t *testing.T) {
	var request h1.Request
	var response h1.Response
	var chunked h1.Chunked
	requestHead := []byte(browserHead)
	upgrade := []byte("GET http://a/ HTTP/1.1\r\nHost: a\r\nConnection: x, upgrade\r\nUpgrade: y, z\r\nTE: trailers\r\nExpect: 100-continue\r\nX: 1\r\n\r\n")
	bad := []byte("GET / HTTP/1.1\r\nHost : a\r\n\r\n")
	answer := []byte(responseHead)
	body := []byte("5;a=\"b\"\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n")
	out := make([]byte, 0, 1024)
	value := []byte("10.0.0.1")
	var err error
	for _, c := range []struct {
		name string
		f    func()
	}{
		{"ParseRequest", func() { h1.ParseRequest(&request, requestHead, h1.Limits{}) }},
		{"ParseRequest in pieces", func() {
			for n := 0; n <= len(requestHead); n += 16 {
				h1.ParseRequest(&request, requestHead[:n], h1.Limits{})
			}
			request.Reset()
		}},
		{"ParseRequest with options", func() { h1.ParseRequest(&request, upgrade, h1.Limits{}) }},
		{"ParseRequest refused", func() {
			err = h1.ParseRequest(&request, bad, h1.Limits{}).Err()
			request.Reset()
		}},
		{"ParseResponse", func() { h1.ParseResponse(&response, answer, h1.Limits{}) }},
		{"Chunked.Feed", func() { chunked.Reset(); chunked.Feed(body) }},
		{"Chunked.Next", func() {
			chunked.Reset()
			for b := body; !chunked.Done(); {
				_, _, n, _ := chunked.Next(b)
				b = b[n:]
			}
		}},
		{"AppendErrorResponse", func() { out = h1.AppendErrorResponse(out[:0], 404, "no route", nil, false, false) }},
		{"AppendField", func() { out = h1.AppendField(out[:0], "X-Real-IP", value) }},
	} {
		c.f() // Fields finds its size
		if n := testing.AllocsPerRun(100, c.f); n != 0 {
			t.Errorf("%s: %v allocations", c.name, n)
		}
	}
	if err == nil {
		t.Error("a bad request was accepted")
	}
}
