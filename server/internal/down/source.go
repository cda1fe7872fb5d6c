package down

import (
	"hash/maphash"
	"net/netip"
	"sync"
	"sync/atomic"

	"github.com/sluice-gateway/sluice/server/internal/exchange"
)

// A source is what one client can be taken to hold: an IPv4 address, or an IPv6 /64, which providers give
// out whole. Its connections and the requests on them are counted, so that none can have all there is of
// either. Peers of forwarded.trusted_cidrs are none, because they speak for many clients: they are bounded by
// what bounds everybody.
//
// The table is touched when a connection opens and when it closes. A request counts in plain memory of its
// loop, see quota.
type source struct {
	// Immutable while the source is in its table:
	key    netip.Addr
	shares []share // by the loop's number, each owned by that loop

	// Guarded by the table's mu:
	conns int

	// Atomic, of all loops:
	permits atomic.Int64
}

// share is what one loop has of a source. Owned by that loop.
type share struct {
	exchange.Quota
	source *source
	// The connections, longest first as far as that is known: see crowd.
	first, last *Conn
	n           int
	// Those with as many connections: see crowd.
	next, prev *share
	_          [56]byte // other loops' shares lie beside it
}

// sourceKey returns the source of a client's address.
func sourceKey(a netip.Addr) netip.Addr {
	a = a.Unmap().WithZone("")
	if a.Is6() {
		p, _ := a.Prefix(64)
		return p.Addr()
	}
	return a
}

// sourceTables is how many locks the sources are spread over, so that loops that accept do not meet.
const sourceTables = 64

// Sources are all that have a connection open, and no others: there are no more than connections. Safe for
// concurrent use. Made by NewSources.
type Sources struct {
	// Immutable:
	seed  maphash.Seed
	loops int

	tables [sourceTables]sourceTable
}

type sourceTable struct {
	mu sync.Mutex
	// Guarded by mu:
	open map[netip.Addr]*source
	free []*source // that served, to serve again
	_    [64]byte
}

// keepSources bounds each list of free ones.
const keepSources = 16

func NewSources(loops int) *Sources {
	s := &Sources{seed: maphash.MakeSeed(), loops: loops}
	for i := range s.tables {
		s.tables[i].open = map[netip.Addr]*source{}
	}
	return s
}

// enter counts a connection from a, and returns its source and how many connections that has now.
func (s *Sources) enter(a netip.Addr) (*source, int) {
	key := sourceKey(a)
	t := s.table(key)
	t.mu.Lock()
	defer t.mu.Unlock()
	src := t.open[key]
	if src == nil {
		if n := len(t.free) - 1; n >= 0 {
			src, t.free = t.free[n], t.free[:n]
		} else {
			src = &source{shares: make([]share, s.loops)}
			for i := range src.shares {
				src.shares[i].source = src
				src.shares[i].Quota = exchange.NewQuota(&src.permits, s.loops)
			}
		}
		src.key = key
		t.open[key] = src
	}
	src.conns++
	return src, src.conns
}

// leave counts it no more.
func (s *Sources) leave(src *source) {
	t := s.table(src.key)
	t.mu.Lock()
	defer t.mu.Unlock()
	if src.conns--; src.conns == 0 {
		delete(t.open, src.key)
		if len(t.free) < keepSources {
			t.free = append(t.free, src)
		}
	}
}

// Count returns how many sources there are.
func (s *Sources) Count() (n int) {
	for i := range s.tables {
		t := &s.tables[i]
		t.mu.Lock()
		n += len(t.open)
		t.mu.Unlock()
	}
	return n
}

func (s *Sources) table(key netip.Addr) *sourceTable {
	return &s.tables[maphash.Comparable(s.seed, key)%sourceTables]
}
