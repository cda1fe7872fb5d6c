package hpack_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/server/internal/hpack"
)

func TestErrors(t *testing.T) {
	const a, b = "4001 6101 62", "4001 6301 64" // a: b and c: d into the table, 34 bytes each
	for _, row := range []struct {
		name  string
		block string
		want  hpack.Error
	}{
		{"empty block", "", hpack.ErrNone},
		{"nothing but a size update", "20", hpack.ErrNone},

		// Integers.
		{"index goes on", "ff", hpack.ErrTruncated},
		{"index goes on and on", "ff 80 80 80", hpack.ErrTruncated},
		{"index padded with zeros", a + "ff 80 80 80 80 80 80 80 80 00", hpack.ErrIndexRange},
		{"ten continuation bytes", "ff 80 80 80 80 80 80 80 80 80 00", hpack.ErrInteger},
		{"63 bits", "ff ff ff ff ff ff ff ff ff 7f", hpack.ErrIndexRange},
		{"64 bits", "ff ff ff ff ff ff ff ff ff ff", hpack.ErrInteger},
		{"name index of 63 bits", "7f ff ff ff ff ff ff ff ff 7f 01 61", hpack.ErrIndexRange},
		{"length of 63 bits", "00 7f ff ff ff ff ff ff ff ff 7f 61", hpack.ErrStringTooLong},
		{"size of 63 bits", "3f ff ff ff ff ff ff ff ff 7f", hpack.ErrSizeUpdateRange},
		{"size goes on", "3f 80", hpack.ErrTruncated},

		// Indices.
		{"index 0", "80", hpack.ErrIndexZero},
		{"last of the static table", "bd", hpack.ErrNone},
		{"first of an empty dynamic table", "be", hpack.ErrIndexRange},
		{"name from an empty dynamic table", "7e 01 61", hpack.ErrIndexRange},
		{"name from an empty dynamic table, not indexed", "0f 2f 01 61", hpack.ErrIndexRange},
		{"second of two", a + b + "bf", hpack.ErrNone},
		{"third of two", a + b + "c0", hpack.ErrIndexRange},

		// Strings.
		{"no name", "40", hpack.ErrTruncated},
		{"half a name", "40 02 61", hpack.ErrTruncated},
		{"no value", "41", hpack.ErrTruncated},
		{"half a value", "41 02 61", hpack.ErrTruncated},
		{"half a value in Huffman code", "41 82 ff", hpack.ErrTruncated},
		{"empty name and value", "40 00 00", hpack.ErrNone},
		{"name of 64", "40 40" + strings.Repeat("61", 64) + "00", hpack.ErrNone},
		{"name of 65", "40 41" + strings.Repeat("61", 65) + "00", hpack.ErrStringTooLong},
		{"value of 65", "41 41" + strings.Repeat("61", 65), hpack.ErrStringTooLong},
		{"value of 65 that is not there", "41 41", hpack.ErrStringTooLong},
		{"value of 64 in 40 bytes", "41 a8" + strings.Repeat("00", 40), hpack.ErrNone},
		{"value of 65 in 41 bytes", "41 a9" + strings.Repeat("00", 40) + "07", hpack.ErrStringTooLong},

		// Huffman code.
		{"empty", "41 80", hpack.ErrNone},
		{"padding of 3 bits", "41 81 1f", hpack.ErrNone},
		{"padding of zeros", "41 81 18", hpack.ErrHuffman},
		{"padding of 8 bits", "41 82 1f ff", hpack.ErrHuffman},
		{"nothing but padding of 8 bits", "41 81 ff", hpack.ErrHuffman},
		{"EOS", "41 84 ff ff ff ff", hpack.ErrHuffman},
		{"EOS in the middle", "41 8c 1f ff ff ff ff 00 00 00 00 00 00 00", hpack.ErrHuffman},
		{"half of a long code", "41 82 ff e0", hpack.ErrHuffman},

		// Table size updates.
		{"size update", "3f e1 1f 82", hpack.ErrNone},
		{"two size updates", "20 3f e1 1f 82", hpack.ErrNone},
		{"size update beyond what was announced", "3f e2 1f 82", hpack.ErrSizeUpdateRange},
		{"size update behind a field", "82 20", hpack.ErrSizeUpdateLate},
	} {
		d := hpack.NewDecoder()
		d.MaxString = 64
		if got, err := decode(&d, unhex(t, row.block)); err != row.want {
			t.Errorf("%s: %v, want %v (fields %q)", row.name, err, row.want, got)
		}
	}
}

// TestErrorReasons: no Error is without text.
func TestErrorReasons(t *testing.T) {
	for e := hpack.ErrNone; e <= hpack.ErrSizeUpdateMissing; e++ {
		if e.Reason() == "" || e.Error() != e.Reason() {
			t.Errorf("error %d: %q, %q", e, e.Reason(), e.Error())
		}
	}
}

// TestSizeUpdates: each row is a connection; "set N" is SETTINGS_HEADER_TABLE_SIZE acknowledged.
func TestSizeUpdates(t *testing.T) {
	for _, row := range []struct {
		name  string
		set   []uint32
		block string
		want  hpack.Error
	}{
		{"raised, unused", []uint32{8192}, "82", hpack.ErrNone},
		{"raised, used", []uint32{8192}, "3f e1 3f 82", hpack.ErrNone},
		{"raised, exceeded", []uint32{8192}, "3f e2 3f 82", hpack.ErrSizeUpdateRange},
		{"lowered, ignored", []uint32{100}, "82", hpack.ErrSizeUpdateMissing},
		{"lowered, ignored by an empty block", []uint32{100}, "", hpack.ErrSizeUpdateMissing},
		{"lowered, followed", []uint32{100}, "3f 45 82", hpack.ErrNone},
		{"lowered, undercut", []uint32{100}, "20 82", hpack.ErrNone},
		{"lowered, exceeded", []uint32{100}, "3f 46 82", hpack.ErrSizeUpdateRange},
		{"lowered and raised, only the last followed", []uint32{100, 4096}, "3f e1 1f 82", hpack.ErrSizeUpdateMissing},
		{"lowered and raised, both followed", []uint32{100, 4096}, "3f 45 3f e1 1f 82", hpack.ErrNone},
		{"lowered twice, only the higher followed", []uint32{50, 100}, "3f 45 82", hpack.ErrSizeUpdateMissing},
		{"lowered, followed too late", []uint32{100}, "82 3f 45", hpack.ErrSizeUpdateMissing},
	} {
		d := hpack.NewDecoder()
		for _, n := range row.set {
			d.SetTableSize(n)
		}
		if _, err := decode(&d, unhex(t, row.block)); err != row.want {
			t.Errorf("%s: %v, want %v", row.name, err, row.want)
		}
	}
}

// TestEviction: the oldest leave, a field larger than the table empties it (RFC 7541 section 4.4), and
// a name stays readable while its own entry is evicted for the field that takes it over.
func TestEviction(t *testing.T) {
	d := hpack.NewDecoder()
	f := func(block, wantFields string, wantSize int) {
		t.Helper()
		got, err := decode(&d, unhex(t, block))
		if err != hpack.ErrNone || got != wantFields || d.TableSize() != wantSize {
			t.Errorf("%s: %q, %v, table of %d; want %q, table of %d", block, got, err, d.TableSize(), wantFields, wantSize)
		}
	}
	f("3f 25", "", 0) // 68 bytes
	f("4001 6101 62", "a: b\n", 34)
	f("4001 6301 64", "c: d\n", 68)
	f("bfbe", "a: b\nc: d\n", 68)
	f("7f 00 01 65", "a: e\n", 68) // evicts a: b, whose name it uses
	f("bebf", "a: e\nc: d\n", 68)
	f("7f 00 05 66 66 66 66 66", "c: fffff\n", 38) // evicts both
	f("7e 24"+strings.Repeat("67", 36), "c: "+strings.Repeat("g", 36)+"\n", 0)
	f("4001 6101 62", "a: b\n", 34)
	f("20", "", 0)
	f("4001 6101 62", "a: b\n", 0) // a table of 0 takes nothing, and that is no error
}

// TestAnnotate: what was found out about a field is found again with it.
func TestAnnotate(t *testing.T) {
	const custom = hpack.FirstFreeID + 3
	d := hpack.NewDecoder()
	var f hpack.Field
	next := func(block string) {
		t.Helper()
		b := unhex(t, block)
		if pos, err := d.Next(b, 0, &f); err != hpack.ErrNone || pos != len(b) {
			t.Fatalf("%s: %v at %d", block, err, pos)
		}
	}
	want := func(id hpack.NameID, static, mark uint8) {
		t.Helper()
		if f.NameID != id || f.Static != static || f.Mark != mark {
			t.Errorf("%s: %s: name %d, static %d, mark %d; want %d, %d, %d", f.Name, f.Value, f.NameID, f.Static, f.Mark, id, static, mark)
		}
	}
	next("83")
	want(hpack.NameMethod, 3, 0)
	d.Annotate(&f, hpack.NameMethod, 9) // is in no dynamic table
	next("83")
	want(hpack.NameMethod, 3, 0)

	next("4001 6101 62") // a: b
	want(hpack.NameOther, 0, 0)
	d.Annotate(&f, custom, 7)
	want(custom, 0, 7)
	next("be")
	want(custom, 0, 7)
	next("7e01 63") // a: c
	want(custom, 0, 0)
	next("7e01 64") // a: d
	d.Annotate(&f, custom, 1)
	next("c0") // a: b
	want(custom, 0, 7)
	d.Annotate(&f, custom, 8)
	next("c0")
	want(custom, 0, 8)
	next("be")
	want(custom, 0, 1)
	next("0f2f 01 65") // a: e, not indexed
	want(custom, 0, 0)
	next("0001 6101 62")
	want(hpack.NameOther, 0, 0)
	next("5f 03 74 2f 78") // content-type by its index
	want(hpack.NameContentType, 0, 0)
	next("be")
	want(hpack.NameContentType, 0, 0)
}

// TestTableStaysSmall: a table is made when it is used, and stays in proportion to its size however
// the peer fills it.
func TestTableStaysSmall(t *testing.T) {
	for _, length := range []int{0, 1, 30, 500, 2000, 4064, 4065} {
		d := hpack.NewDecoder()
		if n := d.Footprint(); n != 0 {
			t.Errorf("unused: %d bytes", n)
		}
		block := append([]byte{0x40, 0x00}, appendRaw(nil, bytes.Repeat([]byte{'v'}, length))...)
		for range 1000 {
			if _, err := decode(&d, block); err != hpack.ErrNone {
				t.Fatal(err)
			}
		}
		if n := d.Footprint(); n > 4096+128*12 {
			t.Errorf("values of %d: %d bytes", length, n)
		}
	}
}

// appendRaw appends a string literal without Huffman code.
func appendRaw(dst, s []byte) []byte {
	n := len(s)
	if n < 0x7f {
		return append(append(dst, byte(n)), s...)
	}
	dst = append(dst, 0x7f)
	for n -= 0x7f; n >= 0x80; n >>= 7 {
		dst = append(dst, byte(n)|0x80)
	}
	return append(append(dst, byte(n)), s...)
}
