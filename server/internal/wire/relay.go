package wire

// relay moves bytes from one side to the other until it has to wait for bytes, or for the other side to take them. n is how
// many were read from from; moved also covers bytes that were pending at to. The end of from becomes the end of to, once:
// *ended records that. Bytes that arrived before a side broke are moved too. more means that relay stopped only to let other
// connections have their turn, and is to be called again.
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

// Ways are the two directions of a relay between two sides. Each ends by itself. When one side breaks, no byte can be sent
// to it any more, but bytes that it sent before are still on their way to the other: a peer that closes without having read
// everything breaks its connection, and most do. Owned by the loop of the two sides; the zero value is ready.
type Ways struct {
	UpEnded, DownEnded bool  // the end of that direction was passed on
	Parting            bool  // one side has broken
	left               int   // bytes that the remaining side had not acknowledged at the last look
	since              int64 // the time of the last progress
	Look               int64 // nanoseconds from the last look to the next
}

// No event tells that a peer has acknowledged everything, so the kernel is asked: first after firstLook, and each further
// time after twice as long, up to lastLook.
const (
	firstLook = int64(50e6)
	lastLook  = int64(2e9)
)

// Relay moves bytes both ways between c and u until both directions have to wait, and counts them; more is as in Loop.relay.
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

// Over reports, after Relay, that both sides are to be closed. After a break the remaining side still gets the bytes that
// came before it, until its kernel has acknowledged them: an earlier close would take them from a slow peer. Without
// progress the wait ends after patience, nanoseconds. now is on the loop's clock, and more as Relay returned it.
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

// Resets reports whether to is to be sent a reset because from broke. ended says that to was sent the proper end of from:
// then it is reset only where bytes that it has not acknowledged are lost with the close.
func (t *Ways) Resets(from, to Bytes, ended bool) bool {
	return from.WriteBroken() && !to.WriteBroken() && (!ended || to.Unacknowledged() > 0)
}
