package down

import (
	"hash/maphash"
	"net/netip"
	"sync"
	"sync/atomic"

	"github.com/sluice-gateway/sluice/server/internal/exchange"
)

// source is a Source, the addresses that one client can be taken to hold: an IPv4 address, or an IPv6 /64, which providers
// give out whole. Its connections and the requests on them are counted, so that no Source can take all of either. A peer of
// forwarded.trusted_cidrs carries many clients and has no Source: the bounds of the process alone apply to it.
//
// The table is touched when a connection opens and when it closes. A request counts in plain memory of its loop: see
// exchange.Quota.
type source struct {
	// Immutable while the source is in its table:
	key    netip.Addr
	shares []share // by the loop's number, each owned by that loop

	// Guarded by the table's mu:
	conns int

	// Atomic, of all loops:
	permits atomic.Int64 // see exchange.NewQuota
}

// share is one loop's part of a source. Owned by that loop.
type share struct {
	exchange.Quota
	source *source
	// The connections, oldest first, except that a search of the crowd puts those it passed last.
	first, last *Conn
	n           int
	// Neighbours in the crowd's list of shares with n connections.
	next, prev *share
	_          [56]byte // keeps other loops' shares off the cache line
}

// sourceKey returns the key of the source that a belongs to.
func sourceKey(a netip.Addr) netip.Addr {
	a = a.Unmap().WithZone("")
	if a.Is6() {
		p, _ := a.Prefix(64)
		return p.Addr()
	}
	return a
}

// sourceTables is how many locks the sources are spread over, so that loops which accept seldom contend.
const sourceTables = 64

// Sources are the sources that have a connection open: they are no more than the connections. Safe for concurrent use. Made
// by NewSources.
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
	free []*source // for reuse
	_    [64]byte
}

// keepSources bounds each list of free sources.
const keepSources = 16

// NewSources returns the empty Sources of a Server with so many loops.
func NewSources(loops int) *Sources {
	s := &Sources{seed: maphash.MakeSeed(), loops: loops}
	for i := range s.tables {
		s.tables[i].open = map[netip.Addr]*source{}
	}
	return s
}

// enter counts a connection from a, and returns its source and the number of the source's connections.
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

// leave counts one connection of src less.
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

// Count returns the number of sources. Exported for tests alone.
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
