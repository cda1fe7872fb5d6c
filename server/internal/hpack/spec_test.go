package hpack_test

import (
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/server/internal/hpack"
)

// unhex reads hexadecimal with spaces, as RFC 7541 prints blocks.
func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	if err != nil {
		t.Fatalf("decode hex: %v", err)
	}
	return b
}

// decode decodes one block and prints its fields one a line; a sensitive one has a "!" in front.
func decode(d *hpack.Decoder, block []byte) (string, hpack.Error) {
	var out strings.Builder
	var f hpack.Field
	pos, err := d.Begin(block)
	for err == hpack.ErrNone && pos < len(block) {
		if pos, err = d.Next(block, pos, &f); err != hpack.ErrNone {
			break
		}
		if f.Sensitive {
			out.WriteByte('!')
		}
		fmt.Fprintf(&out, "%s: %s\n", f.Name, f.Value)
	}
	return out.String(), err
}

// example is one block of RFC 7541 appendix C.
type example struct {
	block  string // hexadecimal
	fields string
	table  int // size after it
}

const (
	firstRequest  = ":method: GET\n:scheme: http\n:path: /\n:authority: www.example.com\n"
	secondRequest = firstRequest + "cache-control: no-cache\n"
	thirdRequest  = ":method: GET\n:scheme: https\n:path: /index.html\n:authority: www.example.com\ncustom-key: custom-value\n"

	firstResponse  = ":status: 302\ncache-control: private\ndate: Mon, 21 Oct 2013 20:13:21 GMT\nlocation: https://www.example.com\n"
	secondResponse = ":status: 307\ncache-control: private\ndate: Mon, 21 Oct 2013 20:13:21 GMT\nlocation: https://www.example.com\n"
	thirdResponse  = ":status: 200\ncache-control: private\ndate: Mon, 21 Oct 2013 20:13:22 GMT\nlocation: https://www.example.com\n" +
		"content-encoding: gzip\nset-cookie: foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1\n"
)

// requestsHuffman is C.4.
var requestsHuffman = []example{
	{"8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff", firstRequest, 57},
	{"8286 84be 5886 a8eb 1064 9cbf", secondRequest, 110},
	{"8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf", thirdRequest, 164},
}

// TestSpecification is appendix C: each section is a sequence of blocks on one connection.
func TestSpecification(t *testing.T) {
	for _, section := range []struct {
		name      string
		tableSize uint32
		examples  []example
	}{
		{"C.2.1 literal with indexing", 4096, []example{
			{"400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572", "custom-key: custom-header\n", 55}}},
		{"C.2.2 literal without indexing", 4096, []example{
			{"040c 2f73 616d 706c 652f 7061 7468", ":path: /sample/path\n", 0}}},
		{"C.2.3 literal never indexed", 4096, []example{
			{"1008 7061 7373 776f 7264 0673 6563 7265 74", "!password: secret\n", 0}}},
		{"C.2.4 indexed", 4096, []example{{"82", ":method: GET\n", 0}}},
		{"C.3 requests", 4096, []example{
			{"8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d", firstRequest, 57},
			{"8286 84be 5808 6e6f 2d63 6163 6865", secondRequest, 110},
			{"8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65", thirdRequest, 164},
		}},
		{"C.4 requests in Huffman code", 4096, requestsHuffman},
		{"C.5 responses", 256, []example{
			{"4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3120 474d 54" +
				"6e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70 6c65 2e63 6f6d", firstResponse, 222},
			{"4803 3330 37c1 c0bf", secondResponse, 222},
			{"88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d 54c0 5a04 677a 6970 7738 666f" +
				"6f3d 4153 444a 4b48 514b 425a 584f 5157 454f 5049 5541 5851 5745 4f49 553b 206d 6178 2d61 6765 3d33 3630 303b" +
				"2076 6572 7369 6f6e 3d31", thirdResponse, 215},
		}},
		{"C.6 responses in Huffman code", 256, []example{
			{"4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d 29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3", firstResponse, 222},
			{"4883 640e ffc1 c0bf", secondResponse, 222},
			{"88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 821d d7f2 e6c7 b335 dfdf cd5b" +
				"3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 3d50 07", thirdResponse, 215},
		}},
	} {
		d := hpack.NewDecoder()
		if section.tableSize != hpack.DefaultTableSize {
			// The examples presume that the size was agreed on before.
			d.SetTableSize(section.tableSize)
			if _, err := d.Begin([]byte{0x3f, 0xe1, 0x01}); err != hpack.ErrNone {
				t.Fatalf("%s: size update: %v", section.name, err)
			}
		}
		for i, e := range section.examples {
			got, err := decode(&d, unhex(t, e.block))
			if err != hpack.ErrNone {
				t.Fatalf("%s, block %d: %v", section.name, i+1, err)
			}
			if got != e.fields {
				t.Errorf("%s, block %d: got\n%swant\n%s", section.name, i+1, got, e.fields)
			}
			if d.TableSize() != e.table {
				t.Errorf("%s, block %d: table of %d, want %d", section.name, i+1, d.TableSize(), e.table)
			}
		}
	}
}

// TestSpecificationEncoding: the Encoder's output is the RFC's where the RFC chooses the same representations.
func TestSpecificationEncoding(t *testing.T) {
	e := hpack.NewEncoder(hpack.DefaultTableSize)
	for i, x := range requestsHuffman {
		b := e.Begin(nil)
		for line := range strings.Lines(x.fields) {
			name, value := cutField(line)
			b = e.AppendField(b, []byte(name), []byte(value), hpack.IndexYes)
		}
		if want := unhex(t, x.block); string(b) != string(want) {
			t.Errorf("block %d: %x, want %x", i+1, b, want)
		}
		if e.TableSize() != x.table {
			t.Errorf("block %d: table of %d, want %d", i+1, e.TableSize(), x.table)
		}
	}
}

// cutField splits a line of decode's output; a name may begin with a colon.
func cutField(line string) (name, value string) {
	line = strings.TrimSuffix(line, "\n")
	i := strings.Index(line[1:], ": ") + 1
	return line[:i], line[i+2:]
}
