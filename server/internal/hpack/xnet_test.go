package hpack_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/server/internal/hpack"
	xnet "golang.org/x/net/http2/hpack"
)

// randomField is a field such as traffic has: few names, values that come again and some that do not.
func randomField(random *rand.Rand) (name, value string) {
	if random.IntN(2) == 0 {
		name, value = hpack.StaticEntry(1 + random.IntN(61))
	} else {
		name = fmt.Sprintf("x-name-%d", random.IntN(12))
	}
	switch random.IntN(5) {
	case 0:
		value = fmt.Sprint(random.Uint64())
	case 1:
		value = strings.Repeat(string(rune(random.IntN(256))), random.IntN(200))
	case 2:
		value = strings.Repeat("v", random.IntN(5000))
	case 3:
		value = fmt.Sprintf("value %d", random.IntN(8))
	}
	return name, value
}

// TestDecodeOfXNet: what x/net encodes is decoded here, over connections whose table size changes.
func TestDecodeOfXNet(t *testing.T) {
	for seed := range uint64(200) {
		random := rand.New(rand.NewPCG(seed, 1))
		var block bytes.Buffer
		e := xnet.NewEncoder(&block)
		e.SetMaxDynamicTableSizeLimit(hpack.MaxTableSize)
		d := hpack.NewDecoder()
		for range 50 {
			for random.IntN(4) == 0 {
				n := uint32(random.IntN(9000))
				d.SetTableSize(n)
				e.SetMaxDynamicTableSize(n)
			}
			block.Reset()
			var want strings.Builder
			for range 1 + random.IntN(20) {
				name, value := randomField(random)
				f := xnet.HeaderField{Name: name, Value: value, Sensitive: random.IntN(8) == 0}
				// x/net encodes a sensitive field by its index where it is in the static table.
				if err := e.WriteField(f); err != nil {
					t.Fatal(err)
				}
				fmt.Fprintf(&want, "%s: %s\n", name, value)
			}
			got, err := decode(&d, block.Bytes())
			got = strings.ReplaceAll("\n"+got, "\n!", "\n")[1:]
			if err != hpack.ErrNone || got != want.String() {
				t.Fatalf("seed %d: %v\n%q\nwant\n%q", seed, err, got, want.String())
			}
		}
	}
}

// TestEncodeForXNet: what is encoded here is decoded by x/net, and here, over connections whose
// table size changes.
func TestEncodeForXNet(t *testing.T) {
	for seed := range uint64(200) {
		random := rand.New(rand.NewPCG(seed, 2))
		limit := []uint32{0, 200, 4096, 4096, 8192, hpack.MaxTableSize}[random.IntN(6)]
		e := hpack.NewEncoder(limit)
		e.Huffman = random.IntN(2) == 0
		var got strings.Builder
		theirs := xnet.NewDecoder(hpack.DefaultTableSize, func(f xnet.HeaderField) { printField(&got, f) })
		ours := hpack.NewDecoder()
		for range 50 {
			for random.IntN(4) == 0 {
				n := uint32(random.IntN(9000))
				e.SetTableSize(n)
				ours.SetTableSize(n)
				theirs.SetAllowedMaxDynamicTableSize(n)
			}
			b := e.Begin(nil)
			updates := sizeUpdates(b)
			var want strings.Builder
			for range 1 + random.IntN(20) {
				name, value := randomField(random)
				if name == "" || strings.HasSuffix(name, ":") {
					continue
				}
				how := hpack.Indexing(random.IntN(4))
				at := len(b)
				if random.IntN(2) == 0 {
					b = e.AppendFolded(b, []byte(strings.ToUpper(name)), []byte(value), how)
				} else {
					b = e.AppendField(b, []byte(name), []byte(value), how)
				}
				printField(&want, xnet.HeaderField{Name: name, Value: value, Sensitive: representation(b[at]) == "never"})
			}
			if g, err := decode(&ours, b); err != hpack.ErrNone || g != want.String() {
				t.Fatalf("seed %d: %v\n%q\nwant\n%q", seed, err, g, want.String())
			}
			if ours.TableSize() != e.TableSize() {
				t.Fatalf("seed %d: tables of %d and %d", seed, e.TableSize(), ours.TableSize())
			}
			got.Reset()
			// x/net takes one update a block where its table is not empty. The smallest comes
			// first: give it to x/net as a block of its own.
			for _, u := range updates[:max(0, len(updates)-1)] {
				if _, err := theirs.Write(u); err != nil {
					t.Fatalf("seed %d: x/net: %v", seed, err)
				}
				if err := theirs.Close(); err != nil {
					t.Fatalf("seed %d: x/net: %v", seed, err)
				}
				b = b[len(u):]
			}
			_, err := theirs.Write(b)
			if err == nil {
				err = theirs.Close()
			}
			if err != nil || got.String() != want.String() {
				t.Fatalf("seed %d: x/net: %v\n%q\nwant\n%q", seed, err, got.String(), want.String())
			}
		}
	}
}

func printField(out *strings.Builder, f xnet.HeaderField) {
	if f.Sensitive {
		out.WriteByte('!')
	}
	fmt.Fprintf(out, "%s: %s\n", f.Name, f.Value)
}

// sizeUpdates returns the table size updates that a block begins with.
func sizeUpdates(block []byte) (updates [][]byte) {
	for len(block) > 0 && block[0]&0xe0 == 0x20 {
		n := 1
		if block[0] == 0x3f {
			for n < len(block) && block[n] >= 0x80 {
				n++
			}
			n = min(n+1, len(block))
		}
		updates = append(updates, block[:n])
		block = block[n:]
	}
	return updates
}
