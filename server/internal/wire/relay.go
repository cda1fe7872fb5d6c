package wire

// relay moves bytes from one side to the other until something has to be waited for: for bytes, or for
// the other side to take them. n is how many were read from from; moved also covers bytes that were pending at to.
// The end of from becomes the end of to, once: ended records that. Bytes that arrived before a side broke are moved too.
// more means that relay stopped only to let other connections have their turn, and is to be called again.
func (l *Loop) relay(from, to Bytes, ended *bool) (n int64, moved, more bool) {
	for round := 0; ; round++ {
		waiting := to.Pending()
		flushed := to.Flush()
		moved = moved || to.Pending() < waiting
		if !flushed || *ended || to.WriteBroken() {
			return n, moved, false
		}
		data := from.Held()
		held := len(data) > 0
		if !held {
			if from.EndedWell() {
				to.ShutWrite()
				*ended = true
				return n, moved, false
			}
			if round == Rounds {
				return n, moved, true
			}
			m := from.Read(l.Scratch)
			if m == 0 {
				if from.EndedWell() {
					continue
				}
				return n, moved, false
			}
			data = l.Scratch[:m]
		}
		moved = true
		n += int64(len(data))
		to.Send(data, false)
		if held {
			from.Drop(len(data))
		}
	}
}

// Ways are the two directions of a relay between two sides. Each ends by itself. When one side breaks, nothing can be sent
// to it any more, but bytes that it sent before are still on their way to the other: a peer that closes without having read
// everything breaks its connection, and most do. Owned by the loop of the two; the zero value is ready.
type Ways struct {
	UpEnded, DownEnded bool // the end of that direction was passed on
	Parting            bool // one side has broken
	left               int  // bytes that the other had not acknowledged at the last look
	since              int64
	Look               int64 // when to look again, from the last look on
}

// How long it is until the first look whether a peer has acknowledged everything, of which no event tells; each
// further one takes twice as long, up to a bound.
const (
	firstLook = int64(50e6)
	lastLook  = int64(2e9)
)

// Relay moves bytes both ways between c and u until both directions have to wait, and counts them; more is as in
// Loop.relay.
func (t *Ways) Relay(l *Loop, c, u Bytes) (up, down int64, moved, more bool) {
	for again := true; again; {
		whole := !c.WriteBroken() && !u.WriteBroken()
		n, some, moreUp := l.relay(c, u, &t.UpEnded)
		up, moved = up+n, moved || some
		n, some, moreDown := l.relay(u, c, &t.DownEnded)
		down, moved, more = down+n, moved || some, moreUp || moreDown
		// A failed write may be the first sign of a break: bytes that arrived before it have had no event yet.
		again = whole && (c.WriteBroken() || u.WriteBroken())
	}
	if moved {
		t.since = l.Now()
	}
	return up, down, moved, more
}

// Over reports, after Relay, that nothing is left to do but to close both sides. After a break the remaining side still gets
// the bytes that came before, until its kernel has acknowledged them: closing earlier would take them from a slow peer. It
// may go without progress for as long as patience.
func (t *Ways) Over(now, patience int64, more bool, c, u Bytes) bool {
	to := c
	switch {
	case c.WriteBroken() && u.WriteBroken():
		return true
	case c.WriteBroken():
		to = u
	case !u.WriteBroken():
		return t.UpEnded && t.DownEnded && c.Pending() == 0 && u.Pending() == 0
	}
	left := to.Unacknowledged()
	if left == 0 && !more {
		return true
	}
	if !t.Parting || left < t.left {
		t.since = now
	}
	t.Parting, t.left = true, left
	t.Look = min(max(2*t.Look, firstLook), lastLook)
	return now-t.since >= patience
}

// Resets reports whether to is to see that from broke: ended says that it was told from's end before, but what
// it has not acknowledged by now must go with it.
func (t *Ways) Resets(from, to Bytes, ended bool) bool {
	return from.WriteBroken() && !to.WriteBroken() && (!ended || to.Unacknowledged() > 0)
}
