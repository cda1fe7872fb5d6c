package upstream

import (
	"container/list"
	"context"
	"slices"
	"time"
)

// A name waits in one of three lanes, each with its own workers, so that names whose servers are silent
// cannot delay the others, whichever namespace watches them and however many there are:
//
//	prompt   answered promptly before; a lookup is cut after `promptness`, and the name then slow
//	trial    new, or failed last time; the same bound
//	patient  slow; bounded by the timeouts of resolv.conf alone
//
// Within a lane the next name is one of the namespace with the fewest busy workers. A namespace whose
// names are answered at once gets as many turns as it can use beside one whose names are all silent.

const (
	prompt = iota
	trial
	patient
	lanes
)

// promptness bounds the lookup of a name in the lanes prompt and trial: a cluster's DNS server answers
// within milliseconds, and recurses from the root within this.
const promptness = time.Second

// lane is the names that wait for its workers. All of it is guarded by Resolver.mu.
type lane struct {
	// limit bounds the workers, and share those that serve one namespace.
	limit, share int
	// patience bounds a lookup; 0: nothing but resolv.conf does.
	patience time.Duration

	workers int
	turns   map[string]*turn
	order   []*turn // those with names waiting; the one that was served last is the last
}

// turn is the queue of one namespace in a lane; it exists while the namespace has names there.
type turn struct {
	lane      *lane
	namespace string
	waiting   list.List // of *watchedName, in order of arrival
	running   int
}

func newLanes(concurrent int) (l [lanes]lane) {
	for i := range l {
		l[i] = lane{limit: concurrent, share: concurrent, patience: promptness, turns: map[string]*turn{}}
	}
	// Lookups in this lane usually take more than a second: one namespace has at most half of the
	// workers.
	l[patient].share, l[patient].patience = max(1, concurrent/2), 0
	return l
}

// laneOf returns the lane that n belongs in now.
func (r *Resolver) laneOf(n *watchedName) *lane {
	switch {
	case n.slow:
		return &r.lanes[patient]
	case n.version > 0 && n.retry == 0:
		return &r.lanes[prompt]
	}
	return &r.lanes[trial]
}

// load counts the names of a namespace that wait in l or are being served.
func (l *lane) load(namespace string) int {
	if t := l.turns[namespace]; t != nil {
		return t.waiting.Len() + t.running
	}
	return 0
}

// put queues n under the watching namespace with the least load: a name that two namespaces watch must not
// wait behind the other names of the busier one.
func (l *lane) put(n *watchedName) {
	namespace, least := "", -1
	for _, w := range n.watches {
		if load := l.load(w.namespace); least < 0 || load < least {
			namespace, least = w.namespace, load
		}
		if least == 0 {
			break
		}
	}
	t := l.turns[namespace]
	if t == nil {
		t = &turn{lane: l, namespace: namespace}
		l.turns[namespace] = t
	}
	if t.waiting.Len() == 0 {
		l.order = append(l.order, t)
	}
	n.turn, n.place = t, t.waiting.PushBack(n)
}

// take returns the name that is served next, or nil. The caller must call done afterwards.
func (l *lane) take() *watchedName {
	best := -1
	for i, t := range l.order {
		if t.running < l.share && (best < 0 || t.running < l.order[best].running) {
			best = i
		}
		if t.running == 0 {
			break
		}
	}
	if best < 0 {
		return nil
	}
	t := l.order[best]
	t.running++
	n := t.waiting.Remove(t.waiting.Front()).(*watchedName)
	n.place = nil
	l.order = slices.Delete(l.order, best, best+1)
	if t.waiting.Len() > 0 {
		l.order = append(l.order, t)
	}
	return n
}

// done notes that a name of t is no longer being served.
func (l *lane) done(t *turn) {
	t.running--
	l.forget(t)
}

// leave removes n from the lane where it waits; it reports whether it did wait.
func (n *watchedName) leave() bool {
	if n.place == nil {
		return false
	}
	t := n.turn
	t.waiting.Remove(n.place)
	n.turn, n.place = nil, nil
	if t.waiting.Len() == 0 {
		i := slices.Index(t.lane.order, t)
		t.lane.order = slices.Delete(t.lane.order, i, i+1)
	}
	t.lane.forget(t)
	return true
}

// forget drops t once nothing of it is left.
func (l *lane) forget(t *turn) {
	if t.running == 0 && t.waiting.Len() == 0 {
		delete(l.turns, t.namespace)
	}
}

// bound returns the context of a lookup in l.
func (l *lane) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	if l.patience == 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, l.patience)
}
