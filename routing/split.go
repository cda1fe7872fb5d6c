package routing

import (
	"fmt"
	"math/bits"
	"strings"

	"github.com/sluice-gateway/sluice/routing/policy"
)

// Split shares the requests of a Route out between several Backends. Of a request for which no Filter has chosen one the
// weights decide, by chance. A plain value, immutable once published.
type Split struct {
	// Shares has the Route's own Backend first.
	Shares []Share
	// Canary is true where the Shares behind the first are variants of it that are tried out: requests of one without
	// Endpoints go to the first, and without Endpoints of the first no request is served.
	Canary bool
}

// Share is one Backend of a Split.
type Share struct {
	// Backend indexes Snapshot.Backends; where it is negative the requests of the Share are answered 503.
	Backend int32
	// Weight is in proportion to the sum of all; 0 leaves the Share to Filters.
	Weight uint32
}

// Pick returns the Share that a draw of 64 random bits falls to, -1 where no Share has a weight.
//
// hot: runs per request; no alloc, no lock.
func (p *Split) Pick(draw uint64) int {
	total := uint64(0)
	for i := range p.Shares {
		total += uint64(p.Shares[i].Weight)
	}
	at, _ := bits.Mul64(draw, total)
	for i := range p.Shares {
		weight := uint64(p.Shares[i].Weight)
		if at < weight {
			return i
		}
		at -= weight
	}
	return -1
}

// ShareOf returns the Backend of a request that goes to a Share, nil where the answer is 503.
//
// hot: runs per request; no alloc, no lock.
func (s *Snapshot) ShareOf(p *Split, share int) *Backend {
	if uint(share) >= uint(len(p.Shares)) {
		return nil
	}
	b := s.BackendAt(p.Shares[share].Backend)
	if !p.Canary || share == 0 {
		return b
	}
	first := s.BackendAt(p.Shares[0].Backend)
	if b == nil || len(b.Endpoints) == 0 || first == nil || len(first.Endpoints) == 0 {
		return first
	}
	return b
}

// Split returns what shares the Route's requests out, nil for nothing.
func (r *Route) Split() *Split {
	if r.Source == nil {
		return nil
	}
	return r.Source.Split
}

// DescribeSplit is the Split of a Route in words, "" for none.
func (s *Snapshot) DescribeSplit(p *Split) string {
	if p == nil {
		return ""
	}
	var b strings.Builder
	for i, share := range p.Shares {
		if i > 0 {
			b.WriteString(", ")
			if p.Canary {
				b.WriteString("canary ")
			}
		}
		name := "none (503)"
		if to := s.BackendAt(share.Backend); to != nil {
			name = policy.Word(to.Key.String())
		}
		fmt.Fprintf(&b, "%s weight %d", name, share.Weight)
	}
	return b.String()
}
