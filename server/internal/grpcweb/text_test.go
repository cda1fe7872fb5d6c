package grpcweb_test

import (
	"bytes"
	"encoding/base64"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/server/internal/grpcweb"
)

// decode feeds text in pieces of size bytes, 0 for one piece.
func decode(text string, size int) (got string, ok bool) {
	if size == 0 {
		size = max(len(text), 1)
	}
	var d grpcweb.Decoder
	var dst []byte
	for len(text) > 0 {
		n := min(size, len(text))
		if dst, ok = d.Decode(dst, []byte(text[:n])); !ok {
			return string(dst), false
		}
		text = text[n:]
	}
	return string(dst), d.Complete()
}

func TestDecode(t *testing.T) {
	for _, tt := range []struct {
		text, want string
		ok         bool
	}{
		{"", "", true},
		{"YQ==", "a", true},
		{"YWI=", "ab", true},
		{"YWJj", "abc", true},
		{"YWJjZGVm", "abcdef", true},
		{"YQ==YQ==", "aa", true},
		{"YQ==YWI=YWJjYQ==", "aababca", true}, // several parts
		{"YWJjYQ==YWJj", "abcaabc", true},
		{"+/+/", "\xfb\xff\xbf", true},
		{"AAAAAAA=", "\x00\x00\x00\x00\x00", true}, // the header of an empty message

		{"Y", "", false},
		{"YQ", "", false},
		{"YQ=", "", false},
		{"YWI", "", false},
		{"YWJjYQ", "abc", false},
		{"=", "", false},
		{"Y=", "", false},
		{"Y===", "", false},
		{"YQ===", "a", false},
		{"YWI==", "ab", false},
		{"YWJj=", "abc", false},
		{"YQ=a", "", false},
		{"YR==", "", false},   // bits behind the last byte
		{"YWJ=", "ab", false}, // as above
		{"YW Jj", "", false},
		{"YWJj\r\n", "abc", false},
		{"-_-_", "", false}, // the alphabet of URLs
		{"YWJ\x80", "", false},
	} {
		for size := range len(tt.text) + 1 {
			if got, ok := decode(tt.text, size); got != tt.want || ok != tt.ok {
				t.Errorf("%q in pieces of %d: %q, %v, want %q, %v", tt.text, size, got, ok, tt.want, tt.ok)
			}
		}
	}
}

// reference decodes with encoding/base64, group by group: a group with padding ends a part.
func reference(text string) (out []byte, ok bool) {
	for len(text) > 0 {
		if len(text) < 4 || strings.ContainsAny(text[:4], "\r\n") {
			return out, false
		}
		b, err := base64.StdEncoding.Strict().DecodeString(text[:4])
		if err != nil {
			return out, false
		}
		out, text = append(out, b...), text[4:]
	}
	return out, true
}

// FuzzDecode compares with encoding/base64, whole and split, and within one buffer.
func FuzzDecode(f *testing.F) {
	for _, text := range []string{"", "YQ==YWI=YWJj", "YWJjZGVmZ2hpamtsbW5vcA==", "YQ=", "Y===", "YR==", "YWJj\n", "AAAAAAA=gAAAAA=="} {
		f.Add(text, uint8(1))
		f.Add(text, uint8(3))
	}
	f.Fuzz(func(t *testing.T, text string, size uint8) {
		want, wantOK := reference(text)
		got, ok := decode(text, 0)
		if ok != wantOK || ok && got != string(want) {
			t.Fatalf("%q: %q, %v; encoding/base64 says %q, %v", text, got, ok, want, wantOK)
		}
		if split, splitOK := decode(text, int(size)); split != got || splitOK != ok {
			t.Fatalf("%q in pieces of %d: %q, %v; at once %q, %v", text, size, split, splitOK, got, ok)
		}
		for held := range min(4, len(text)+1) {
			var d grpcweb.Decoder
			first, ok1 := d.Decode(nil, []byte(text[:held]))
			buffer := append(make([]byte, grpcweb.Ahead), text[held:]...)
			rest, ok2 := d.Decode(buffer[:0], buffer[grpcweb.Ahead:])
			if all := string(first) + string(rest); (ok1 && ok2 && d.Complete()) != ok || ok && all != got {
				t.Fatalf("%q in place behind %d characters: %q", text, held, all)
			}
		}
	})
}

// TestAppendText: each part stands by itself, and all of them together are read back.
func TestAppendText(t *testing.T) {
	var text, want []byte
	for n := range 100 {
		p := bytes.Repeat([]byte{byte(n), 0xff}, n)[:n]
		before := len(text)
		text = grpcweb.AppendText(text, p)
		if got := len(text) - before; got != base64.StdEncoding.EncodedLen(n) {
			t.Errorf("%d bytes became %d, want %d", n, got, base64.StdEncoding.EncodedLen(n))
		}
		want = append(want, p...)
	}
	if got, ok := decode(string(text), 7); !ok || got != string(want) {
		t.Errorf("%d bytes, %v, want %d", len(got), ok, len(want))
	}
}

func BenchmarkDecode(b *testing.B) {
	src := grpcweb.AppendText(nil, make([]byte, 48<<10))
	dst := make([]byte, 0, 48<<10)
	b.SetBytes(int64(len(src)))
	b.ReportAllocs()
	for b.Loop() {
		var d grpcweb.Decoder
		d.Decode(dst, src)
	}
}
