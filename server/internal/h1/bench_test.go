package h1_test

import (
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/server/internal/h1"
)

// Heads as they are met: wrk's, curl's, a browser's, and a service's answer.
const (
	wrkHead = "GET /api/v1/greet/hello?content=world HTTP/1.1\r\nHost: test.com\r\n\r\n"

	curlHead = "GET /api/v1/greet/hello?content=world HTTP/1.1\r\nHost: test.example.com\r\nUser-Agent: curl/8.5.0\r\n" +
		"Accept: */*\r\nAccept-Encoding: gzip, deflate\r\nConnection: keep-alive\r\nX-Request-ID: 3f1d2c4b5a69788796a5b4c3d2e1f001\r\n\r\n"

	browserHead = "GET /assets/app.3f1d2c4b.js HTTP/1.1\r\nHost: www.example.com\r\nConnection: keep-alive\r\n" +
		"sec-ch-ua: \"Chromium\";v=\"124\", \"Google Chrome\";v=\"124\", \"Not-A.Brand\";v=\"99\"\r\nsec-ch-ua-mobile: ?0\r\n" +
		"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0.0.0 Safari/537.36\r\n" +
		"sec-ch-ua-platform: \"Linux\"\r\nAccept: */*\r\nSec-Fetch-Site: same-origin\r\nSec-Fetch-Mode: no-cors\r\nSec-Fetch-Dest: script\r\n" +
		"Referer: https://www.example.com/index.html\r\nAccept-Encoding: gzip, deflate, br, zstd\r\nAccept-Language: en-US,en;q=0.9\r\n" +
		"Cookie: session=eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U; theme=dark\r\n\r\n"

	responseHead = "HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nDate: Mon, 23 Nov 2026 01:14:24 GMT\r\nContent-Type: application/json\r\n" +
		"Content-Length: 128\r\nLast-Modified: Sun, 22 Nov 2026 10:00:00 GMT\r\nConnection: keep-alive\r\nETag: \"6741a2b0-80\"\r\nAccept-Ranges: bytes\r\n\r\n"
)

func BenchmarkParseRequest(b *testing.B) {
	for _, c := range []struct{ name, head string }{
		{"fields=1/wrk", wrkHead},
		{"fields=6/curl", curlHead},
		{"fields=14/browser", browserHead},
		{"fields=100/unknown", "GET / HTTP/1.1\r\nHost: a\r\n" + strings.Repeat("X-Custom-Field: some value\r\n", 99) + "\r\n"},
	} {
		b.Run(c.name, func(b *testing.B) {
			var r h1.Request
			buf := []byte(c.head)
			b.ReportAllocs()
			b.SetBytes(int64(len(buf)))
			for b.Loop() {
				if h1.ParseRequest(&r, buf, h1.Limits{}) != h1.Done {
					b.Fatal("not done")
				}
			}
		})
	}
}

// BenchmarkDrip is the worst client: 8 KiB of head, one byte a call.
func BenchmarkDrip(b *testing.B) {
	buf := []byte("GET / HTTP/1.1\r\nHost: a\r\nCookie: " + strings.Repeat("a", 8<<10) + "\r\n\r\n")
	var r h1.Request
	b.ReportAllocs()
	b.SetBytes(int64(len(buf)))
	for b.Loop() {
		r.Reset()
		for n := range len(buf) {
			h1.ParseRequest(&r, buf[:n], h1.Limits{})
		}
	}
}

func BenchmarkParseResponse(b *testing.B) {
	for _, c := range []struct{ name, head string }{
		{"fields=1", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"},
		{"fields=8", responseHead},
	} {
		b.Run(c.name, func(b *testing.B) {
			var r h1.Response
			buf := []byte(c.head)
			b.ReportAllocs()
			b.SetBytes(int64(len(buf)))
			for b.Loop() {
				if h1.ParseResponse(&r, buf, h1.Limits{}) != h1.Done {
					b.Fatal("not done")
				}
			}
		})
	}
}

func BenchmarkChunkedFeed(b *testing.B) {
	for _, c := range []struct {
		name  string
		chunk int
	}{{"chunk=16", 16}, {"chunk=4096", 4096}} {
		b.Run(c.name, func(b *testing.B) {
			var body []byte
			for len(body) < 16<<10 {
				body = h1.AppendChunkHeader(body, c.chunk)
				body = append(body, make([]byte, c.chunk)...)
				body = append(body, "\r\n"...)
			}
			body = append(body, h1.LastChunk...)
			b.ReportAllocs()
			b.SetBytes(int64(len(body)))
			for b.Loop() {
				var c h1.Chunked
				if _, done, _ := c.Feed(body); !done {
					b.Fatal("not done")
				}
			}
		})
	}
}

func BenchmarkAppendErrorResponse(b *testing.B) {
	buf := make([]byte, 0, 512)
	b.ReportAllocs()
	for b.Loop() {
		buf = h1.AppendErrorResponse(buf[:0], 404, "no route", nil, true, false)
	}
}
