package h2

import (
	"math/bits"

	"github.com/sluice-gateway/sluice/server/internal/message"
)

// nameBytes are those that a field name may have here: tchar without upper-case letters.
var nameBytes = func() (t [256]bool) {
	for c := range t {
		t[c] = message.Class[c]&message.ClassToken != 0 && (c < 'A' || c > 'Z')
	}
	return t
}()

func validName(name []byte) bool {
	for _, c := range name {
		if !nameBytes[c] {
			return false
		}
	}
	return len(name) > 0
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
