package server

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/sluice-gateway/sluice/routing"
	"github.com/sluice-gateway/sluice/server/internal/servertest"
)

// TestMaxForwards: TRACE and OPTIONS go as far as they may (RFC 9110 section 7.6.2), whatever is spoken.
func TestMaxForwards(t *testing.T) {
	t.Parallel()
	for _, p := range []routing.Protocol{routing.HTTP, routing.H2C} {
		backend, seen := servertest.RecordingBackend(t, p)
		g := newGateway(t, nil, Options{})
		g.serveProtocol(p, backend)
		for _, version := range []string{"h1", "h2"} {
			for _, row := range []struct {
				method, path string
				sent         []string
				status       int    // of the gateway's own; 0: forwarded
				want         string // what the Backend gets
			}{
				{"OPTIONS", "/", []string{"0"}, 200, ""},
				{"OPTIONS", "*", []string{"0"}, 200, ""},
				{"OPTIONS", "*", []string{"1"}, 404, ""},
				{"OPTIONS", "/", []string{"00"}, 200, ""},
				{"OPTIONS", "/", []string{"3", "0"}, 200, ""},
				{"TRACE", "/", []string{"0"}, 405, ""},
				{"OPTIONS", "/", []string{"1"}, 0, "0"},
				{"TRACE", "/", []string{"10"}, 0, "9"},
				{"OPTIONS", "/", []string{"5", "3"}, 0, "2"},
				{"OPTIONS", "/", []string{"many"}, 0, "many"},
				{"GET", "/", []string{"0"}, 0, "0"},
				{"OPTIONS", "/", nil, 0, ""},
			} {
				what := fmt.Sprintf("%s to %v, %s %s %q", version, p, row.method, row.path, row.sent)
				var status int
				var allow, body string
				if version == "h1" {
					c := g.wire()
					text := row.method + " " + row.path + " HTTP/1.1\r\nHost: a\r\nCookie: secret\r\n"
					for _, v := range row.sent {
						text += "Max-Forwards: " + v + "\r\n"
					}
					c.Send("%s", text+"\r\n")
					a := c.ReadAnswer(row.method)
					status, allow, body = a.StatusCode, a.Header.Get("Allow"), a.Text
					if status == 200 && a.ContentLength != 0 {
						t.Errorf("%s: length %d", what, a.ContentLength)
					}
				} else {
					c := servertest.DialHTTP2(t, g.addr)
					c.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
					fields := []string{"cookie", "secret"}
					for _, v := range row.sent {
						fields = append(fields, "max-forwards", v)
					}
					c.Request(1, row.method, row.path, true, fields...)
					for ended := false; !ended; {
						f, err := c.ReadFrame()
						if err != nil {
							t.Fatal(err)
						}
						switch f := f.(type) {
						case *http2.MetaHeadersFrame:
							_, _ = fmt.Sscan(f.PseudoValue("status"), &status)
							for _, f := range f.Fields {
								if f.Name == "allow" {
									allow = f.Value
								}
							}
							ended = f.StreamEnded()
						case *http2.DataFrame:
							body += string(f.Data())
							ended = f.StreamEnded()
						}
					}
				}
				want := row.status
				if want == 0 {
					want = http.StatusNoContent
				}
				if status != want || strings.Contains(body, "secret") || (want == 200 || want == 405) != (allow != "") {
					t.Errorf("%s: %d, want %d; Allow %q, body %q", what, status, want, allow, body)
				}
				if row.status != 0 {
					select {
					case text := <-seen:
						t.Errorf("%s was forwarded: %s", what, text)
					default:
					}
					continue
				}
				text := servertest.NextSeen(t, seen)
				if n := strings.Count(text, "max-forwards: "); row.want == "" && n != 0 || row.want != "" && (n != 1 || !strings.Contains(text, "max-forwards: "+row.want+"\n")) {
					t.Errorf("%s, want %q: %s", what, row.want, text)
				}
			}
		}
	}
}
