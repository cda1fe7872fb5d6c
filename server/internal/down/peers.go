package down

// Peers are the clients' parts of all loops of a Server, for each to read the counts of the others. Immutable once they run;
// its methods may be called from any goroutine.
type Peers []*Loop

// Connections returns how many clients' connections are open.
func (p Peers) Connections() (open int64) {
	for _, w := range p {
		open += w.conns.Load()
	}
	return open
}

// Buffered returns how many bytes wait in the process, exact to some hundred KiB for each loop.
func (p Peers) Buffered() (sum int64) {
	for _, w := range p {
		sum += w.Use.Buffered.Load()
	}
	return sum
}

// Descriptors returns how many descriptors are in use on the Endpoints' side.
func (p Peers) Descriptors() (sum int64) {
	for _, w := range p {
		sum += w.Use.Descriptors.Load()
	}
	return sum
}

// lightest returns the loop that is to take a new connection in place of w; nil: w keeps it. The kernel spreads connections
// by hash, unevenly when they are few, so a loop that has clearly fewer gets some handed over.
func (p Peers) lightest(w *Loop) *Loop {
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
