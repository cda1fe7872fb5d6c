package firewall

import (
	"context"
	"hash/maphash"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// Rules are computing. They must leave processors to the loops, and one namespace's requests must leave turns to others'.

const (
	// patience is how long a request waits for its turn.
	patience = 5 * time.Second
	// maxWaiting is how many requests of a namespace, and of the few that share its place by chance, wait or are looked at:
	// an eighth of the places for parked requests.
	maxWaiting = 128
)

var (
	turns    = sync.OnceValue(func() chan struct{} { return make(chan struct{}, max(1, runtime.GOMAXPROCS(0)/2)) })
	places   [1024]atomic.Int32
	placeKey = maphash.MakeSeed()
)

// inTurn runs f when it is its turn, and reports whether it did. namespace is the one of the request's object.
func inTurn(ctx context.Context, namespace string, f func()) bool {
	place := &places[maphash.String(placeKey, namespace)%uint64(len(places))]
	defer place.Add(-1)
	if place.Add(1) > maxWaiting {
		return false
	}
	limit := time.NewTimer(patience)
	defer limit.Stop()
	select {
	case turns() <- struct{}{}:
	case <-limit.C:
		return false
	case <-ctx.Done():
		return false
	}
	defer func() { <-turns() }()
	f()
	return true
}
