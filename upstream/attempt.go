package upstream

import (
	"net/netip"
	"slices"
)

// Attempt decides to which Endpoint one request goes, or one connection that is passed through: the loop of attempts
// around pick. Connections, timers and answers are its user's. A plain value that belongs to its user; the zero value is
// ready.
//
//	e := a.Begin(b, now)          // nil: the Backend has no Endpoint
//	for no connection to e is to be had because of e.Full() {
//		e = a.Full(now)           // nil: every Endpoint is full
//	}
//	for it fails before a byte of the response {
//		e, again = a.Failed(now, outcome, carried, max) // nil: give up; otherwise as above
//	}
//	a.Finish(now, latency, OK)
//
// The rules, for all users:
//
//   - A replay goes to another Endpoint than the one that failed last, and to another Pod, as long as one is ready.
//   - After a failure to connect the attempt goes on at the Pod's other address, once, where it has one and that is not
//     full: nothing was sent, and it does not count as another attempt.
//   - An Endpoint that is full has not failed. The attempt goes on at up to mostFull others, the one that failed last coming
//     after all of them; finding an Endpoint full counts neither as an attempt nor as an exchange. Before the user reports
//     an Endpoint as full, the user has looked for room on its pooled Conns or Sessions.
//   - A request with a key goes to the Endpoint that has the key, its replay to the next one.
//   - A wish is for the first attempt alone: a request that failed there may fail there again, and an answer from another
//     Endpoint is better than none.
//   - An exchange is in flight from the choice on, until Full, Withdraw, Failed or Finish: exactly one of them.
type Attempt struct {
	// Endpoint is the Endpoint of the attempt that is under way, nil where none is; Chosen is when it was chosen. Read-only
	// outside this package.
	Endpoint *Endpoint
	Chosen   int64
	// Began is when the first attempt began. Read-only, too.
	Began int64

	hash     uint64                // of the request's Key, whose among is below
	avoid    *Endpoint             // failed last
	failed   [remembered]*Endpoint // failed before that one
	first    int32                 // index in usable of the Endpoint that was found full first; -1: not there
	looked   uint8                 // Endpoints looked at since, without that one
	made     uint8                 // attempts, with the one that is under way
	among    uint8                 // 0: the request has no key
	fellBack bool                  // the attempt goes on at the Pod's other address
}

const (
	// mostFull bounds how many Endpoints are looked at for room after a full one, so that a request that is refused costs
	// no more than one that is served. Where one in ten has room, 32 find it 29 times in 30.
	mostFull = 32
	// remembered is how many Endpoints are avoided beside the one that failed last. A judgement: beyond four attempts the
	// Backend is at fault, not its Endpoints.
	remembered = 2
	// lookedAtAll is the value of looked once no Endpoint is left to look at.
	lookedAtAll = 255
)

// Carried is what an attempt that failed had carried of its request, for the decision about a replay. The zero value is
// an attempt that sent nothing, on a connection made for it.
type Carried struct {
	Sent       SentState
	Idempotent bool // the request's method is
	Reused     bool // an earlier request went over the connection
}

// Begin makes the first attempt, at the Endpoint of b that its policy picks, or returns nil where there is none.
//
// hot: runs per request; no alloc, no lock.
func (a *Attempt) Begin(b *Backend, now int64) *Endpoint { return a.next(b.pick(now, nil), now) }

// Prefer is Begin with a wish: the Pod with that address, whichever of its addresses is its face now, if it is an Endpoint
// of b that is not ejected.
//
// hot: runs per request with a wish; no alloc, no lock.
func (a *Attempt) Prefer(b *Backend, wish netip.AddrPort, now int64) *Endpoint {
	if e := b.wished(wish); e != nil {
		return a.next(e, now)
	}
	return a.Begin(b, now)
}

// Full gives up the Endpoint of this attempt, to which there is no connection because it is full, and returns another to
// try, or nil where none is left. It may only be called before anything else of the loop has run since the choice.
func (a *Attempt) Full(now int64) *Endpoint {
	e := a.Endpoint
	b := e.backend
	a.Withdraw(now)
	n := len(b.usable)
	if n == 0 {
		return nil
	}
	if a.looked == 0 {
		a.first = int32(slices.Index(b.usable, e))
		b.roundRobin() // so that what is refused by one is spread over the others
	}
	avoid := a.avoid
	if avoid != nil {
		avoid = avoid.face()
	}
	for int(a.looked) < min(n, mostFull) {
		i := (b.turn + int(a.looked)) % n
		a.looked++
		if other := b.usable[i]; i != int(a.first) && other != avoid {
			return a.choose(other, now)
		}
	}
	if a.looked == lookedAtAll {
		return nil
	}
	a.looked = lookedAtAll
	if i := slices.Index(b.usable, avoid); i >= 0 && i != int(a.first) {
		return a.choose(avoid, now)
	}
	return nil
}

// Withdraw ends the attempt before anything was done at its Endpoint, for a reason that is the gateway's: as if the
// Endpoint had not been chosen.
func (a *Attempt) Withdraw(now int64) {
	a.Endpoint.withdraw(now)
	a.Endpoint = nil
}

// Failed ends the attempt, of which no byte of a response has come, and begins the next. It returns the Endpoint to go on
// at: with again for a replay, without for the same attempt at the Pod's other address. Without an Endpoint the request has
// failed, for want of one where again is true. max is the most attempts to make, at most 255: see mayReplay and budget.
func (a *Attempt) Failed(now int64, outcome Outcome, c Carried, max int) (e *Endpoint, again bool) {
	failed := a.Endpoint
	failed.finished(now, now-a.Chosen, outcome)
	a.Endpoint, a.looked = nil, 0
	if outcome.connecting() && c.Sent == Unsent && !a.fellBack {
		if twin := failed.fallback(); twin != nil && !twin.Full() {
			a.fellBack, a.avoid = true, failed
			return a.choose(twin, now), false
		}
	}
	if !a.mayReplay(failed.backend, now, c, max) {
		return nil, false
	}
	return a.another(failed, now), true
}

// MayReplay is the first half of Failed for an attempt whose response is known, and is not sent on where the request may be
// sent again. Where it returns true Replay has to follow.
func (a *Attempt) MayReplay(now int64, c Carried, max int) bool {
	return a.mayReplay(a.Endpoint.backend, now, c, max)
}

// Replay ends the attempt, behind MayReplay, and begins the next at the Endpoint that it returns; nil: there is none.
func (a *Attempt) Replay(now, latency int64, outcome Outcome) *Endpoint {
	failed := a.Endpoint
	failed.finished(now, latency, outcome)
	a.Endpoint, a.looked = nil, 0
	return a.another(failed, now)
}

func (a *Attempt) mayReplay(b *Backend, now int64, c Carried, max int) bool {
	if !mayReplay(c, int(a.made), max) || b.breaker.state != breakerClosed {
		return false
	}
	if c.Sent == Unsent || c.Reused || b.budget.take(now, b.resilience.RetryPercent) {
		return true
	}
	b.denied++
	return false
}

// another begins the next attempt behind one at failed: at an Endpoint that has not failed this request, if one is ready.
func (a *Attempt) another(failed *Endpoint, now int64) *Endpoint {
	b := failed.backend
	copy(a.failed[1:], a.failed[:])
	a.failed[0], a.avoid = a.avoid, failed
	e := a.again(b, now, failed)
	if !a.failedAt(e) {
		return a.next(e, now)
	}
	n := len(b.usable)
	for i := range min(n, mostFull) {
		if other := b.usable[(b.turn+i)%n]; !a.failedAt(other) && other != failed.face() {
			if e.health == probing && e.until > now {
				e.probeAgain(now)
			}
			return a.next(other, now)
		}
	}
	return a.next(e, now)
}

// failedAt reports whether an earlier attempt than the last failed at e's Pod.
func (a *Attempt) failedAt(e *Endpoint) bool {
	for _, f := range a.failed {
		if f != nil && f.face() == e {
			return true
		}
	}
	return false
}

// Finish ends the attempt whose response has begun, or that is cut short. latency is nanoseconds from the choice to the
// response's first byte, or to the end where none came.
//
// hot: runs per request; no alloc, no lock.
func (a *Attempt) Finish(now, latency int64, outcome Outcome) {
	a.Endpoint.finished(now, latency, outcome)
	a.Endpoint = nil
}

// Replayed reports whether the attempt that is under way is not the first.
func (a *Attempt) Replayed() bool { return a.made > 1 }

// next begins another attempt, at e.
func (a *Attempt) next(e *Endpoint, now int64) *Endpoint {
	if e == nil {
		return nil
	}
	if a.made++; a.made == 1 {
		a.Began = now
		e.backend.budget.begun++
	}
	a.fellBack = false
	return a.choose(e, now)
}

// choose has the attempt go to e.
func (a *Attempt) choose(e *Endpoint, now int64) *Endpoint {
	a.Endpoint, a.Chosen = e, now
	e.started(now)
	return e
}
