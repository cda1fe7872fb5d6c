package access

import "testing"

func TestSeat(t *testing.T) {
	var s seat
	for i := range maxSeated {
		if !s.take() {
			t.Fatalf("there is no room for the %dth", i)
		}
	}
	if s.take() {
		t.Error("there is room for one too many")
	}
	s.leave()
	s.leave()
	if !s.take() || s.take() {
		t.Error("who leaves makes room for one")
	}
}
