package server

import (
	"testing"
	"unsafe"
)

// TestSizes: what each connection, stream and request takes, beside its buffers. Tens of thousands of them are open at a
// time; what makes one larger is to be weighed against that, and written down here.
func TestSizes(t *testing.T) {
	if unsafe.Sizeof(uintptr(0)) != 8 {
		return // the sizes are those of 64-bit machines
	}
	for _, row := range []struct {
		name       string
		size, most uintptr
	}{
		{"Exchange", unsafe.Sizeof(Exchange{}), 888},
		{"downConn", unsafe.Sizeof(downConn{}), 336},
		{"downStream", unsafe.Sizeof(downStream{}), 296},
		{"upConn", unsafe.Sizeof(upConn{}), 192},
		{"upSession", unsafe.Sizeof(upSession{}), 288},
		{"upStream", unsafe.Sizeof(upStream{}), 208},
		{"downSession", unsafe.Sizeof(downSession{}), 416},
	} {
		if row.size > row.most {
			t.Errorf("%s takes %d bytes, at most %d are allowed", row.name, row.size, row.most)
		}
	}
}
