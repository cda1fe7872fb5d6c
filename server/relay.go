package server

// relay moves bytes from one side to the other until something has to be waited for: for bytes, or for
// the other side to take them. n is how many were taken, and moved also says whether any left that had
// waited. The end of one side's bytes becomes the end of the other's: then this direction has ended. more
// says that it stopped only to let others have their turn, and is to be called again.
func (w *worker) relay(from, to side) (n int64, moved, ended, more bool) {
	for round := 0; ; round++ {
		waiting := to.pending()
		flushed := to.flush()
		moved = moved || to.pending() < waiting
		if !flushed {
			return n, moved, false, false
		}
		data := from.held()
		held := len(data) > 0
		if !held {
			if from.ended() {
				to.shutWrite()
				return n, moved, true, false
			}
			if round == rounds {
				return n, moved, false, true
			}
			m := from.read(w.scratch)
			if m == 0 {
				if from.ended() {
					continue
				}
				return n, moved, false, false
			}
			data = w.scratch[:m]
		}
		moved = true
		n += int64(len(data))
		to.send(data, false)
		if held {
			from.drop(len(data))
		}
		if to.lost() {
			return n, moved, true, false
		}
	}
}
