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

// pairEntry is what the next pairBits bits of input mean: a symbol, or two, or, when it is zero, the
// beginning of a longer code. From the low end: two symbols of a byte each, the number of symbols, and
// from bit 18 and 24 the length of the first and of both codes.
type pairEntry uint32

const (
	// pairBits is a compromise: 11 bits hold two symbols of most text, and the table takes 8 KiB of a
	// cache that belongs to others. 9 bits cost a quarter more time a string, 12 gained nothing.
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
	for i := range pairs {
		first, bits := decodeOne(&codes, uint32(i), pairBits)
		if bits == 0 {
			continue
		}
		rest := uint32(i) << bits & (1<<pairBits - 1)
		second, more := decodeOne(&codes, rest, pairBits-bits)
		count := uint32(1)
		if more != 0 {
			count = 2
		}
		pairs[i] = pairEntry(uint32(first) | uint32(second)<<8 | count<<16 | bits<<18 | (bits+more)<<24)
	}
	return codes, pairs, long, symbols
}

// decodeOne finds the symbol at the top of the pairBits bits of w, of which valid are input; length 0
// where there is none.
func decodeOne(codes *[256]huffmanCode, w, valid uint32) (symbol uint8, length uint32) {
	for s, c := range codes {
		if c.bits <= valid && w>>(pairBits-c.bits) == c.code {
			return uint8(s), c.bits
		}
	}
	return 0, 0
}
