package server

import (
	"bytes"
	"net/netip"

	"github.com/sluice-gateway/sluice/routing"
	"github.com/sluice-gateway/sluice/server/internal/h1"
	"github.com/sluice-gateway/sluice/server/internal/message"
)

// Verdict is what a Filter's request phase decided.
type Verdict uint8

const (
	// Continue goes on with the next Filter, or upstream.
	Continue Verdict = iota
	// Respond means that the Filter has called Exchange.Respond.
	Respond
	// Park means that the Filter has called Exchange.Park; what that gave says how to go on.
	Park
)

// Filter is one layer of the onion around an Exchange. Request runs on the loop, in the chain's
// order, before an Endpoint is picked; it must not block. A Filter may also be a ResponseFilter, a
// DoneFilter, or both. One Filter value serves all loops at once: it keeps what belongs to a request
// in Exchange.Values.
type Filter interface {
	Request(x *Exchange) Verdict
}

// ResponseFilter sees the final response head before it is sent, in reverse order.
type ResponseFilter interface {
	Filter
	Response(x *Exchange)
}

// DoneFilter is told that an Exchange ended, however it did, in reverse order, once for each whose
// request phase ran.
type DoneFilter interface {
	Filter
	Done(x *Exchange)
}

// chain is the compiled onion of a Route. The last two lists run from their ends; the numbers beside
// them are positions in request.
type chain struct {
	request    []Filter
	response   []ResponseFilter
	responseAt []int
	done       []DoneFilter
	doneAt     []int
}

func compileChain(filters ...Filter) *chain {
	c := &chain{request: filters}
	for i, f := range filters {
		if r, ok := f.(ResponseFilter); ok {
			c.response, c.responseAt = append(c.response, r), append(c.responseAt, i)
		}
		if d, ok := f.(DoneFilter); ok {
			c.done, c.doneAt = append(c.done, d), append(c.doneAt, i)
		}
	}
	return c
}

// edits is what filters changed. Field lines in it are complete, with CR LF.
type edits struct {
	add      []byte // to the request
	respAdd  []byte // to the response
	deadline int64  // of the whole Exchange on the loop's clock; 0 = none
}

// ownHead is a request head that outlives the read it came with, for a parked Exchange.
type ownHead struct {
	req   message.Request
	head  []byte
	early []byte
}

// run takes the filters from position next on, and then forwards.
//
// hot: runs per request; no alloc, no lock.
func (x *Exchange) runFilters() {
	filters := x.policy.chain.request
	for x.ran < len(filters) {
		x.ran++
		switch filters[x.ran-1].Request(x) {
		case Respond:
			return
		case Park:
			x.keepHead()
			return
		}
	}
	x.forward(x.req, x.head, x.early)
	x.req, x.head, x.early = nil, nil, nil
}

func (x *Exchange) runResponse() {
	c := x.policy.chain
	for i := len(c.response) - 1; i >= 0; i-- {
		if c.responseAt[i] < x.ran {
			c.response[i].Response(x)
		}
	}
}

func (x *Exchange) runDone() {
	c := x.policy.chain
	for i := len(c.done) - 1; i >= 0; i-- {
		if c.doneAt[i] < x.ran {
			c.done[i].Done(x)
		}
	}
}

// keepHead copies the request out of the scratch buffer.
func (x *Exchange) keepHead() {
	o := &ownHead{head: bytes.Clone(x.head), early: bytes.Clone(x.early), req: *x.req}
	o.req.Fields = append([]message.Field(nil), x.req.Fields...)
	x.req, x.head, x.early = &o.req, o.head, o.early
}

// parkLimit bounds how long a Filter may keep an Exchange parked, nanoseconds.
const parkLimit = int64(60e9)

// Park runs block on a goroutine of its own and then, on the loop, the function that block returned,
// whose Verdict says how the Exchange goes on. block must not touch x: the client may leave, and x
// serve another request, while it runs. In that case the returned function is not called. Too many
// parked Exchanges at once, or one parked for over a minute, fail with 503 and 500.
func (x *Exchange) Park(block func() func(*Exchange) Verdict) Verdict {
	w := x.w
	select {
	case w.parking <- struct{}{}:
	default:
		x.fail(failOverloaded)
		return Respond
	}
	x.parked = true
	w.loop.Set(&x.timer, w.loop.Now()+parkLimit)
	serial := x.serial
	go func() {
		next := guarded(block)
		<-w.parking
		w.loop.Post(func() {
			if x.serial != serial || !x.parked {
				return
			}
			x.parked = false
			x.timer.Stop()
			c := x.c
			if next(x) == Continue {
				x.runFilters()
			}
			c.pump()
		})
	}()
	return Park
}

// guarded runs block; where it panics, the Exchange fails and the process lives.
func guarded(block func() func(*Exchange) Verdict) (next func(*Exchange) Verdict) {
	defer func() {
		if recover() != nil {
			next = func(x *Exchange) Verdict {
				x.fail(failInternal)
				return Respond
			}
		}
	}()
	return block()
}

// Respond answers the client instead of the Backend. fields are complete field lines, each with CR
// LF, without framing fields; body is sent with its length. Both are copied.
func (x *Exchange) Respond(status int, fields, body []byte) Verdict {
	x.status = uint16(status)
	x.headDone = true
	x.sentBytes += int64(x.c.answer(x, status, fields, body))
	x.end(reasonFiltered, outcomeNone)
	return Respond
}

// Route returns the Route that the request matched.
func (x *Exchange) Route() *routing.Route { return x.route }

// Remote returns the client's address as the connection has it.
func (x *Exchange) Remote() netip.AddrPort { return x.c.peer().remote }

// Head returns the request's index and the bytes it points into, in the request phase only. They are
// valid until Request returns; copy to keep.
func (x *Exchange) Head() (*message.Request, []byte) { return x.req, x.head }

// AddRequestField adds a field line to what goes upstream. name and value must be valid; both are
// copied.
func (x *Exchange) AddRequestField(name, value string) {
	x.edits.add = h1.AppendField(x.edits.add, name, value)
}

// DropRequestField keeps every field of that name from going upstream. Request phase only.
func (x *Exchange) DropRequestField(name string) {
	for i := range x.req.Fields {
		if f := &x.req.Fields[i]; bytes.EqualFold(f.Name.Of(x.head), []byte(name)) {
			f.Hop = true
		}
	}
}

// AddResponseField adds a field line to the response head. name and value must be valid; both are
// copied.
func (x *Exchange) AddResponseField(name, value string) {
	x.edits.respAdd = h1.AppendField(x.edits.respAdd, name, value)
}

// Status returns the status sent to the client, 0 before.
func (x *Exchange) Status() int { return int(x.status) }
