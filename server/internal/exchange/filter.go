package exchange

import (
	"github.com/sluice-gateway/sluice/routing/policy"
	"github.com/sluice-gateway/sluice/server/internal/stats"
)

// The onion around an Exchange. A request goes inwards through the Filters of its Route, and its response outwards:
//
//	client ── forwarded ── a ── b ── c ──► Endpoint     RequestFilter, in order
//	client ◄──────────── a ── b ── c ◄── Endpoint       ResponseFilter, in reverse
//
// A Filter that answers itself is where the request turns: those inside it see nothing of the request, those outside it see
// its answer as they would see the Endpoint's. The same goes for an answer that the gateway gives because something
// failed: it is seen by every Filter that has seen the request. What fails before the first Filter (no Route, a client
// certificate that is missing) is seen by none.
//
// A Filter is any of the types below, or several at once. One value serves all loops at once, so that it is not written to
// once it has been made: what belongs to a request goes into Exchange.Slot, what belongs to a loop into Exchange.State.

// Filter is one layer of the onion.
type Filter interface {
	// Name is what logs call it.
	Name() string
}

// RequestFilter sees a request before an Endpoint is picked. It runs on the loop and must not block; see Exchange.Park.
type RequestFilter interface {
	Filter
	Request(x *Exchange) Verdict
}

// ResponseFilter sees every final response head before it is sent: the Backend's, an answer of the gateway's own, the 101
// that opens a tunnel. It may Continue, or Respond with something else in the response's place. It runs on the
// loop, must not block and cannot park.
type ResponseFilter interface {
	Filter
	Response(x *Exchange, r *Response) Verdict
}

// DoneFilter is told that an Exchange ended, however it did, once for each whose request it has seen.
type DoneFilter interface {
	Filter
	Done(x *Exchange, e *Event)
}

// LoopFilter keeps something on each loop, such as counters: see Exchange.State.
type LoopFilter interface {
	Filter
	// NewState makes it for one loop, on that loop, at the first request that asks for it.
	NewState() any
}

// Event is what an Exchange was, in numbers.
type Event = stats.Event

// Verdict is what a Filter decided.
type Verdict uint8

const (
	// Continue goes on with the next Filter, or upstream, or to the client.
	Continue Verdict = iota
	// Respond means that the Filter has called Exchange.Respond.
	Respond
	// Park means that the Filter has called Exchange.Park; what that gave says how to go on.
	Park
)

// Maker makes the Filters of one Kind. Options.Makers has them in the order of the onion.
type Maker struct {
	Kind policy.Kind
	// Make makes the Filter that f configures, once for all Routes that share the Policy. Where it fails the Routes answer
	// 503: what was asked for and cannot be done may have been there to protect them.
	Make func(f policy.Filter, e Env) (Filter, error)
}

// Env is what a Filter knows of its place.
type Env struct {
	// Slot is the number of the Filter in its chain: its own for Exchange.Slot and Exchange.State.
	Slot int
}
