package hpack

import "unsafe"

// Footprint is the memory that the table holds beyond the Decoder itself.
func (d *Decoder) Footprint() int { return d.dynamic.footprint() }

// Footprint is the memory that table and slots hold beyond the Encoder itself.
func (e *Encoder) Footprint() int {
	return e.dynamic.footprint() + cap(e.slots)*int(unsafe.Sizeof(slotGroup{}))
}

func (t *table) footprint() int {
	return cap(t.buf) + cap(t.entries)*int(unsafe.Sizeof(entry{}))
}

// Exported for tests against golang.org/x/net.
var (
	AppendDecoded = appendDecoded
	AppendLower   = appendLower
)

// LowerInto is lowerInto with a buffer of its own.
func LowerInto(s []byte) []byte {
	var buf [maxFolded]byte
	return lowerInto(&buf, s)
}

// AppendHuffman appends s in Huffman code.
func AppendHuffman(dst, s []byte) []byte { return appendHuffman(dst, s, huffmanLen(s)) }

// StaticEntry returns an entry of the static table.
func StaticEntry(i int) (name, value string) { return staticTable[i].name, staticTable[i].value }
