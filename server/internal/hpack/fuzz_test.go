package hpack_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/server/internal/hpack"
	xnet "golang.org/x/net/http2/hpack"
)

// FuzzDecode decodes a connection's worth of blocks, which are separated by an octet that begins no
// sensible field, here and by x/net: the same fields, and a refusal of the same block. Two differences
// are known: x/net takes a size update behind a field where its table is empty, and does not take a
// second one at the front where it is not.
func FuzzDecode(f *testing.F) {
	for _, e := range requestsHuffman {
		f.Add(unhex(f, e.block))
	}
	f.Add(unhex(f, "8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff f0f0 8286 84be 5886 a8eb 1064 9cbf"))
	f.Add(unhex(f, "4001 6101 62 f0f0 3f25 7e01 63 be bf f0f0 20 3fe11f 4001 6101 62 be"))
	f.Add(unhex(f, "4000 ff00 f0f0 ff80 80 f0f0 41 84 ffffffff"))
	f.Add(unhex(f, "7e 01 61"))
	f.Add(append(unhex(f, "4001 61"), appendRaw(nil, bytes.Repeat([]byte("b"), 4063))...))
	f.Fuzz(func(t *testing.T, data []byte) {
		const maxString = 5000
		ours := hpack.NewDecoder()
		ours.MaxString = maxString
		var want strings.Builder
		theirs := xnet.NewDecoder(hpack.DefaultTableSize, func(f xnet.HeaderField) { printField(&want, f) })
		theirs.SetMaxStringLength(maxString)
		for block := range bytes.SplitSeq(data, []byte{0xf0, 0xf0}) {
			got, err := decode(&ours, block)
			if n := ours.Footprint(); n > 4096+128*12 {
				t.Fatalf("table of %d bytes", n)
			}
			if ours.TableSize() > hpack.DefaultTableSize {
				t.Fatalf("table counts %d", ours.TableSize())
			}
			want.Reset()
			_, theirErr := theirs.Write(block)
			if theirErr == nil {
				theirErr = theirs.Close()
			}
			if err == hpack.ErrSizeUpdateLate || theirErr != nil && len(sizeUpdates(block)) > 1 {
				return
			}
			if (err != hpack.ErrNone) != (theirErr != nil) {
				t.Fatalf("%x: %v; x/net %v", block, err, theirErr)
			}
			if got != want.String() {
				t.Fatalf("%x: %q; x/net %q", block, got, want.String())
			}
			if err != hpack.ErrNone {
				return
			}
		}
	})
}

// FuzzRoundTrip encodes fields cut out of data, over a connection whose table size changes, and
// decodes them here and by x/net. A record is an octet of how, one each of lengths, and the bytes.
func FuzzRoundTrip(f *testing.F) {
	f.Add([]byte("\x00\x01\x01ab\x00\x01\x01ab\x04\x00\x01\x01ab"))
	f.Add([]byte("\x01\x05\x03a-b-cdef\x09\x05\x03A-b-Cdef\x02\x04\x10date0123456789abcdef\x03\x06\x01cookiex"))
	f.Add([]byte("\x01\x01\x01ab\x84\x00\x01\x01\x01ab\x84\x40\x01\x01\x01ab"))
	f.Fuzz(func(t *testing.T, data []byte) {
		e := hpack.NewEncoder(hpack.DefaultTableSize)
		d := hpack.NewDecoder()
		var got, want strings.Builder
		theirs := xnet.NewDecoder(hpack.DefaultTableSize, func(f xnet.HeaderField) { printField(&got, f) })
		b := e.Begin(nil)
		flush := func() {
			if g, err := decode(&d, b); err != hpack.ErrNone || g != want.String() {
				t.Fatalf("%x: %q, %v; want %q", b, g, err, want.String())
			}
			if d.TableSize() != e.TableSize() {
				t.Fatalf("%x: tables of %d and %d", b, e.TableSize(), d.TableSize())
			}
			_, err := theirs.Write(b)
			if err == nil {
				err = theirs.Close()
			}
			if err != nil || got.String() != want.String() {
				t.Fatalf("%x: x/net %q, %v; want %q", b, got.String(), err, want.String())
			}
			got.Reset()
			want.Reset()
		}
		for len(data) >= 3 {
			how := data[0]
			e.Huffman = how&0x10 != 0
			if how&0x80 != 0 { // a new block; how many sixteenths of the table the peer gives
				flush()
				n := uint32(data[1]&0x1f) * hpack.DefaultTableSize / 16
				e.SetTableSize(n)
				d.SetTableSize(n)
				theirs.SetAllowedMaxDynamicTableSize(n)
				b = e.Begin(b[:0])
				data = data[2:]
				continue
			}
			name, rest := cutBytes(data[3:], int(data[1]))
			value, rest := cutBytes(rest, int(data[2])*int(how>>5+1))
			data = rest
			at := len(b)
			if how&8 != 0 {
				b = e.AppendFolded(b, name, value, hpack.Indexing(how&3))
				name = hpack.AppendLower(nil, name)
			} else {
				b = e.AppendField(b, name, value, hpack.Indexing(how&3))
			}
			printField(&want, xnet.HeaderField{Name: string(name), Value: string(value), Sensitive: representation(b[at]) == "never"})
		}
		flush()
	})
}

// cutBytes cuts n bytes, or what there is, off the front.
func cutBytes(b []byte, n int) (front, rest []byte) {
	n = min(n, len(b))
	return b[:n], b[n:]
}
