package upstream

import (
	"container/list"
	"context"
	"slices"
	"time"
)

// A name waits in one of three lanes, each with workers of its own, so that names which cost nothing but
// waiting cannot hold up the others, whoever made them and however many there are:
//
//	prompt   it has answered promptly before; it may take `promptness`, and is slow when that does not do
//	trial    it is new, or has failed; the same
//	patient  it is slow; it may take as long as resolv.conf says
//
// Within a lane the next is a name of the namespace that has the fewest workers at the moment. One whose
// names are answered at once so has as many turns as it likes, beside one whose names are all silent.

const (
	prompt = iota
	trial
	patient
	lanes
)

// promptness is how long a name may take that is looked up beside those of others: a DNS server of a cluster
// answers within milliseconds, and has asked the whole way down from the root within this.
const promptness = time.Second

// lane is the names that wait for its workers. All of it is guarded by Resolver.mu.
type lane struct {
	// limit bounds the workers, and share those that serve one namespace.
	limit, share int
	// patience is how long a lookup may take; 0 for as long as it does.
	patience time.Duration

	workers int
	turns   map[string]*turn
	order   []*turn // those with names waiting; the one that was served last is the last
}

// turn is the part of a namespace in a lane, while it has one.
type turn struct {
	lane      *lane
	namespace string
	waiting   list.List // of *watchedName, in the order of their coming
	running   int
}

func newLanes(concurrent int) (l [lanes]lane) {
	for i := range l {
		l[i] = lane{limit: concurrent, share: concurrent, patience: promptness, turns: map[string]*turn{}}
	}
	// Nobody waits here for a second only, so that one namespace leaves half of it to the others.
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

// load is how much of l is a namespace's at the moment.
func (l *lane) load(namespace string) int {
	if t := l.turns[namespace]; t != nil {
		return t.waiting.Len() + t.running
	}
	return 0
}

// put has n wait its turn: that of the watching namespace with the least to do, since nobody should be behind
// the names of another who watches the same.
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

// take returns the name that is served next, or nil. done has to follow.
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

// done says that a name of t is not served any more.
func (l *lane) done(t *turn) {
	t.running--
	l.forget(t)
}

// leave takes n out of the lane where it waits; it reports whether it did wait.
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
