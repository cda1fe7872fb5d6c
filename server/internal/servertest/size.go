package servertest

import (
	"testing"
	"unsafe"
)

// Size is what a type takes without its buffers, and the most that it may take.
type Size struct {
	Name       string
	Size, Most uintptr
}

// Sizes checks types of which tens of thousands of values are live at a time: what makes one larger is to be weighed against
// that, and written down in its row. The rows are those of 64-bit machines.
func Sizes(t *testing.T, rows ...Size) {
	t.Helper()
	if unsafe.Sizeof(uintptr(0)) != 8 {
		return
	}
	for _, row := range rows {
		if row.Size > row.Most {
			t.Errorf("%s takes %d bytes, at most %d are allowed", row.Name, row.Size, row.Most)
		}
	}
}
