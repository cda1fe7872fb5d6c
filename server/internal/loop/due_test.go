package loop

import "testing"

// taker is told of its events, and takes those of its sibling.
type taker struct {
	l       *Loop
	src     Source
	sibling *taker
	told    Events
	taken   Events
}

func (k *taker) Ready(ev Events) {
	k.told |= ev
	k.taken |= k.l.Due(&k.sibling.src)
	if n := k.l.Due(&k.src); n != 0 {
		panic("an event that is being told is still due")
	}
}

// TestDue: a handler can take the events of another one of the same batch, which is then not called with them;
// an event of a Source that was closed is not due to the next owner of its slot.
func TestDue(t *testing.T) {
	l := start(t)
	a, b := &taker{l: l}, &taker{l: l}
	a.sibling, b.sibling = b, a
	fdA, _ := pair(t)
	fdB, _ := pair(t)
	on(l, func() {
		for s, fd := range map[*taker]int{a: fdA, b: fdB} {
			if err := l.Register(&s.src, fd, s); err != nil {
				t.Error(err)
			}
		}
	})
	on(l, func() {}) // the events of the registration come before this
	on(l, func() {
		// The events came in one batch, because both were possible at once.
		if a.told == 0 && b.told == 0 || a.told != 0 && b.told != 0 {
			t.Errorf("told %v and %v, want one of them", a.told, b.told)
		}
		if first := max(a.taken, b.taken); first&Writable == 0 {
			t.Errorf("the other's events were %v", first)
		}
		if l.Due(&a.src) != 0 || l.Due(&b.src) != 0 {
			t.Error("something is due twice")
		}
		l.slots[a.src.slot].due = Readable
		l.CloseSource(&a.src)
		var next Source
		l.Assign(&next, fdB, b)
		if l.Due(&next) != 0 {
			t.Error("a slot's next owner finds an event of the former one")
		}
		l.forget(&next)
	})
}
