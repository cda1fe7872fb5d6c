package hpack_test

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/sluice-gateway/sluice/server/internal/hpack"
	xnet "golang.org/x/net/http2/hpack"
)

// TestHuffmanSymbols: each byte in each place of a string, against x/net's code table.
func TestHuffmanSymbols(t *testing.T) {
	for c := range 256 {
		for length := range 20 {
			for at := range length {
				s := bytes.Repeat([]byte("0"), length)
				s[at] = byte(c)
				checkHuffman(t, s)
			}
		}
		checkHuffman(t, bytes.Repeat([]byte{byte(c)}, 33))
	}
	// Every pair, so that every entry of the pair table is met.
	for c := range 1 << 16 {
		checkHuffman(t, []byte{byte(c >> 8), byte(c)})
	}
}

func checkHuffman(t *testing.T, s []byte) {
	t.Helper()
	code := hpack.AppendHuffman(nil, s)
	if want := xnet.AppendHuffmanString(nil, string(s)); !bytes.Equal(code, want) {
		t.Fatalf("%q: code %x, want %x", s, code, want)
	}
	got, ok := hpack.AppendDecoded([]byte("x"), code)
	if !ok || !bytes.Equal(got[1:], s) {
		t.Fatalf("%x: %q, %v; want %q", code, got, ok, s)
	}
}

// TestHuffmanRandom: random text of all kinds there and back, and random bytes as code against x/net.
func TestHuffmanRandom(t *testing.T) {
	random := rand.New(rand.NewPCG(7541, 52))
	for range 20000 {
		s := make([]byte, random.IntN(80))
		top := []int{10, 128, 256}[random.IntN(3)]
		for i := range s {
			s[i] = byte(random.IntN(top))
			if top == 10 {
				s[i] += '0'
			}
		}
		checkHuffman(t, s)
		checkCode(t, s)
		code := hpack.AppendHuffman(nil, s)
		if len(code) > 0 {
			checkCode(t, code[:len(code)-1])
			code[random.IntN(len(code))] ^= 1 << random.IntN(8)
			checkCode(t, code)
		}
	}
}

// checkCode decodes code here and by x/net.
func checkCode(t *testing.T, code []byte) {
	t.Helper()
	want, err := xnet.HuffmanDecodeToString(code)
	got, ok := hpack.AppendDecoded(nil, code)
	if ok != (err == nil) || ok && string(got) != want {
		t.Fatalf("%x: %q, %v; x/net %q, %v", code, got, ok, want, err)
	}
}

// TestHuffmanShort: all codes of up to two bytes, and three bytes with each kind of ending.
func TestHuffmanShort(t *testing.T) {
	checkCode(t, nil)
	for c := range 1 << 16 {
		if c < 256 {
			checkCode(t, []byte{byte(c)})
		}
		checkCode(t, []byte{byte(c >> 8), byte(c)})
		checkCode(t, []byte{byte(c >> 8), byte(c), 0xff})
		checkCode(t, []byte{0xff, 0xff, byte(c >> 8), byte(c)})
		checkCode(t, []byte{0xff, 0xff, 0xff, byte(c >> 8), byte(c)})
	}
}

func TestLower(t *testing.T) {
	for c := range 256 {
		for n := 1; n <= 64; n++ {
			s := bytes.Repeat([]byte{'-'}, n)
			s[n/2], s[n-1] = byte(c), byte(c)
			want := bytes.Clone(s)
			for i, b := range want {
				if 'A' <= b && b <= 'Z' {
					want[i] = b + 'a' - 'A'
				}
			}
			if got := hpack.AppendLower(nil, s); !bytes.Equal(got, want) {
				t.Fatalf("%q: %q", s, got)
			}
			if got := hpack.LowerInto(s); !bytes.Equal(got, want) {
				t.Fatalf("%q: %q", s, got)
			}
		}
	}
}
