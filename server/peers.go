package server

// peers are what all the loops of a Server have of clients, for each of them to see what the others have. Immutable once they run.
type peers []*downLoop

// connections returns how many clients' connections are open.
func (p peers) connections() (open int64) {
	for _, w := range p {
		open += w.conns.Load()
	}
	return open
}

// buffered returns how many bytes wait in the process, to some hundred KiB for each loop.
func (p peers) buffered() (sum int64) {
	for _, w := range p {
		sum += w.Use.Buffered.Load()
	}
	return sum
}

// descriptors returns how many are in use on the Endpoints' side.
func (p peers) descriptors() (sum int64) {
	for _, w := range p {
		sum += w.Use.Descriptors.Load()
	}
	return sum
}

// lighter returns the worker that should take a new connection of w's instead of w, or nil. The
// kernel spreads connections by hash, unevenly when they are few; one that is clearly behind gets
// them handed over.
func (p peers) lighter(w *downLoop) *downLoop {
	if len(p) == 1 {
		return nil
	}
	least := w
	for _, o := range p {
		if o.conns.Load() < least.conns.Load() {
			least = o
		}
	}
	if mine := w.conns.Load(); mine > least.conns.Load()+1+mine/16 {
		return least
	}
	return nil
}
