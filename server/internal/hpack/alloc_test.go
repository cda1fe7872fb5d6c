//go:build !race

package hpack_test

import (
	"testing"
	"unsafe"

	"github.com/sluice-gateway/sluice/server/internal/hpack"
)

// TestNoAllocations covers all that runs per request, once table and scratch have their size.
func TestNoAllocations(t *testing.T) {
	for _, m := range messages {
		t.Run(m.name, func(t *testing.T) {
			e := hpack.NewEncoder(hpack.DefaultTableSize)
			d := hpack.NewDecoder()
			var f hpack.Field
			var b []byte
			i := 0
			run := func() {
				b = e.Begin(b[:0])
				for _, x := range m.fields {
					b = e.AppendFolded(b, x.name, x.value, hpack.IndexAuto)
				}
				// New values all the time: insertion and eviction.
				i++
				b = e.AppendKnown(b, hpack.NameServer, []byte{byte(i), byte(i >> 8)}, hpack.IndexYes)
				b = e.AppendField(b, []byte("x-other"), []byte{byte(i), byte(i >> 8)}, hpack.IndexYes)
				b = e.AppendStatus(b, 503)
				b = e.AppendUint(b, hpack.NameContentLength, 1234567)
				pos, err := d.Begin(b)
				for err == hpack.ErrNone && pos < len(b) {
					pos, err = d.Next(b, pos, &f)
					d.Annotate(&f, f.NameID, 1)
				}
				if err != hpack.ErrNone {
					t.Fatal(err)
				}
			}
			for range 300 { // until the tables have been full
				run()
			}
			if n := testing.AllocsPerRun(1000, run); n != 0 {
				t.Errorf("%v allocations", n)
			}
			bad := []byte{0x41, 0x84, 0xff, 0xff, 0xff, 0xff}
			var err error
			if n := testing.AllocsPerRun(100, func() { _, err = d.Next(bad, 0, &f) }); n != 0 || err != hpack.ErrHuffman {
				t.Errorf("refused: %v allocations, %v", n, err)
			}
		})
	}
}

// TestSizes: the memory of a connection that doc.go names.
func TestSizes(t *testing.T) {
	if n := unsafe.Sizeof(hpack.Decoder{}) + unsafe.Sizeof(hpack.Encoder{}); n > 224 {
		t.Errorf("%d bytes", n)
	}
}
