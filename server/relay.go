package server

// relay moves bytes from one side to the other until something has to be waited for: for bytes, or for
// the other side to take them. n is how many were taken, and moved also says whether any left that had
// waited. The end of one side's bytes becomes the end of the other's, which is told once: ended notes that.
// What came of a side before it broke is moved like anything else. more says that it stopped only to let
// others have their turn, and is to be called again.
func (l *wireLoop) relay(from, to side, ended *bool) (n int64, moved, more bool) {
	for round := 0; ; round++ {
		waiting := to.pending()
		flushed := to.flush()
		moved = moved || to.pending() < waiting
		if !flushed || *ended || to.deaf() {
			return n, moved, false
		}
		data := from.held()
		held := len(data) > 0
		if !held {
			if from.endedWell() {
				to.shutWrite()
				*ended = true
				return n, moved, false
			}
			if round == rounds {
				return n, moved, true
			}
			m := from.read(l.scratch)
			if m == 0 {
				if from.endedWell() {
					continue
				}
				return n, moved, false
			}
			data = l.scratch[:m]
		}
		moved = true
		n += int64(len(data))
		to.send(data, false)
		if held {
			from.drop(len(data))
		}
	}
}

// ways are the two directions between two sides that pass each other's bytes on. Each ends by itself. When
// one side breaks, nothing can be sent to it any more, but what came of it before is still on its way to the
// other: a peer that closes without having read all that it was sent breaks its connection, and most do.
type ways struct {
	upEnded, downEnded bool // the end of what came was passed on
	parting            bool // one side has broken
	left               int  // what the other had not acknowledged at the last look
	since              int64
	look               int64 // when to look again, from the last look on
}

// How long it is until the first look whether a peer has acknowledged everything, of which no event tells; each
// further one takes twice as long, up to a bound.
const (
	firstLook = int64(50e6)
	lastLook  = int64(2e9)
)

// relay moves what can move between c and u, and counts it. more is as that of wireLoop.relay.
func (t *ways) relay(l *wireLoop, c, u side) (up, down int64, moved, more bool) {
	for again := true; again; {
		whole := !c.deaf() && !u.deaf()
		n, some, moreUp := l.relay(c, u, &t.upEnded)
		up, moved = up+n, moved || some
		n, some, moreDown := l.relay(u, c, &t.downEnded)
		down, moved, more = down+n, moved || some, moreUp || moreDown
		// A write that fails may be what tells of a break: what came before it has had no event yet.
		again = whole && (c.deaf() || u.deaf())
	}
	if moved {
		t.since = l.Now()
	}
	return up, down, moved, more
}

// over reports, behind relay, that nothing is left to do but to close both. After a break the side that is left
// gets what came before, and its kernel acknowledges that: a reset would take from a slow one what it has not
// got yet. It may rest in that for as long as patience.
func (t *ways) over(now, patience int64, more bool, c, u side) bool {
	to := c
	switch {
	case c.deaf() && u.deaf():
		return true
	case c.deaf():
		to = u
	case !u.deaf():
		return t.upEnded && t.downEnded && c.pending() == 0 && u.pending() == 0
	}
	left := to.unacknowledged()
	if left == 0 && !more {
		return true
	}
	if !t.parting || left < t.left {
		t.since = now
	}
	t.parting, t.left = true, left
	t.look = min(max(2*t.look, firstLook), lastLook)
	return now-t.since >= patience
}

// resets reports whether to is to see that from broke: ended says that it was told from's end before, but what
// it has not acknowledged by now must go with it.
func (t *ways) resets(from, to side, ended bool) bool {
	return from.deaf() && !to.deaf() && (!ended || to.unacknowledged() > 0)
}
