package upstream

import (
	"container/heap"
	"context"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/sluice-gateway/sluice/routing"
)

// Checker asks the Endpoints of Backends with a routing.Check, from time to time, whether they are well, on goroutines of its
// own. Loops are told of changes alone; what is known of an Endpoint stays from Snapshot to Snapshot, for as long as its
// Backend has it and its Check is the same. An Endpoint is taken to be well until checks say otherwise: it is ready, as far as
// its cluster knows.
//
// Checks are bounded: so many at a time, in all and for each namespace, of so many Endpoints. Of the namespaces with a check
// that is due, the one with the fewest under way is next, so that Endpoints that never answer delay those of their own
// namespace. Made by NewChecker; safe for concurrent use.
type Checker struct {
	// Immutable:
	o    CheckerOptions
	ctx  context.Context
	stop context.CancelFunc
	wake chan struct{} // has room for one

	mu sync.Mutex
	// Guarded by mu:
	seen     []*routing.Backend // of the last Update, by index
	backends map[routing.BackendKey]*checkedBackend
	later    checkQueue            // not due yet
	turns    map[string]*checkTurn // by namespace, of Endpoints that are due or being checked
	order    []*checkTurn          // those with Endpoints that are due
	running  int
	counts   CheckCounts
	started  bool
	ended    sync.WaitGroup
}

// CheckerOptions are the arguments of NewChecker. The zero value of each field but Tell stands for its default.
type CheckerOptions struct {
	// Tell is called when other Endpoints of a Backend are unwell than before: they are sorted, and not to be written to. One
	// call at a time, the last with what holds.
	Tell func(index int32, key routing.BackendKey, unwell []netip.AddrPort)
	// Concurrent bounds the checks under way; default 64. Half of them serve one namespace.
	Concurrent int
	// Endpoints bounds those that are checked; default 20,000, of which a quarter are one namespace's. Others are taken to be
	// well.
	Endpoints int
}

// CheckCounts are the numbers of a Checker.
type CheckCounts struct {
	// Endpoints are checked, Unwell of them are not well, and Unchecked are too many.
	Endpoints, Unwell, Unchecked int
	// Passed and Failed count checks.
	Passed, Failed uint64
}

// checkedBackend is a Backend whose Endpoints are checked.
type checkedBackend struct {
	source    *routing.Backend
	check     routing.Check
	endpoints map[netip.AddrPort]*checkedEndpoint
	dirty     bool // the loops are to be told
	unchecked int
}

// checkedEndpoint is one of its Endpoints.
type checkedEndpoint struct {
	backend *checkedBackend
	addr    netip.AddrPort
	due     time.Time
	unwell  bool
	streak  int32 // checks in a row that speak against unwell
	gone    bool  // a check under way is void
	place   int   // in the queue; -1: not there
}

// checkTurn is one namespace.
type checkTurn struct {
	namespace string
	due       []*checkedEndpoint
	running   int
}

// NewChecker returns a Checker that has nothing to check yet.
func NewChecker(o CheckerOptions) *Checker {
	if o.Concurrent <= 0 {
		o.Concurrent = 64
	}
	if o.Endpoints <= 0 {
		o.Endpoints = 20_000
	}
	c := &Checker{
		o: o, wake: make(chan struct{}, 1),
		backends: make(map[routing.BackendKey]*checkedBackend), turns: make(map[string]*checkTurn),
	}
	c.ctx, c.stop = context.WithCancel(context.Background())
	return c
}

// Close ends every check, and returns when none is under way.
func (c *Checker) Close() {
	c.stop()
	c.ended.Wait()
}

// Counts returns the numbers.
func (c *Checker) Counts() CheckCounts {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := c.counts
	for _, b := range c.backends {
		n.Endpoints += len(b.endpoints)
		n.Unchecked += b.unchecked
		for _, e := range b.endpoints {
			if e.unwell {
				n.Unwell++
			}
		}
	}
	return n
}

// Update takes over the Backends of the live Snapshot. It costs one comparison for each Backend that did not change.
func (c *Checker) Update(backends []*routing.Backend) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ctx.Err() != nil {
		return
	}
	// A Backend may leave one index and come at another, so those that leave are first.
	for i, before := range c.seen {
		if before != nil && (i >= len(backends) || backends[i] == nil || backends[i].Key != before.Key) {
			c.dropLocked(before.Key)
		}
	}
	for i, now := range backends {
		if now != nil && (i >= len(c.seen) || c.seen[i] != now) {
			c.adoptLocked(now)
		}
	}
	c.seen = backends
	if len(c.backends) > 0 && !c.started {
		c.started = true
		c.ended.Add(1)
		go c.run()
	}
	c.signal()
}

// dropLocked forgets a Backend.
func (c *Checker) dropLocked(key routing.BackendKey) {
	b := c.backends[key]
	if b == nil {
		return
	}
	for _, e := range b.endpoints {
		c.forgetLocked(e)
	}
	b.endpoints, b.unchecked = nil, 0
	b.check = routing.Check{}
	b.dirty = true
}

// adoptLocked takes over a Backend that is new or has changed.
func (c *Checker) adoptLocked(r *routing.Backend) {
	var check routing.Check
	if r.Resilience != nil {
		check = r.Resilience.Check
	}
	b := c.backends[r.Key]
	if b == nil {
		if check.Kind == routing.NoCheck {
			return
		}
		b = &checkedBackend{endpoints: make(map[netip.AddrPort]*checkedEndpoint)}
		c.backends[r.Key] = b
	}
	if b.check != check || b.endpoints == nil || b.source != nil && b.source.Protocol != r.Protocol {
		for _, e := range b.endpoints {
			c.forgetLocked(e)
		}
		b.endpoints = make(map[netip.AddrPort]*checkedEndpoint)
		b.dirty = true
	}
	b.source, b.check, b.unchecked = r, check, 0
	if check.Kind == routing.NoCheck {
		return
	}
	kept := make(map[netip.AddrPort]*checkedEndpoint, len(r.Endpoints))
	all, mine := c.checkedLocked(r.Key.Namespace)
	for i := range r.Endpoints {
		addr := r.Endpoints[i].Addr
		e := b.endpoints[addr]
		switch {
		case e != nil:
		case all >= c.o.Endpoints || mine >= max(c.o.Endpoints/4, 1):
			b.unchecked++
			continue
		default:
			all, mine = all+1, mine+1
			e = &checkedEndpoint{backend: b, addr: addr, place: -1}
			// Soon, but not all at once.
			e.due = time.Now().Add(time.Duration(rand.Int64N(min(check.Interval, int64(time.Second)) + 1)))
			heap.Push(&c.later, e)
		}
		kept[addr] = e
	}
	for addr, e := range b.endpoints {
		if kept[addr] == nil {
			c.forgetLocked(e)
			b.dirty = b.dirty || e.unwell
		}
	}
	b.endpoints = kept
}

// checkedLocked counts the Endpoints that are checked, in all and in a namespace.
func (c *Checker) checkedLocked(namespace string) (all, mine int) {
	for key, b := range c.backends {
		all += len(b.endpoints)
		if key.Namespace == namespace {
			mine += len(b.endpoints)
		}
	}
	return all, mine
}

// forgetLocked has e be checked no more.
func (c *Checker) forgetLocked(e *checkedEndpoint) {
	e.gone = true
	if e.place >= 0 {
		heap.Remove(&c.later, e.place)
	}
}

// signal has run look again.
func (c *Checker) signal() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// tellPause gathers verdicts of one time, so that a Service whose Endpoints all fail is told of a few times and not of each.
const tellPause = 20 * time.Millisecond

// run starts checks when they are due, and tells what came of them, until Close.
func (c *Checker) run() {
	defer c.ended.Done()
	timer := time.NewTimer(0)
	defer timer.Stop()
	var told time.Time
	for {
		select {
		case <-c.ctx.Done():
			return
		case <-timer.C:
		case <-c.wake:
		}
		now := time.Now()
		c.mu.Lock()
		wait := c.startLocked(now)
		c.mu.Unlock()
		if pause := tellPause - now.Sub(told); pause > 0 {
			wait = min(wait, pause)
		} else {
			told = now
			c.tell()
		}
		timer.Reset(max(wait, time.Millisecond))
	}
}

// tell tells of the Backends that have changed.
func (c *Checker) tell() {
	type news struct {
		index  int32
		key    routing.BackendKey
		unwell []netip.AddrPort
	}
	var all []news
	c.mu.Lock()
	for key, b := range c.backends {
		if !b.dirty {
			continue
		}
		b.dirty = false
		n := news{index: b.source.Index, key: key}
		for addr, e := range b.endpoints {
			if e.unwell {
				n.unwell = append(n.unwell, addr)
			}
		}
		slices.SortFunc(n.unwell, netip.AddrPort.Compare)
		all = append(all, n)
		if b.check.Kind == routing.NoCheck {
			delete(c.backends, key)
		}
	}
	c.mu.Unlock()
	for _, n := range all {
		c.o.Tell(n.index, n.key, n.unwell)
	}
}

// startLocked starts as many of the checks that are due as may be, and returns the time until the next is due.
func (c *Checker) startLocked(now time.Time) (wait time.Duration) {
	for len(c.later) > 0 && !c.later[0].due.After(now) {
		e := heap.Pop(&c.later).(*checkedEndpoint)
		namespace := e.backend.source.Key.Namespace
		t := c.turns[namespace]
		if t == nil {
			t = &checkTurn{namespace: namespace}
			c.turns[namespace] = t
		}
		if len(t.due) == 0 {
			c.order = append(c.order, t)
		}
		t.due = append(t.due, e)
	}
	for c.running < c.o.Concurrent {
		t := c.nextLocked()
		if t == nil {
			break
		}
		e := t.due[0]
		t.due[0] = nil
		t.due = t.due[1:]
		if i := slices.Index(c.order, t); i >= 0 {
			c.order = slices.Delete(c.order, i, i+1)
		}
		if len(t.due) > 0 {
			c.order = append(c.order, t)
		}
		if e.gone {
			c.restLocked(t)
			continue
		}
		t.running++
		c.running++
		c.ended.Add(1)
		go c.check(t, e, e.backend.source, e.backend.check)
	}
	if len(c.later) == 0 {
		return time.Hour
	}
	return c.later[0].due.Sub(now)
}

// nextLocked returns the namespace whose turn it is; nil: none may have one.
func (c *Checker) nextLocked() (best *checkTurn) {
	for _, t := range c.order {
		if t.running < max(c.o.Concurrent/2, 1) && (best == nil || t.running < best.running) {
			best = t
		}
		if t.running == 0 {
			break
		}
	}
	return best
}

// restLocked drops t once nothing of it is left.
func (c *Checker) restLocked(t *checkTurn) {
	if t.running == 0 && len(t.due) == 0 {
		delete(c.turns, t.namespace)
	}
}

// check makes one check, on its goroutine, and judges e by it.
func (c *Checker) check(t *checkTurn, e *checkedEndpoint, b *routing.Backend, check routing.Check) {
	defer c.ended.Done()
	ctx, cancel := context.WithTimeout(c.ctx, time.Duration(check.Timeout))
	err := probeEndpoint(ctx, b, check, e.addr)
	cancel()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.running--
	t.running--
	c.restLocked(t)
	defer c.signal()
	if c.ctx.Err() != nil || e.gone {
		return
	}
	if err == nil {
		c.counts.Passed++
	} else {
		c.counts.Failed++
	}
	if (err != nil) == e.unwell {
		e.streak = 0
	} else if e.streak++; !e.unwell && e.streak >= check.Fall || e.unwell && e.streak >= check.Rise {
		e.unwell, e.streak = !e.unwell, 0
		e.backend.dirty = true
	}
	// Between nine and eleven tenths of the interval, so that checks do not fall into step.
	e.due = time.Now().Add(time.Duration(check.Interval*9/10 + rand.Int64N(check.Interval/5+1)))
	heap.Push(&c.later, e)
}

// checkQueue is a heap.Interface, by due.
type checkQueue []*checkedEndpoint

func (q checkQueue) Len() int           { return len(q) }
func (q checkQueue) Less(i, j int) bool { return q[i].due.Before(q[j].due) }
func (q checkQueue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].place, q[j].place = i, j
}

func (q *checkQueue) Push(x any) {
	e := x.(*checkedEndpoint)
	e.place = len(*q)
	*q = append(*q, e)
}

func (q *checkQueue) Pop() any {
	n := len(*q) - 1
	e := (*q)[n]
	(*q)[n] = nil
	*q = (*q)[:n]
	e.place = -1
	return e
}
