package upstream

import (
	"sync"
	"sync/atomic"

	"github.com/sluice-gateway/sluice/routing"
)

// Gate bounds the requests in flight at one Backend, those of all loops together, and those that wait for their turn. A
// request that finds no room waits on its own loop, in the order of arrival there; a request that ends gives its room to the
// first one that waits on the same loop, or else wakes a loop where one waits. Made by Gates; safe for concurrent use. Only
// Backends with a bound have one.
//
// Enter and Leave are one atomic operation each while nobody waits. The mutex guards the list of loops to wake alone.
type Gate struct {
	// Immutable:
	limit, most int32
	wait        int64

	// Atomic:
	used, waiting atomic.Int32

	mu    sync.Mutex
	wakes []*Waker // guarded by mu: of the loops where requests wait
	users int      // guarded by Gates.mu
}

// Waker is how one loop is told that a Gate has room. It must be set before it is used, and not be copied.
type Waker struct {
	Wake   func()
	listed bool // guarded by Gate.mu
}

// Gates are the Gates of a process. The zero value is ready.
type Gates struct {
	mu sync.Mutex
	// Guarded by mu:
	byKey map[routing.BackendKey]*Gate
}

// acquire returns the Gate of a Backend. Each acquire is followed by one release. A Backend's bounds are part of its key's
// Variant, so that they do not change.
func (a *Gates) acquire(key routing.BackendKey, l routing.Load) *Gate {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.byKey == nil {
		a.byKey = make(map[routing.BackendKey]*Gate)
	}
	g := a.byKey[key]
	if g == nil || g.limit != l.Requests || g.most != l.Waiting || g.wait != l.Wait {
		g = &Gate{limit: l.Requests, most: l.Waiting, wait: l.Wait}
		a.byKey[key] = g
	}
	g.users++
	return g
}

func (a *Gates) release(key routing.BackendKey, g *Gate) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if g.users--; g.users == 0 && a.byKey[key] == g {
		delete(a.byKey, key)
	}
}

// Limit is how many requests may be in flight.
func (g *Gate) Limit() int { return int(g.limit) }

// Waits is how long a request may wait at most, nanoseconds.
func (g *Gate) Waits() int64 { return g.wait }

// Enter takes room for a request that has just come, unless there is none or others wait for it.
//
// hot: runs per request to a Backend with a bound; no alloc, no lock.
func (g *Gate) Enter() bool { return g.waiting.Load() == 0 && g.Take() }

// Take takes room for a request whose turn it is.
func (g *Gate) Take() bool {
	for {
		used := g.used.Load()
		if used >= g.limit {
			return false
		}
		if g.used.CompareAndSwap(used, used+1) {
			return true
		}
	}
}

// Leave gives the room of a request back, and reports whether any request waits: then the caller serves those of its own
// loop, or calls WakeOther.
//
// hot: runs per request to a Backend with a bound; no alloc, no lock.
func (g *Gate) Leave() (waited bool) {
	g.used.Add(-1)
	return g.waiting.Load() > 0
}

// Queue counts a request as waiting, on the loop of by, and reports whether it may. The caller then calls Take once more: room
// may have been given back just before. Unqueue follows, whatever becomes of the request.
func (g *Gate) Queue(by *Waker) bool {
	if g.waiting.Add(1) > g.most {
		g.waiting.Add(-1)
		return false
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if !by.listed {
		by.listed = true
		g.wakes = append(g.wakes, by)
	}
	return true
}

// Unqueue counts a request as not waiting any more. last says that none waits on the loop of by.
func (g *Gate) Unqueue(by *Waker, last bool) {
	g.waiting.Add(-1)
	if !last {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for i, w := range g.wakes {
		if w == by {
			by.listed = false
			g.wakes = append(g.wakes[:i], g.wakes[i+1:]...)
			return
		}
	}
}

// WakeOther wakes the loop that was woken longest ago, of those where requests wait. A loop that finds none of its own then
// calls WakeOther in its turn.
func (g *Gate) WakeOther() {
	g.mu.Lock()
	if len(g.wakes) == 0 {
		g.mu.Unlock()
		return
	}
	w := g.wakes[0]
	g.wakes = append(g.wakes[1:], w)
	g.mu.Unlock()
	w.Wake()
}

// Counts returns how many requests are in flight, and how many wait.
func (g *Gate) Counts() (used, waiting int) { return int(g.used.Load()), int(max(g.waiting.Load(), 0)) }

// Counts sums up the Gates.
func (a *Gates) Counts() (used, waiting int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, g := range a.byKey {
		u, w := g.Counts()
		used, waiting = used+u, waiting+w
	}
	return used, waiting
}
