package servertest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/sluice-gateway/sluice/routing"
)

// RecordingBackend answers every request, and gives the field lines of its head and of its trailers, in
// lower case.
func RecordingBackend(t testing.TB, p routing.Protocol) (addr string, seen chan string) {
	seen = make(chan string, 16)
	if speaksStreams(p) {
		return RawHTTP2Backend(t, func(_ int, c *RawHTTP2) {
			c.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
			c.MaxHeaderListSize = 1 << 20
			texts := map[uint32]string{}
			for {
				f, err := c.ReadFrame()
				if err != nil {
					return
				}
				id := f.Header().StreamID
				end := false
				switch f := f.(type) {
				case *http2.MetaHeadersFrame:
					for _, f := range f.Fields {
						texts[id] += f.Name + ": " + f.Value + "\n"
					}
					end = f.StreamEnded()
				case *http2.DataFrame:
					end = f.StreamEnded()
				}
				if end {
					c.Fields(id, true, ":status", "204")
					seen <- strings.ToLower(texts[id])
				}
			}
		}), seen
	}
	return RawBackend(t, func(_ int, c *Wire) {
		for {
			text := c.Head()
			if text == "" {
				return
			}
			if strings.Contains(strings.ToLower(text), "transfer-encoding: chunked") {
				for {
					line, _ := c.R.ReadString('\n')
					var n int
					if _, err := fmt.Sscanf(line, "%x", &n); err != nil || n == 0 {
						break
					}
					c.Take(n + 2)
				}
				text += c.Head()
			}
			c.Send("HTTP/1.1 204 No Content\r\n\r\n")
			seen <- strings.ToLower(strings.ReplaceAll(text, "\r\n", "\n"))
		}
	}), seen
}

// NextSeen is what a RecordingBackend saw; "" where nothing came.
func NextSeen(t testing.TB, seen chan string) string {
	t.Helper()
	select {
	case text := <-seen:
		return text
	case <-time.After(Timeout / 4):
		t.Fatal("no request came")
	}
	return ""
}

// HasField reports whether there is a field of that name among lines.
func HasField(text, name string) bool {
	return strings.Contains("\n"+text, "\n"+strings.ToLower(name)+": ")
}
