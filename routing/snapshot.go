package routing

// Snapshot is all a request may read, published as one.
//
// Recipes:
//
//  1. To look up: s := store.Load() once per request; r := s.Table.Match(host, path); then
//     b := s.Backend(r). Pass s down, never load twice for one request.
//     In a handshake, before there is a request: s.CertificatesFor(name), else s.DefaultCertificate.
//  2. To publish: build new Tables, Backends and Certificates from the former Snapshot's unchanged parts, then
//     store.Publish(next). Nothing of the former is edited.
//  3. To retire: do nothing; the garbage collector frees a Snapshot when the last request that
//     loaded it ends.
type Snapshot struct {
	// Generation counts Publishes, from 1.
	Generation uint64
	Table      *Table
	// Backends is indexed by Route.Backend; free slots are nil.
	Backends []*Backend
	// Certificates has every one that is served, DefaultCertificate not counted, sorted by the
	// namespace of its Secret and then the name.
	Certificates []*Certificate
	// ServerNames finds Certificates by name; see CertificatesFor. nil where there are none.
	ServerNames *CertificateIndex
	// DefaultCertificate is for names without Certificates of their own; nil where none is
	// configured, or there never was a good one.
	DefaultCertificate *Certificate
}

// Backend returns the Backend of r, or nil when r has none.
//
// hot: runs per request; no alloc, no lock.
func (s *Snapshot) Backend(r *Route) *Backend {
	return s.BackendAt(r.Backend)
}

// BackendAt returns the Backend with that index, nil where there is none.
func (s *Snapshot) BackendAt(index int32) *Backend {
	if uint(index) < uint(len(s.Backends)) {
		return s.Backends[index]
	}
	return nil
}
