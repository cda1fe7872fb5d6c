package hpack

import (
	"encoding/binary"
	"slices"
)

// Decoding keeps the input that comes next at the top of a 64-bit word, refilled eight bytes at a time
// without a branch: a refill ORs in the next eight bytes below the bits already there, and counts
// only whole bytes as taken; ORing the rest of a byte twice is harmless, since it is the same bits.

// maxDecoded returns the most bytes that n bytes of Huffman code can hold: codes have five bits or more.
func maxDecoded(n int) int { return n * 8 / 5 }

// appendDecoded appends the text of the Huffman-coded src. It reports false, and an undefined result, when
// src contains EOS or does not end in fewer than eight one bits of padding.
//
// hot: runs per request; no lock, and no alloc once dst has its size.
func appendDecoded(dst, src []byte) ([]byte, bool) {
	// One byte more, because symbols are stored in pairs.
	start := len(dst)
	dst = slices.Grow(dst, maxDecoded(len(src))+1)
	out := dst[:cap(dst)]
	o := start
	var word uint64 // the next bits, left-aligned
	var n uint      // how many of the bits are known
	i := 0
	for len(src)-i >= 8 {
		word |= binary.BigEndian.Uint64(src[i:]) >> (n & 63)
		i += int((63 - n) >> 3)
		n |= 56
		for n >= maxCode {
			e := huffmanPairs[word>>(64-pairBits)]
			if e != 0 {
				binary.LittleEndian.PutUint16(out[o:], uint16(e))
				o += int(e >> 16 & 3)
				word <<= e >> 24 & 63
				n -= uint(e >> 24)
				continue
			}
			symbol, length := decodeLong(word)
			if length == 0 {
				return dst, false
			}
			out[o] = symbol
			o++
			word <<= length & 63
			n -= length
		}
	}
	// The branch-free refill leaves bits below the known ones; the loop below ORs the same ones in.
	for {
		for i < len(src) && n <= 56 {
			word |= uint64(src[i]) << ((56 - n) & 63)
			i++
			n += 8
		}
		e := huffmanPairs[word>>(64-pairBits)]
		if length := uint(e >> 24); e != 0 && length <= n {
			binary.LittleEndian.PutUint16(out[o:], uint16(e))
			o += int(e >> 16 & 3)
			word <<= length & 63
			n -= length
			continue
		}
		symbol, length := uint8(e), uint(e>>18&0x3f)
		if e == 0 {
			symbol, length = decodeLong(word)
			if length == 0 && n >= maxCode {
				return dst, false
			}
		}
		if length == 0 || length > n {
			break
		}
		out[o] = symbol
		o++
		word <<= length & 63
		n -= length
	}
	// The rest is shorter than the code it begins: padding, or a fault.
	if n > 7 || word>>(64-n)&(1<<n-1) != 1<<n-1 {
		return dst, false
	}
	return out[:o], true
}

// decodeLong finds the symbol, of a code longer than pairBits, at the top of word; length 0 for EOS.
func decodeLong(word uint64) (symbol uint8, length uint) {
	top := word >> 32
	for length = pairBits + 1; length <= maxCode; length++ {
		if top < huffmanLong.end[length] {
			at := huffmanLong.offset[length] + (uint32(top)-huffmanLong.first[length])>>(32-length)
			return huffmanSymbols[at&0xff], length
		}
	}
	return 0, 0
}

// huffmanLen returns the length of s in Huffman code.
func huffmanLen(s []byte) int {
	n := 0
	for _, c := range s {
		n += int(huffmanLengths[c])
	}
	return (n + 7) / 8
}

// appendHuffman appends s in Huffman code; n is huffmanLen(s).
func appendHuffman(dst, s []byte, n int) []byte {
	o := len(dst)
	dst = slices.Grow(dst, n+4) // the last store is of four bytes
	out := dst[:o+n+4]
	var word uint64 // the low bits are to be written
	var pending uint32
	for _, c := range s {
		code := huffmanCodes[c]
		word = word<<(code.bits&63) | uint64(code.code)
		pending += code.bits
		if pending >= 32 {
			pending -= 32
			binary.BigEndian.PutUint32(out[o:], uint32(word>>(pending&63)))
			o += 4
		}
	}
	// Fill up with the beginning of EOS, ones.
	word = word<<32 | 0xffffffff
	binary.BigEndian.PutUint32(out[o:], uint32(word>>(pending&63)))
	return out[:o+int(pending+7)/8]
}
