package wire

import "testing"

// TestJanitor: it looks again when its function asked for it, after a period at the latest, and rests where nothing is left.
func TestJanitor(t *testing.T) {
	l := newLoop(t)
	var j Janitor
	next := int64(0)
	j.Start(l, func(now int64) int64 { return next })
	idle := j.timer.Deadline()
	j.Wake()
	if got := j.timer.Deadline(); got != l.Now()+JanitorPeriod {
		t.Errorf("woken, it looks at %d", got)
	}
	for _, row := range []struct{ next, want int64 }{{500, 500}, {10 * JanitorPeriod, 100 + JanitorPeriod}} {
		next = row.next
		if j.Expired(&j.timer, 100); j.timer.Deadline() != row.want {
			t.Errorf("it looks at %d, want %d", j.timer.Deadline(), row.want)
		}
	}
	l.Unlink(&j.timer)
	next = 0
	if j.Expired(&j.timer, 100); j.timer.Deadline() != idle {
		t.Errorf("with nothing to look after, it looks at %d", j.timer.Deadline())
	}
	if j.Wake(); j.timer.Deadline() == idle {
		t.Error("it cannot be woken again")
	}
}
