package h2

import (
	"math/bits"

	"github.com/sluice-gateway/sluice/server/internal/message"
)

// nameBytes are the classes of bytes in field names here, where upper-case letters have none.
var nameBytes = func() (t [256]uint8) {
	for c := range t {
		if c < 'A' || c > 'Z' {
			t[c] = message.Class[c]
		}
	}
	return t
}()

// nameClasses returns the classes that all bytes of a name have, 0 for the empty one.
func nameClasses(name []byte) uint8 {
	if len(name) == 0 {
		return 0
	}
	classes := ^uint8(0)
	for _, c := range name {
		classes &= nameBytes[c]
	}
	return classes
}

// validValue applies section 8.2.1 and, like HTTP/1, refuses all control bytes but HTAB.
func validValue(b []byte) bool {
	if n := len(b); n == 0 {
		return true
	} else if b[0] == ' ' || b[0] == '\t' || b[n-1] == ' ' || b[n-1] == '\t' {
		return false
	}
	for i := 0; ; {
		stops := message.ValueStops(message.Load(b, i))
		if stops == 0 {
			i += 8
			continue
		}
		i += bits.TrailingZeros64(stops) >> 3
		if i >= len(b) {
			return true
		}
		if b[i] != '\t' {
			return false
		}
		i++
	}
}
