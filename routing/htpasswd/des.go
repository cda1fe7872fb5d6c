package htpasswd

import "strings"

// Traditional crypt: DES with a salt, of eight characters at most. The numbers are those of FIPS 46-3, where bits are counted
// from 1, the most significant first.

// A block is a row of bits, one a byte: passwords are few, and this is plain to compare with the standard.
type block = []byte

var (
	desInitial = counted(64, func(i int) int { return []int{58, 60, 62, 64, 57, 59, 61, 63}[i/8] - 8*(i%8) })
	desExpand  = counted(48, func(i int) int { return (i/6*4+i%6+31)%32 + 1 })
	desMix     = []int{
		16, 7, 20, 21, 29, 12, 28, 17, 1, 15, 23, 26, 5, 18, 31, 10, 2, 8, 24, 14, 32, 27, 3, 9, 19, 13, 30, 6, 22, 11, 4, 25,
	}
	desKey = []int{
		57, 49, 41, 33, 25, 17, 9, 1, 58, 50, 42, 34, 26, 18, 10, 2, 59, 51, 43, 35, 27, 19, 11, 3, 60, 52, 44, 36,
		63, 55, 47, 39, 31, 23, 15, 7, 62, 54, 46, 38, 30, 22, 14, 6, 61, 53, 45, 37, 29, 21, 13, 5, 28, 20, 12, 4,
	}
	desRoundKey = []int{
		14, 17, 11, 24, 1, 5, 3, 28, 15, 6, 21, 10, 23, 19, 12, 4, 26, 8, 16, 7, 27, 20, 13, 2,
		41, 52, 31, 37, 47, 55, 30, 40, 51, 45, 33, 48, 44, 49, 39, 56, 34, 53, 46, 42, 50, 36, 29, 32,
	}
	// desBoxes are the eight S-boxes, row after row, in hexadecimal.
	desBoxes = [8]string{
		"e4d12fb83a6c59070f74e2d1a6cb953841e8d62bfc973a50fc8249175b3ea06d",
		"f18e6b34972dc05a3d47f28ec01a69b50e7ba4d158c6932fd8a13f42b67c05e9",
		"a09e63f51dc7b428d709346a285ecbf1d6498f30b12c5ae71ad069874fe3b52c",
		"7de3069a1285bc4fd8b56f03472c1ae9a690cb7df13e52843f06a1d8945bc72e",
		"2c417ab6853fd0e9eb2c47d150fa3986421bad78f9c5630eb8c71e2d6f09a453",
		"c1af92680d34e75baf427c9561de0b389ef528c3704a1db6432c95fabe17608d",
		"4b2ef08d3c975a61d0b7491ae35c2f8614bdc37eaf6805926bd814a7950fe23c",
		"d2846fb1a93e50c71fd8a374c56b0e927b419ce206adf35821e74a8dfc90356b",
	}
)

func counted(n int, at func(i int) int) (table []int) {
	for i := range n {
		table = append(table, at(i))
	}
	return table
}

// permuted returns the bits that a table names.
func permuted(b block, table []int) block {
	out := make(block, len(table))
	for i, at := range table {
		out[i] = b[at-1]
	}
	return out
}

// desRounds are the keys of the sixteen rounds.
func desRounds(key block) (rounds [16]block) {
	halves := permuted(key, desKey)
	c, d := halves[:28:28], halves[28:]
	for i := range rounds {
		n := 2
		if i == 0 || i == 1 || i == 8 || i == 15 {
			n = 1
		}
		c, d = rotated(c, n), rotated(d, n)
		rounds[i] = permuted(append(c[:28:28], d...), desRoundKey)
	}
	return rounds
}

func rotated(b block, n int) block { return append(append(block(nil), b[n:]...), b[:n]...) }

// desCrypt encrypts zeros 25 times, under the password's first eight characters and with an expansion that the salt changes.
// It returns what stands behind the salt.
func desCrypt(password []byte, salt string) []byte {
	key := make(block, 64)
	for i, c := range password[:min(len(password), 8)] {
		for bit := range 7 {
			key[8*i+bit] = c >> (6 - bit) & 1
		}
	}
	rounds := desRounds(key)
	expand := append([]int(nil), desExpand...)
	for i := range 12 {
		if strings.IndexByte(alphabet, salt[i/6])>>(i%6)&1 != 0 {
			expand[i], expand[i+24] = expand[i+24], expand[i]
		}
	}
	// The permutations before and behind each encryption undo each other between two of them, and zeros permuted are zeros.
	left, right := make(block, 32), make(block, 32)
	for range 25 {
		for _, k := range rounds {
			left, right = right, xor(left, desMixed(xor(permuted(right, expand), k)))
		}
		left, right = right, left
	}
	sum := make(block, 66) // two bits fill the last character
	both := append(left[:32:32], right...)
	for i, at := range desInitial {
		sum[at-1] = both[i]
	}
	var out []byte
	for i := 0; i < len(sum); i += 6 {
		var c byte
		for _, bit := range sum[i : i+6] {
			c = c<<1 | bit
		}
		out = append(out, alphabet[c])
	}
	return out
}

// desMixed takes 48 bits through the S-boxes.
func desMixed(b block) block {
	out := make(block, 0, 32)
	for i, box := range desBoxes {
		six := b[6*i : 6*i+6]
		at := six[0]<<5 | six[5]<<4 | six[1]<<3 | six[2]<<2 | six[3]<<1 | six[4]
		v := box[at] - '0'
		if v > 9 {
			v = box[at] - 'a' + 10
		}
		out = append(out, v>>3&1, v>>2&1, v>>1&1, v&1)
	}
	return permuted(out, desMix)
}

func xor(a, b block) block {
	out := make(block, len(a))
	for i := range a {
		out[i] = a[i] ^ b[i]
	}
	return out
}
