package h1_test

import (
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/server/internal/h1"
)

func TestChunkedSpecification(t *testing.T) {
	for _, c := range []struct {
		body, data, trailer, rest string
	}{
		{"0\r\n\r\n", "", "", ""},
		{"5\r\nhello\r\n0\r\n\r\nGET /", "hello", "", "GET /"},
		{"1\r\na\r\n1\r\nb\r\n0\r\n\r\n", "ab", "", ""},
		{"A\r\n0123456789\r\n00a\r\n0123456789\r\n000\r\n\r\n", "01234567890123456789", "", ""},
		{"5;x;y=z; q=\";\\\"\"\r\nhello\r\n0;last\r\n\r\n", "hello", "", ""},
		{"2\r\n\r\n\r\n0\r\n\r\n", "\r\n", "", ""}, // data that looks like framing
		{"0\r\nA: b\r\nC:\r\n\r\n0", "", "A: b\r\nC:\r\n", "0"},
		{"3\r\nabc\r\n0\r\nx-md5: \t1\xff \r\n\r\n", "abc", "x-md5: \t1\xff \r\n", ""},
		{"0\r\nA-name-that-is-longer-than-any-known: 1\r\n\r\n", "", "A-name-that-is-longer-than-any-known: 1\r\n", ""},
	} {
		for size := 1; size <= len(c.body); size++ {
			got := nextAll([]byte(c.body), size)
			if got.err != h1.ErrNone || !got.done || got.data != c.data || got.tail != c.trailer || c.body[got.n:] != c.rest {
				t.Errorf("%q in pieces of %d: got %+v", c.body, size, got)
			}
		}
		if got := feedAll([]byte(c.body), len(c.body)/2); got.err != h1.ErrNone || !got.done || c.body[got.n:] != c.rest {
			t.Errorf("%q: Feed got %+v", c.body, got)
		}
	}
}

// TestChunkedOverhead: long extensions are fine as long as there is data to go with them.
func TestChunkedOverhead(t *testing.T) {
	for _, c := range []struct {
		name   string
		chunk  string
		chunks int
		want   h1.Error
	}{
		{"signed chunks", "400;chunk-signature=" + strings.Repeat("0", 64) + "\r\n" + strings.Repeat("d", 1024) + "\r\n", 1000, h1.ErrNone},
		{"one-byte chunks", "1\r\nd\r\n", 20000, h1.ErrNone},
		{"one-byte chunks with extensions", "1;abc\r\nd\r\n", 20000, h1.ErrChunkExtension},
	} {
		t.Run(c.name, func(t *testing.T) {
			var f h1.Chunked
			for range c.chunks {
				if _, _, err := f.Feed([]byte(c.chunk)); err != h1.ErrNone {
					if err != c.want {
						t.Errorf("got %v, want %v", err, c.want)
					}
					return
				}
			}
			if c.want != h1.ErrNone {
				t.Errorf("accepted, want %v", c.want)
			}
		})
	}
}

// TestFeedStopsAtFault: what is before a fault may have been sent on, nothing behind it is counted.
func TestFeedStopsAtFault(t *testing.T) {
	var c h1.Chunked
	body := []byte("2\r\nok\r\n2 \r\n")
	n, done, err := c.Feed(body)
	if n != len("2\r\nok\r\n2") || done || err != h1.ErrChunkSize {
		t.Errorf("got %d, %v, %v", n, done, err)
	}
	if n, done, err := c.Feed([]byte("0\r\n\r\n")); n != 0 || done || err != h1.ErrChunkSize {
		t.Errorf("after the fault: got %d, %v, %v", n, done, err)
	}
}

func TestParseTrailer(t *testing.T) {
	raw := []byte("A: b\r\nX-Sum:  1 \r\n")
	fields, err := h1.ParseTrailer(nil, raw)
	if err != h1.ErrNone || len(fields) != 2 || string(fields[1].Name.Of(raw)) != "X-Sum" || string(fields[1].Value.Of(raw)) != "1" {
		t.Errorf("got %+v, %v", fields, err)
	}
	for _, bad := range []string{"A", "A: b", "A: b\r\n\r\n", " A: b\r\n", "A : b\r\n", "\n"} {
		if _, err := h1.ParseTrailer(nil, []byte(bad)); err == h1.ErrNone {
			t.Errorf("%q is accepted", bad)
		}
	}
	if fields, err := h1.ParseTrailer(nil, nil); err != h1.ErrNone || len(fields) != 0 {
		t.Errorf("no trailer: got %+v, %v", fields, err)
	}
}
