package exchange

import (
	"log/slog"
	"slices"

	"github.com/sluice-gateway/sluice/routing/policy"
	"github.com/sluice-gateway/sluice/server/internal/stats"
)

// The onion around an Exchange. A request goes inwards through the Filters of its Route, and its response outwards:
//
//	client ── forwarded ── a ── b ── c ──► Endpoint     RequestFilter, in order
//	client ◄──────────── a ── b ── c ◄── Endpoint       ResponseFilter, in reverse
//
// At a Filter that answers, the request turns: the Filters inside it see nothing of the request, those outside it see the
// answer as they would see the Endpoint's. An answer that the gateway makes because of a failure is seen by every Filter
// that has seen the request. A failure before the first Filter (no Route, a missing client certificate) is seen by none.
//
// A Filter is any of the types below, or several at once. One value serves all loops at once, and is not written to once it
// has been made: data of a request goes into Exchange.Slot, data of a loop into Exchange.State.

// Filter is one layer of the onion.
type Filter interface {
	// Name names the Filter in logs.
	Name() string
}

// RequestFilter sees a request before an Endpoint is picked. It runs on the loop and must not block: one that has to uses
// Exchange.Park.
type RequestFilter interface {
	Filter
	Request(x *Exchange) Verdict
}

// ResponseFilter sees every final response head before it is sent: the Backend's, an answer of the gateway's own, the 101
// that opens a tunnel. It may Continue, or Respond to replace the response. It runs on the loop, must not block and cannot
// park.
type ResponseFilter interface {
	Filter
	Response(x *Exchange, r *Response) Verdict
}

// DoneFilter is called once at the end of each Exchange whose request it has seen, whatever ended it. It runs on the loop
// and must not block.
type DoneFilter interface {
	Filter
	Done(x *Exchange, e *Event)
}

// LoopFilter keeps state on each loop, such as counters: see Exchange.State.
type LoopFilter interface {
	Filter
	// NewState makes the state of one loop. It is called on that loop, by the first Exchange.State.
	NewState() any
}

// Event is an Exchange in numbers: sizes, times, status and reason.
type Event = stats.Event

// Verdict is the decision of a Filter.
type Verdict uint8

const (
	// Continue goes on with the next Filter, or upstream, or to the client.
	Continue Verdict = iota
	// Respond means that the Filter has called Exchange.Respond or Exchange.Refuse.
	Respond
	// Park means that the Filter has called Exchange.Park: the function that its block returns decides.
	Park
)

// Maker makes the Filters of one Kind.
type Maker struct {
	Kind policy.Kind
	// Stage is where they stand: behind those of the Makers before, and inside all where it is "".
	Stage policy.Stage
	// Make makes the Filter that f configures, once for all Routes that share the Policy, on the goroutine that builds
	// Snapshots. Where it fails the Routes answer 503: the Filter may be there to protect them.
	Make func(f policy.Filter, e Env) (Filter, error)
	// Outcomes are names of what the Filters count by Exchange.Count: sluice_filter_outcomes_total. They are fixed, so that
	// no client can make a label of its own.
	Outcomes []string
}

// Env tells a Filter its place.
type Env struct {
	// Slot is the place of the Filter in its Chain: the argument of Exchange.Slot, State and Count.
	Slot int
	// Log is for what operators should read. What is logged for each request of a client has to be bounded by the Filter.
	Log *slog.Logger
}

// Sorted returns makers from the outside in: by Stage, and within one as they are.
func Sorted(makers []Maker) []Maker {
	makers = slices.Clone(makers)
	slices.SortStableFunc(makers, func(a, b Maker) int { return a.Stage.Compare(b.Stage) })
	return makers
}

// OnionOf returns the Places of makers, which are sorted.
func OnionOf(makers []Maker) (o policy.Onion) {
	for _, m := range makers {
		o = append(o, policy.Place{Kind: m.Kind, Stage: m.Stage})
	}
	return o
}
