package upstream

// Passive health: an Endpoint that fails ConsecutiveFailures times in a row is ejected for a while.
// Then it is due for a probe: the next pick of its Backend takes it, once, and that exchange
// decides. A success brings it back with a clean record; a failure ejects it again, for twice as
// long. A probe whose end is neutral (the client left) makes it due again at once, and one that
// never reports is taken for lost when its lease ends.
//
//	healthy --failures--> ejected --time, pick--> probing --OK--> healthy
//	                         ^------------failure----'
//
// An ejected Endpoint is also tried for want of another, when the only other one has just failed; an answer makes it
// healthy without a probe. Without that rule a Backend of two Endpoints that are restarted in turn loses requests: while
// the first is still ejected, the second cannot be, and each request fails at the second before it succeeds at the first
// (44,000 of 215,000 calls to two gRPC servers).
//
// Exchanges that began before the ejection and end during it change nothing.

// healthState is the verdict on an Endpoint.
type healthState uint8

const (
	healthy healthState = iota
	ejected
	probing
)

// judge is the slow part of finished: a failure, or an end while not healthy.
func (e *Endpoint) judge(now int64, outcome Outcome) {
	switch {
	case e.aside:
		// The exchange began while e was the face of its Pod; the verdict counts for the present
		// face.
		return
	case outcome.Failed():
		if e.twin != nil && outcome.connecting() {
			e = e.turnAway()
		}
		e.failures++
		limit := int(e.backend.resilience.Eject.Failures)
		if e.health == probing || e.health == healthy && limit > 0 && int(e.failures) >= limit {
			e.eject(now)
		}
	case e.health == healthy, e.health == ejected && (!e.tried || outcome != OK):
	case outcome == OK:
		e.failures, e.ejection, e.health = 0, 0, healthy
		e.warmUp(now)
		e.backend.partition()
		if e.twin != nil {
			e.answered()
		}
	default:
		e.probeAgain(now)
	}
}

// probeAgain makes e due for another probe, because the last one decided nothing.
func (e *Endpoint) probeAgain(now int64) {
	e.until = now
	e.backend.nextProbe = now
}

// eject takes e out of balancing until a probe is due, or changes nothing where too many Endpoints
// are out already.
func (e *Endpoint) eject(now int64) {
	b := e.backend
	s := b.set
	o := &b.resilience.Eject
	if e.health == healthy {
		if out := len(b.out) + 1; out >= b.faces || out*100 > int(o.Percent)*b.faces {
			return
		}
	}
	if e.ejection = min(2*e.ejection, o.Max); e.ejection == 0 {
		e.ejection = min(o.Base, o.Max)
	}
	e.health, e.tried = ejected, false
	// Between three quarters and five quarters of the length.
	e.until = now + e.ejection*3/4 + int64(s.random.below(int(e.ejection/2)+1))
	b.ejections++
	b.partition()
}

// try notes that an exchange has begun with e, which is not healthy.
func (e *Endpoint) try(now int64) {
	if e.health == probing {
		e.until = now + e.lease()
	} else {
		e.tried = true
	}
}

// lease is how long a probe may take before the next one is sent.
func (e *Endpoint) lease() int64 { return max(e.ejection, minLease) }

// minLease is the least time given to a probe, in nanoseconds.
const minLease = 5e9

// probe returns an ejected Endpoint that is due, now probing, or nil. It is called when nextProbe
// has come, and sets it anew.
func (b *Backend) probe(now int64, avoid *Endpoint) *Endpoint {
	var due *Endpoint
	for _, e := range b.out {
		if e.until <= now && e != avoid && (due == nil || e.until < due.until) {
			due = e
		}
	}
	if due != nil {
		due.health = probing
		due.until = now + due.lease()
	}
	b.schedule()
	return due
}

// schedule sets nextProbe from the Endpoints that are out.
func (b *Backend) schedule() {
	b.nextProbe = never
	for _, e := range b.out {
		b.nextProbe = min(b.nextProbe, e.until)
	}
}

// partition sorts the Endpoints into those in use and those left out, after a verdict or a
// reconciliation. It allocates only when the Backend has grown.
func (b *Backend) partition() {
	b.usable, b.out, b.seeds = b.usable[:0], b.out[:0], b.seeds[:0]
	for _, e := range b.endpoints {
		switch {
		case e.aside, e.unwell:
		case e.health == healthy:
			b.usable = append(b.usable, e)
		default:
			b.out = append(b.out, e)
		}
	}
	b.faces = len(b.usable) + len(b.out)
	if len(b.usable) == 0 {
		// All are out: to try any of them is better than to refuse every request.
		b.usable = append(b.usable, b.out...)
	}
	if len(b.usable) == 0 {
		// All are unwell, or there is none. What is wrong may be the check.
		for _, e := range b.endpoints {
			if !e.aside {
				b.usable = append(b.usable, e)
			}
		}
		b.faces = len(b.usable)
	}
	b.schedule()
}
