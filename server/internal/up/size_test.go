package up

import (
	"testing"
	"unsafe"
)

// TestUpSizes: the size of each type, without its buffers. Tens of thousands are open at a time; what makes one larger is to
// be weighed against that, and written down here.
func TestSizes(t *testing.T) {
	if unsafe.Sizeof(uintptr(0)) != 8 {
		return // the sizes are those of 64-bit machines
	}
	for _, row := range []struct {
		name       string
		size, most uintptr
	}{
		{"connection", unsafe.Sizeof(Conn{}), 192},
		{"session", unsafe.Sizeof(Session{}), 288},
		{"stream", unsafe.Sizeof(Stream{}), 208},
	} {
		if row.size > row.most {
			t.Errorf("%s takes %d bytes, at most %d are allowed", row.name, row.size, row.most)
		}
	}
}
