package exchange

import (
	"bytes"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/server/internal/fieldrule"
	"github.com/sluice-gateway/sluice/server/internal/h1"
	"github.com/sluice-gateway/sluice/server/internal/h1/h1test"
	"github.com/sluice-gateway/sluice/server/internal/message"
)

// FuzzTrailers passes chunked bodies with anything for a trailer section through flows, split anywhere, and compares what
// leaves in chunks with what leaves without, and both with the rules.
func FuzzTrailers(f *testing.F) {
	for _, c := range append(append([]h1test.Request{}, h1test.Requests...), h1test.Accepted...) {
		if _, section, ok := strings.Cut(c.Raw, "\r\n0\r\n"); ok && strings.Contains(c.Raw, "chunked") && len(section) < 2000 {
			f.Add([]byte(strings.TrimSuffix(section, "\r\n")), uint16(7), true)
		}
	}
	f.Add([]byte("Sum: 1\r\nX_Real_IP: 6.6.6.6\r\nssl-client-verify: SUCCESS\r\nExpires: 0\r\nX-Hop: 1\r\n"), uint16(40), true)
	f.Fuzz(func(t *testing.T, section []byte, at uint16, request bool) {
		body := append(append([]byte("3\r\nabc\r\n0\r\n"), section...), '\r', '\n')
		pass := func(to Form, cut int) (out, trailers []byte, n int, done bool, err h1.Error) {
			var x flow
			x.rule = fieldrule.Trailers{Request: request, Nominated: []byte("x-hop,")}
			x.reset(FrameChunked, to, 0)
			for _, piece := range [][]byte{body[:cut], body[cut:]} {
				if done || err != h1.ErrNone {
					break
				}
				var part []byte
				var k int
				part, k, err = x.take(bytes.Clone(piece), make([]byte, 0, 64))
				out = append(out, part...)
				n, done = n+k, x.done
			}
			return out, x.trailers, n, done, err
		}
		whole, _, wholeN, wholeDone, wholeErr := pass(FormSame, len(body))
		same, rest, n, done, err := pass(FormSame, int(at)%(len(body)+1))
		if n != wholeN || done != wholeDone || err != wholeErr || err == h1.ErrNone && !bytes.Equal(same, whole) {
			t.Fatalf("split: %q, %d, %v, %v; whole %q, %d, %v, %v", same, n, done, err, whole, wholeN, wholeDone, wholeErr)
		}
		bare, trailers, bareN, bareDone, bareErr := pass(FormBare, int(at)%(len(body)+1))
		if bareN != n || bareDone != done || bareErr != err {
			t.Fatalf("bare: %d, %v, %v; in chunks %d, %v, %v", bareN, bareDone, bareErr, n, done, err)
		}
		if !done {
			return
		}
		if string(bare) != "abc" || len(rest) > 0 || string(same) != "3\r\nabc\r\n0\r\n"+string(trailers)+"\r\n" {
			t.Fatalf("in chunks %q, kept %q; bare %q with %q", same, rest, bare, trailers)
		}
		fields, parsed := h1.ParseTrailer(nil, trailers)
		if parsed != h1.ErrNone {
			t.Fatalf("%q does not parse: %v", trailers, parsed)
		}
		for _, f := range fields {
			name := string(f.Name.Of(trailers))
			plain := message.Fold(nil, []byte(name))
			switch {
			case message.NotTrailers.Has(f.ID), strings.EqualFold(name, "x-hop"),
				request && (string(plain) != strings.ToLower(name) || fieldrule.ClaimOf(plain) != fieldrule.NoClaim || strings.EqualFold(name, "x-request-id")):
				t.Fatalf("%q goes on, of %q", name, section)
			}
			if !bytes.Contains(section, trailers[f.Name.Off:f.Value.End]) {
				t.Fatalf("%q was not sent: %q", trailers[f.Name.Off:f.Value.End], section)
			}
		}
	})
}
