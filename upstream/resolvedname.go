package upstream

import (
	"container/list"
	"net/netip"
	"slices"
	"time"
)

const (
	// minRetry and maxRetry bound the wait after a failed lookup, which doubles from the one to the
	// other.
	minRetry, maxRetry = time.Second, 30 * time.Second
)

// familyState is what is known of one address family of a name.
type familyState struct {
	addresses []netip.Addr
	known     bool      // an answer has come at some time
	expires   time.Time // end of the last answer's TTL
}

// watchedName is a name with its watches, and what is known of it. All of it is guarded by
// Resolver.mu; learn runs only in the worker that serves the name.
type watchedName struct {
	name    string
	watches []*watch

	v4, v6 familyState
	// addresses are those of both families, sorted; replaced, never edited. version counts their
	// changes, and is 0 before the first verdict.
	addresses []netip.Addr
	version   uint64

	due   time.Time     // of the next lookup; zero before the first
	retry time.Duration // the last wait after a failure; 0 after a success
	timer *time.Timer   // calls for a worker when due; nil while none is set

	busy, again bool // n waits or is being served; n is to be served once more
	slow        bool // takes longer than promptness
	turn        *turn
	place       *list.Element // in turn.waiting; nil while n does not wait
}

// learn takes the findings of a lookup. A family whose lookup failed keeps its addresses until its
// TTL and stale end: a server that fails on AAAA alone must not make the list flap.
func (n *watchedName) learn(now time.Time, stale time.Duration, v4, v6 finding) {
	n.v4.learn(now, stale, v4)
	n.v6.learn(now, stale, v6)

	wait := maxTTL
	failed := v4.err != nil || v6.err != nil
	if failed {
		n.retry = max(minRetry, min(2*n.retry, maxRetry))
		wait = n.retry
	} else {
		n.retry = 0
	}
	for _, f := range []finding{v4, v6} {
		if f.err == nil {
			wait = min(wait, f.ttl)
		}
	}
	n.due = now.Add(wait)

	addresses := slices.Concat(n.v4.addresses, n.v6.addresses)
	slices.SortFunc(addresses, netip.Addr.Compare)
	addresses = slices.Compact(addresses)
	// A first verdict that nothing was found needs the answers of both families.
	first := n.version == 0 && (len(addresses) > 0 || n.v4.known && n.v6.known)
	if first || n.version > 0 && !slices.Equal(addresses, n.addresses) {
		n.addresses = addresses
		n.version++
	}
}

// learn takes the finding of one family.
func (s *familyState) learn(now time.Time, stale time.Duration, f finding) {
	switch {
	case f.err == nil:
		*s = familyState{addresses: f.addresses, known: true, expires: now.Add(f.ttl)}
	case now.Sub(s.expires) >= stale:
		s.addresses = nil
	}
}

// arm sets the timer for the next lookup.
func (n *watchedName) arm(fire func()) {
	n.disarm()
	n.timer = time.AfterFunc(time.Until(n.due), fire)
}

// disarm stops the timer. A call of fire that has already begun finds nothing due.
func (n *watchedName) disarm() {
	if n.timer != nil {
		n.timer.Stop()
		n.timer = nil
	}
}
