package wire

import "testing"

// TestFreeList: no more are kept than the bound, and each is given out once.
func TestFreeList(t *testing.T) {
	var l FreeList[int]
	if l.Take() != nil {
		t.Error("an empty list has one")
	}
	for range KeepFree + 10 {
		l.Put(new(int))
	}
	if !l.Full() || l.Len() != KeepFree {
		t.Errorf("%d are kept", l.Len())
	}
	seen := map[*int]bool{}
	for p := range l.All() {
		seen[p] = true
	}
	for p := l.Take(); p != nil; p = l.Take() {
		if !seen[p] {
			t.Fatal("one is given out twice")
		}
		delete(seen, p)
	}
	if len(seen) > 0 || l.Len() != 0 {
		t.Errorf("%d were not given out", len(seen))
	}
}
