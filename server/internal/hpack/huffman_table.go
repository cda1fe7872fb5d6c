package hpack

// The Huffman code of RFC 7541 appendix B is canonical: codes are numbered in the order of their
// length and, within a length, of their symbol. So the lengths are all there is to know.

// huffmanLengths are the lengths in bits by symbol. EOS, which must not occur, has 30 as well and
// comes last.
var huffmanLengths = [256]uint8{
	13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28,
	28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
	6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6,
	5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
	13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
	7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
	15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5,
	6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28,
	20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23,
	24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
	22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23,
	21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
	26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25,
	19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,
	20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23,
	26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
}

// huffmanCode is the code of a symbol, in the low bits.
type huffmanCode struct {
	code uint32
	bits uint32
}

// pairEntry is the meaning of the next pairBits bits of input: a symbol, or two, or, when it is zero,
// the beginning of a longer code. From the low end: two symbols of a byte each, the number of symbols,
// and from bit 18 and 24 the length of the first and of both codes.
type pairEntry uint32

const (
	// pairBits is a compromise: the table is 8 KiB of a cache that belongs to others. Decoding a path of
	// 62 bytes took 158 ns with 8 bits, 141 with 10, 100 with 11, and 92 with 12.
	pairBits = 11
	// maxCode is the length of the longest codes.
	maxCode = 30
)

// longCodes are the codes beyond pairBits, by length: those of length n are [first, end), left-aligned
// in 32 bits, and stand for symbols[offset:].
type longCodes struct {
	end    [maxCode + 1]uint64
	first  [maxCode + 1]uint32
	offset [maxCode + 1]uint32
}

var huffmanCodes, huffmanPairs, huffmanLong, huffmanSymbols = buildHuffman()

func buildHuffman() (codes [256]huffmanCode, pairs [1 << pairBits]pairEntry, long longCodes, symbols [256]uint8) {
	code, n := uint32(0), uint32(0)
	for length := uint32(1); length <= maxCode; length++ {
		code <<= 1
		long.first[length] = code << (32 - length)
		long.offset[length] = n
		for symbol, l := range huffmanLengths {
			if uint32(l) == length {
				codes[symbol] = huffmanCode{code, length}
				symbols[n] = uint8(symbol)
				code++
				n++
			}
		}
		long.end[length] = uint64(code) << (32 - length)
	}
	if code != 1<<maxCode-1 { // what is left is EOS
		panic("BUG: hpack: huffmanLengths is no complete code")
	}
	// A code stands at all indices that begin with it.
	var single [1 << pairBits]pairEntry
	for symbol, c := range codes {
		if c.bits <= pairBits {
			for i := c.code << (pairBits - c.bits); i < (c.code+1)<<(pairBits-c.bits); i++ {
				single[i] = pairEntry(uint32(symbol) | 1<<16 | c.bits<<18 | c.bits<<24)
			}
		}
	}
	for i, first := range single {
		pairs[i] = first
		bits := first >> 24
		second := single[uint32(i)<<bits&(1<<pairBits-1)]
		if first != 0 && second != 0 && bits+second>>24 <= pairBits {
			pairs[i] += second&0xff<<8 + 1<<16 + second>>24<<24
		}
	}
	return codes, pairs, long, symbols
}
