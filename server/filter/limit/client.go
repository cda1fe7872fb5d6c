package limit

import (
	"encoding/binary"
	"hash/maphash"
	"net/netip"

	"github.com/sluice-gateway/sluice/server"
)

// seed keys every hash, so that nobody can choose addresses that share entries.
var seed = maphash.MakeSeed()

// zone is what counts together, as a hash.
type zone uint64

// newZone makes a zone of a name and of what is counted.
func newZone(name, what string) zone {
	var h maphash.Hash
	h.SetSeed(seed)
	_, _ = h.WriteString(name) // never fails
	_ = h.WriteByte(0)
	_, _ = h.WriteString(what)
	return zone(h.Sum64())
}

// client returns the hash of a client in z.
//
// hot: runs per request; no alloc, no lock.
func (z zone) client(a netip.Addr) uint64 {
	var b [8 + 16]byte
	binary.LittleEndian.PutUint64(b[:], uint64(z))
	full := masked(a).As16()
	copy(b[8:], full[:])
	return maphash.Bytes(seed, b[:])
}

// route returns the hash of a Route in z.
//
// hot: runs per request; no alloc, no lock.
func (z zone) route(x *server.Exchange) uint64 {
	r := x.Route()
	var b [8 + 8 + 8 + 1]byte
	binary.LittleEndian.PutUint64(b[:], uint64(z))
	binary.LittleEndian.PutUint64(b[8:], maphash.String(seed, r.Host))
	binary.LittleEndian.PutUint64(b[16:], maphash.String(seed, r.Path))
	b[24] = byte(r.Type)
	return maphash.Bytes(seed, b[:])
}

// masked is the part of an address that tells clients apart.
func masked(a netip.Addr) netip.Addr {
	if !a.Is6() || a.Is4In6() {
		return a.Unmap()
	}
	p, _ := a.WithZone("").Prefix(64)
	return p.Addr()
}

// exempt are prefixes of clients that are not counted: sorted and disjoint, see policy.Disjoint.
type exempt []netip.Prefix

// has reports whether one of the prefixes has the address.
//
// hot: runs per request; no alloc, no lock.
func (p exempt) has(a netip.Addr) bool {
	// Only the last prefix that begins at or before the address can have it. IPv4 comes before IPv6.
	from, to := 0, len(p)
	for from < to {
		if i := int(uint(from+to) / 2); a.Less(p[i].Addr()) {
			to = i
		} else {
			from = i + 1
		}
	}
	return from > 0 && p[from-1].Contains(a)
}
