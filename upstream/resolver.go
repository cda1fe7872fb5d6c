package upstream

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"
)

// ResolverOptions configure a Resolver. The zero value of every field means its default.
type ResolverOptions struct {
	// ResolvConf is the path of the stub resolver's configuration; default /etc/resolv.conf. It is
	// read for each lookup.
	ResolvConf string
	// MaxConcurrent bounds the names that are looked up at a time; default 16. The others wait. It counts
	// for each lane: names that answer promptly, names that are new or fail, and slow ones.
	MaxConcurrent int
	// StaleLimit is how long the last known addresses are served beyond their TTL while lookups
	// fail; default 24 h (RFC 8767 names one to three days). An answer that there are none is not a
	// failure, and counts at once.
	StaleLimit time.Duration
	// Failed, if not nil, is told of each lookup that failed, on a goroutine of the Resolver.
	Failed func(name string, err error)
}

// Resolver keeps watched names resolved: each is looked up again when its TTL ends, and its watchers
// are told when its addresses change. It holds a timer per name, and goroutines only while it looks
// up or delivers, at most a small multiple of MaxConcurrent. Safe for concurrent use; must not be
// copied. NewResolver makes it; the zero value is not usable.
type Resolver struct {
	// Immutable after NewResolver:
	options ResolverOptions
	lookup  func(ctx context.Context, name string) (v4, v6 finding)
	ctx     context.Context
	cancel  context.CancelFunc

	mu sync.Mutex
	// Guarded by mu:
	names  map[string]*watchedName
	lanes  [lanes]lane // of the names that are due
	closed bool

	done sync.WaitGroup // the workers
}

// NewResolver returns a Resolver that watches nothing yet. Close ends it.
func NewResolver(o ResolverOptions) *Resolver {
	if o.ResolvConf == "" {
		o.ResolvConf = "/etc/resolv.conf"
	}
	if o.MaxConcurrent <= 0 {
		o.MaxConcurrent = 16
	}
	if o.StaleLimit <= 0 {
		o.StaleLimit = 24 * time.Hour
	}
	client := &dnsClient{path: o.ResolvConf, reachable: hasRoute}
	r := &Resolver{options: o, lookup: client.lookup, names: map[string]*watchedName{}, lanes: newLanes(o.MaxConcurrent)}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	return r
}

// watch is one call of Watch.
type watch struct {
	namespace string
	port      uint16
	fn        func([]netip.AddrPort)
	// Guarded by Resolver.mu:
	seen    uint64 // the version delivered last
	stopped bool
}

// Watch calls fn with the addresses of name, each with port: once they are first known, and whenever
// they change. The list is sorted, without duplicates, unmapped, and fn's to keep; it is empty when
// the name has no addresses. While nothing could be learnt yet, fn is not called.
//
// namespace is the one that asks. Each namespace has a fair part of the workers, however many names the
// others have and however slow those are. Watches of the same name share its lookups.
//
// fn runs on a goroutine of the Resolver, never inside Watch, and not concurrently with itself. fn
// should hand the addresses over and return: other names wait meanwhile. stop ends the watch; a call
// of fn may still be running when stop returns.
func (r *Resolver) Watch(namespace, name string, port uint16, fn func([]netip.AddrPort)) (stop func()) {
	name = strings.ToLower(name)
	w := &watch{namespace: namespace, port: port, fn: fn}
	r.mu.Lock()
	defer r.mu.Unlock()
	n := r.names[name]
	if n == nil {
		n = &watchedName{name: name}
		r.names[name] = n
	}
	n.watches = append(n.watches, w)
	r.serveLocked(n)
	return func() { r.stop(n, w) }
}

// stop takes w off n, and forgets n with its last watch.
func (r *Resolver) stop(n *watchedName, w *watch) {
	r.mu.Lock()
	defer r.mu.Unlock()
	w.stopped = true
	n.watches = slices.DeleteFunc(n.watches, func(other *watch) bool { return other == w })
	if len(n.watches) == 0 && r.names[n.name] == n {
		delete(r.names, n.name)
		n.disarm()
		// Names that come and go must leave nothing behind.
		n.leave()
	}
}

// Close ends all watches and waits for calls and lookups under way. It must not be called from a
// watch's fn.
func (r *Resolver) Close() {
	r.mu.Lock()
	r.closed = true
	for _, n := range r.names {
		n.disarm()
		for _, w := range n.watches {
			w.stopped = true
		}
	}
	r.mu.Unlock()
	r.cancel()
	r.done.Wait()
}

// serveLocked has n served by a worker, now or when one is free. One worker at a time serves a name; a
// name that is asked for while it is being served is served once more.
func (r *Resolver) serveLocked(n *watchedName) {
	switch {
	case r.closed:
	case n.place != nil:
		// n waits, perhaps behind the names of a namespace with more load than the new watch's.
		if w := n.watches[len(n.watches)-1]; n.turn.lane.load(w.namespace) < n.turn.lane.load(n.turn.namespace) {
			n.leave()
			r.queueLocked(n)
		}
	case n.busy:
		n.again = true
	default:
		n.busy = true
		r.queueLocked(n)
	}
}

// queueLocked queues n in its lane, and starts one more worker for the lane if it may.
func (r *Resolver) queueLocked(n *watchedName) {
	l := r.laneOf(n)
	l.put(n)
	if l.workers < l.limit {
		l.workers++
		r.done.Add(1)
		go r.work(l)
	}
}

// work serves the names of l until none waits.
func (r *Resolver) work(l *lane) {
	defer r.done.Done()
	r.mu.Lock()
	defer r.mu.Unlock()
	for !r.closed {
		n := l.take()
		if n == nil {
			break
		}
		t := n.turn
		r.mu.Unlock()
		cut := r.serve(l, n)
		r.mu.Lock()
		l.done(t)
		switch {
		case len(n.watches) == 0 || r.closed:
			n.busy = false
		case cut || n.again:
			n.again = false
			r.queueLocked(n)
		default:
			n.busy = false
			n.arm(func() {
				r.mu.Lock()
				defer r.mu.Unlock()
				// The last watch of n may have gone while another was called.
				if len(n.watches) > 0 {
					r.serveLocked(n)
				}
			})
		}
	}
	l.workers--
}

// serve looks n up if it is due, and tells the watches that have not seen its present addresses. It reports
// whether the patience of the lane cut the lookup short: then n is slow, and has to wait in another.
func (r *Resolver) serve(l *lane, n *watchedName) (cut bool) {
	r.mu.Lock()
	due := len(n.watches) > 0 && !time.Now().Before(n.due)
	r.mu.Unlock()
	if due {
		cut = r.lookUp(l, n)
	}

	r.mu.Lock()
	defer r.mu.Unlock()
	for _, w := range slices.Clone(n.watches) {
		if w.stopped || w.seen == n.version {
			continue
		}
		w.seen = n.version
		list := make([]netip.AddrPort, len(n.addresses))
		for i, ip := range n.addresses {
			list[i] = netip.AddrPortFrom(ip, w.port)
		}
		r.mu.Unlock()
		w.fn(list)
		r.mu.Lock()
	}
	return cut
}

// lookUp looks n up, within the patience of l.
func (r *Resolver) lookUp(l *lane, n *watchedName) (cut bool) {
	ctx, cancel := l.bound(r.ctx)
	defer cancel()
	start := time.Now()
	v4, v6 := r.lookup(ctx, n.name)
	failed := v4.err != nil || v6.err != nil
	if failed && ctx.Err() != nil && r.ctx.Err() == nil {
		r.mu.Lock()
		defer r.mu.Unlock()
		n.slow = true
		return true
	}
	for _, err := range []error{v4.err, v6.err} {
		if err != nil && r.options.Failed != nil && r.ctx.Err() == nil {
			r.options.Failed(n.name, err)
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	n.learn(time.Now(), r.options.StaleLimit, v4, v6)
	// A failure is retried soon, when its cause may be over: it need not wait in the slow lane.
	n.slow = !failed && time.Since(start) > promptness
	return false
}
