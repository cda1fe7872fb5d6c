package routing

// Table finds the Route of a request. Immutable; safe for concurrent use.
type Table struct{}

// Match returns the Route for a host and a path, or nil.
func (t *Table) Match(host, path []byte) *Route { return nil }
