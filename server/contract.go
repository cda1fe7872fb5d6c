package server

import (
	"github.com/cloudwego/hertz/pkg/app"

	"github.com/sluice-gateway/sluice/routing/policy"
	"github.com/sluice-gateway/sluice/server/internal/exchange"
	"github.com/sluice-gateway/sluice/server/internal/filter"
)

// The contract of Filters, as programs see it. FILTERS.md in server/filter tells how to write a Filter; package exchange
// describes each type.
type (
	// Exchange is one request and its response, as Filters see and change them.
	Exchange = exchange.Exchange
	// Response is a final head on its way to the client.
	Response = exchange.Response
	// Slot is one Filter's storage for one request.
	Slot = exchange.Slot
	// Event is an Exchange in numbers: sizes, times, status and reason.
	Event = exchange.Event
	// Verdict is the decision of a Filter.
	Verdict = exchange.Verdict

	// Filter is one layer of the onion: any of the types below, or several at once.
	Filter = exchange.Filter
	// RequestFilter sees a request before an Endpoint is picked.
	RequestFilter = exchange.RequestFilter
	// ResponseFilter sees every final response head before it is sent.
	ResponseFilter = exchange.ResponseFilter
	// BodyFilter changes bodies, by Transforms.
	BodyFilter = exchange.BodyFilter
	// DoneFilter is called at the end of an Exchange.
	DoneFilter = exchange.DoneFilter
	// LoopFilter keeps state on each loop.
	LoopFilter = exchange.LoopFilter
	// Transform changes one body, piece by piece.
	Transform = exchange.Transform
	// TrailerTransform is a Transform that sees the trailers behind a body.
	TrailerTransform = exchange.TrailerTransform

	// Maker makes the Filters of one Kind.
	Maker = exchange.Maker
	// Env tells a Filter its place in its Chain.
	Env = exchange.Env
)

// Onion returns the places of the Filters of makers, from the outside in, as a Server has them.
func Onion(makers []Maker) policy.Onion { return exchange.OnionOf(exchange.Sorted(makers)) }

// The decisions of a Filter.
const (
	// Continue goes on with the next Filter, or upstream, or to the client.
	Continue = exchange.Continue
	// Respond means that the Filter has called Exchange.Respond or Exchange.Refuse.
	Respond = exchange.Respond
	// Park means that the Filter has called Exchange.Park.
	Park = exchange.Park
)

// HertzFilter makes a Hertz middleware a Filter. The middleware runs on a goroutine of its own while the Exchange is parked,
// with the request's head but without its body. It may block: its context ends when the client has left. A response that it
// writes, or an abort, answers the request; otherwise request fields that it set go upstream, those that it deleted do not,
// and response fields that it set go to the client. Field names are in Hertz's spelling, whatever the client's.
func HertzFilter(h app.HandlerFunc) Filter { return filter.Hertz(h) }
