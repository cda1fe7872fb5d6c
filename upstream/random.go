package upstream

import "math/bits"

// random is a splitmix64 generator: eight bytes of state, no lock, a few instructions a draw.
// Good for spreading load, not for secrets. The zero value is ready.
type random struct{ state uint64 }

// next returns 64 random bits.
func (r *random) next() uint64 {
	r.state += 0x9e3779b97f4a7c15
	z := r.state
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// below returns a number in [0, n); n must be positive.
func (r *random) below(n int) int {
	hi, _ := bits.Mul64(r.next(), uint64(n))
	return int(hi)
}

// two returns two different numbers in [0, n) from one draw; n must be at least 2 and below 2^31.
func (r *random) two(n int) (int, int) {
	x := r.next()
	i := int((x >> 32) * uint64(n) >> 32)
	j := int((x & 0xffffffff) * uint64(n-1) >> 32)
	if j >= i {
		j++
	}
	return i, j
}

// unit returns a number in [0, 1).
func (r *random) unit() float64 { return float64(r.next()>>11) / (1 << 53) }
