package upstream

// Slow start: an Endpoint that comes to a Backend which has others, or comes back to it, has cold caches and no connection.
// For a while it takes a part of an equal share of the load that grows from leastFactor to all of it: while any Endpoint is
// warming, each balancer asks passesBy about those that it comes to.
//
// The Endpoints that a Set finds when it first learns of a Backend are not new.

const (
	// startsWarming is an Endpoint.warm whose slow start begins when a balancer first looks at it.
	startsWarming = -1
	// leastFactor is the factor at the beginning.
	leastFactor = 0.1
)

// factor returns the part of an equal share of its Backend's load that e takes now: 1 for most. Where e is not warming
// (e.warm is 0) callers need not ask.
func (e *Endpoint) factor(now int64) float64 {
	if e.warm == 0 {
		return 1
	}
	if e.warm == startsWarming {
		e.warm = now
	}
	f := float64(now-e.warm) / float64(max(e.backend.resilience.SlowStart, 1))
	if f >= 1 {
		e.warm = 0
		e.backend.warming--
		return 1
	}
	return max(f, leastFactor)
}

// warmUp begins the slow start of an Endpoint that is back.
func (e *Endpoint) warmUp(now int64) {
	if e.backend.resilience.SlowStart > 0 && e.warm == 0 {
		e.warm = now
		e.backend.warming++
	}
}

// countWarming counts the Endpoints in slow start anew, behind a reconciliation.
func (b *Backend) countWarming() {
	b.warming = 0
	for _, e := range b.endpoints {
		if b.resilience.SlowStart == 0 {
			e.warm = 0
		} else if e.warm != 0 {
			b.warming++
		}
	}
}

// passesBy reports whether the balancer that has come to e is to take another: by chance, as often as e's factor says. To
// be asked where b.warming is not 0.
func (b *Backend) passesBy(e *Endpoint, now int64) bool {
	return e.warm != 0 && b.set.random.unit() >= e.factor(now)
}

// skipWarming returns e, which round robin has come to, or one of those behind it.
func (b *Backend) skipWarming(e *Endpoint, now int64) *Endpoint {
	for range b.usable {
		if !b.passesBy(e, now) {
			break
		}
		e = b.roundRobin()
	}
	return e
}
