package down

// Peers are what all the loops of a Server have of clients, for each of them to see what the others have. Immutable once they run.
type Peers []*Loop

// Connections returns how many clients' connections are open.
func (p Peers) Connections() (open int64) {
	for _, w := range p {
		open += w.conns.Load()
	}
	return open
}

// Buffered returns how many bytes wait in the process, to some hundred KiB for each loop.
func (p Peers) Buffered() (sum int64) {
	for _, w := range p {
		sum += w.Use.Buffered.Load()
	}
	return sum
}

// Descriptors returns how many are in use on the Endpoints' side.
func (p Peers) Descriptors() (sum int64) {
	for _, w := range p {
		sum += w.Use.Descriptors.Load()
	}
	return sum
}

// lighter returns the worker that should take a new connection of w's instead of w, or nil. The
// kernel spreads connections by hash, unevenly when they are few; one that is clearly behind gets
// them handed over.
func (p Peers) lighter(w *Loop) *Loop {
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
