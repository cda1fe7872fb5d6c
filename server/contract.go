package server

import (
	"github.com/cloudwego/hertz/pkg/app"

	"github.com/sluice-gateway/sluice/server/internal/exchange"
	"github.com/sluice-gateway/sluice/server/internal/filter"
)

// The contract of Filters, as programs see it: FILTERS.md in server/filter tells how to write one. The types are those of the
// Exchange, where each is described.
type (
	// Exchange is one request and its response, as Filters see and change them.
	Exchange = exchange.Exchange
	// Response is a final head on its way to the client.
	Response = exchange.Response
	// Slot is what one Filter keeps of one request.
	Slot = exchange.Slot
	// Event is what an Exchange was, in numbers.
	Event = exchange.Event
	// Verdict is what a Filter decided.
	Verdict = exchange.Verdict

	// Filter is one layer of the onion: any of the types below, or several at once.
	Filter = exchange.Filter
	// RequestFilter sees a request before an Endpoint is picked.
	RequestFilter = exchange.RequestFilter
	// ResponseFilter sees every final response head before it is sent.
	ResponseFilter = exchange.ResponseFilter
	// BodyFilter changes bodies, by Transforms.
	BodyFilter = exchange.BodyFilter
	// DoneFilter is told that an Exchange ended.
	DoneFilter = exchange.DoneFilter
	// LoopFilter keeps something on each loop.
	LoopFilter = exchange.LoopFilter
	// Transform changes one body, piece by piece.
	Transform = exchange.Transform
	// TrailerTransform is a Transform that sees the trailers behind a body.
	TrailerTransform = exchange.TrailerTransform

	// Maker makes the Filters of one Kind.
	Maker = exchange.Maker
	// Env is what a Filter knows of its place.
	Env = exchange.Env
)

// What a Filter decides.
const (
	// Continue goes on with the next Filter, or upstream, or to the client.
	Continue = exchange.Continue
	// Respond means that the Filter has called Exchange.Respond or Exchange.Refuse.
	Respond = exchange.Respond
	// Park means that the Filter has called Exchange.Park.
	Park = exchange.Park
)

// HertzFilter makes a Hertz middleware a Filter. It runs on a goroutine of its own, with the request's head but without its
// body, while the Exchange is parked, and may block: its context ends when the client has left. Where it writes a response or
// aborts, that is the answer; otherwise request fields that it set go upstream, those that it deleted do not, and response
// fields that it set go to the client. Names of fields are in Hertz's spelling, whatever the client's.
func HertzFilter(h app.HandlerFunc) Filter { return filter.Hertz(h) }
