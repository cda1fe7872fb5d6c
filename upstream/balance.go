package upstream

// Latency as peak-EWMA: an observation above the average replaces it, one below draws it down over
// decayTime. A slow answer thus counts at once, and is forgotten gradually. The cost of an Endpoint
// is that average times the exchanges it would then have in flight; of two random Endpoints the
// cheaper is taken ("power of two choices"), which keeps loops from flocking to one winner.
//
// An Endpoint without an observation has the cost typical of its Backend: a running median of its
// Endpoints' averages. With zero, a new Endpoint would draw every request until its first answer.

const (
	// decayTime is the time constant of the average, in nanoseconds.
	decayTime = 10e9
	// costFloor is added to every average, in nanoseconds, so that load counts where latency is near
	// zero.
	costFloor = 10e3
	// failureFloor is the least latency that a failure counts for, in nanoseconds: a refusal is quick,
	// and must not make its Endpoint the cheapest.
	failureFloor = 1e6
	// maxCost bounds the average, in nanoseconds, so that doubling by failures ends.
	maxCost = 60e9
	// typicalStep is the share by which one observation moves the running median.
	typicalStep = 1.0 / 32
)

// decay approximates exp(-elapsed/decayTime), within 0.07, by the first terms of its inverse.
func decay(elapsed int64) float64 {
	if elapsed <= 0 {
		return 1
	}
	x := float64(elapsed) / decayTime
	return 1 / (1 + x + x*x/2)
}

// observe takes one latency, in nanoseconds, into the average.
func (e *Endpoint) observe(now, latency int64, failed bool) {
	l := float64(max(latency, 0))
	b := e.backend
	if failed {
		l = max(l, failureFloor, 2*e.estimate())
	}
	switch {
	case e.seen == 0 && b.typical > 0:
		// Start at the typical cost and go from there like every other Endpoint, one step weighing
		// a half.
		e.cost = max(l, (l+b.typical)/2)
	case e.seen == 0, l > e.cost:
		e.cost = l
	default:
		w := decay(now - e.seen)
		e.cost = e.cost*w + l*(1-w)
	}
	e.cost = min(e.cost, maxCost)
	e.seen = now
	switch {
	case b.typical == 0:
		b.typical = e.cost
	case e.cost > b.typical:
		b.typical += b.typical * typicalStep
	default:
		b.typical -= b.typical * typicalStep
	}
}

// estimate returns the average, or the typical one where e has none.
func (e *Endpoint) estimate() float64 {
	if e.seen == 0 {
		return e.backend.typical
	}
	return e.cost
}

// score returns the cost of one more exchange with e. Without traffic the average fades towards
// nothing, so that an Endpoint that was slow once is tried again.
func (e *Endpoint) score(now int64) float64 {
	cost := e.estimate()
	if e.seen != 0 {
		cost *= decay(now - e.seen)
	}
	return (cost + costFloor) * float64(e.load()+1)
}

// roundRobin returns the next usable Endpoint in turn. There is at least one.
func (b *Backend) roundRobin() *Endpoint {
	b.turn++
	if b.turn >= len(b.usable) {
		b.turn = 0
	}
	return b.usable[b.turn]
}

// leastCost returns the cheaper of two random usable Endpoints, not avoid. There are at least two.
func (b *Backend) leastCost(now int64, avoid *Endpoint) *Endpoint {
	x, y := b.two(now, avoid)
	if y != nil && y.score(now) < x.score(now) {
		return y
	}
	return x
}

// leastInFlight returns the less loaded of two random usable Endpoints, not avoid. There are at
// least two.
func (b *Backend) leastInFlight(now int64, avoid *Endpoint) *Endpoint {
	x, y := b.two(now, avoid)
	if y != nil && y.load() < x.load() {
		return y
	}
	return x
}

// two draws two usable Endpoints to be compared; y is nil where the other one is avoid, or is passed by. There are at least
// two.
func (b *Backend) two(now int64, avoid *Endpoint) (x, y *Endpoint) {
	i, j := b.set.random.two(len(b.usable))
	x, y = b.usable[i], b.usable[j]
	switch {
	case y == avoid:
		return x, nil
	case x == avoid:
		return y, nil
	case b.warming == 0:
	case b.passesBy(x, now):
		return y, nil
	case b.passesBy(y, now):
		return x, nil
	}
	return x, y
}
