package exchange

import (
	"bytes"
	"context"
	"net/netip"
	"slices"

	"github.com/sluice-gateway/sluice/routing"
	"github.com/sluice-gateway/sluice/server/internal/message"
	"github.com/sluice-gateway/sluice/server/internal/wire"
	"github.com/sluice-gateway/sluice/upstream"
)

// altered holds the changes that Filters have made to a request beside its fields, and their Slots. An Exchange gets one
// when the first Filter needs it; pooled by its loop.
type altered struct {
	slots   []Slot
	target  []byte         // replaces the client's; nil: nothing does
	memory  []byte         // of target, kept for the next request
	host    []byte         // replaces the Host that the Backend is sent; nil: nothing does
	name    []byte         // memory of host, kept for the next request
	backend int32          // an index into Snapshot.Backends
	chosen  bool           // backend replaces the Route's
	share   int32          // one more than the chosen Share of the Route's Split; 0: none was chosen
	wish    netip.AddrPort // the preferred Endpoint
	detour  detour
	key     upstream.Key // that stands for an Endpoint
	web     translation
	gate    *upstream.Gate // where x has room, at a Backend with a bound
	queue   *queue         // where x waits for it
	before  *Core          // x's neighbours there
	behind  *Core
	// gathering is what a Filter waits for that has the body read.
	gathering gathering
	unpark    context.CancelFunc // ends the context of Park's block
	parks     uint32             // how often the Exchange was parked
	pace      *pace              // of the response; nil: as fast as the client takes it
}

// Slot is one Filter's storage for one request. Its fields are zero when the request begins, except that Bytes keeps its
// memory for reuse: append to Bytes[:0].
type Slot struct {
	Ref   any
	Bytes []byte
	N     int64
}

// alter returns the changes of x, made at first use.
func (x *Core) alter() *altered {
	if x.altered == nil {
		if x.altered = x.w.freeAlterations.Take(); x.altered == nil {
			x.altered = &altered{}
		}
	}
	return x.altered
}

// freeAltered returns a to its pool.
func (w *Loop) freeAltered(a *altered) {
	if a.pace != nil {
		w.dropPace(a.pace)
	}
	for i := range a.slots {
		a.slots[i] = Slot{Bytes: wire.Reuse(a.slots[i].Bytes)}
	}
	*a = altered{slots: a.slots[:0], memory: wire.Reuse(a.memory), name: wire.Reuse(a.name), web: translation{suffix: wire.Reuse(a.web.suffix)}}
	w.freeAlterations.Put(a)
}

// Slot returns the Slot of the Filter whose place in the Chain is i, see Env.Slot. The pointer is valid during one call of
// the Filter.
func (x *Exchange) Slot(i int) *Slot {
	a := x.core().alter()
	if n := int(x.policy.chain.size); len(a.slots) < n {
		a.slots = slices.Grow(a.slots, n-len(a.slots))[:n]
	}
	return &a.slots[i]
}

// State returns the state that the LoopFilter whose place in the Chain is i keeps on this loop, made by NewState at the
// first call. It lives as long as the Policy of the Route, and belongs to this loop: no other reads or writes it.
func (x *Exchange) State(i int) any {
	c := x.policy.chain
	s := &c.state[x.w.ID()][i]
	if *s == nil {
		*s = c.loops[i].NewState()
	}
	return *s
}

// Count counts an outcome of the Filter whose place in the Chain is i: the n-th of Maker.Outcomes, from 0.
//
// hot: runs per request; no alloc, no lock.
func (x *Exchange) Count(i, n int) {
	if o := x.policy.chain.outcomes[i]; uint(n) < uint(o.n) {
		x.w.Shard.CountOutcome(o.first + n)
	}
}

// SetTarget replaces the request target that the Backend is sent, in the form of RFC 9112 section 3.2.1: a path that begins
// with "/", and a query if there is one. target is copied. Bytes that are no target fail the request with 500. Request phase
// only.
func (x *Exchange) SetTarget(target []byte) {
	if !validTarget(target) {
		x.filterFailed = true
		return
	}
	a := x.core().alter()
	a.target = append(a.memory[:0], target...)
	a.memory = a.target
}

// validTarget reports whether b begins with a slash and has no byte that could end a target, or a line.
func validTarget(b []byte) bool {
	if len(b) == 0 || b[0] != '/' {
		return false
	}
	for _, c := range b {
		if c <= ' ' || c == '#' || c >= 0x7f {
			return false
		}
	}
	return true
}

// SetPath replaces the path of the request target that the Backend is sent; the query stays. path is copied. Bytes that are
// no path fail the request with 500. Request phase only.
func (x *Exchange) SetPath(path []byte) {
	a, req := x.core().alter(), x.req
	if !validTarget(path) || bytes.IndexByte(path, '?') >= 0 {
		x.filterFailed = true
		return
	}
	if a.target == nil {
		a.target = a.memory[:0]
		switch {
		case !req.EmptyPath:
			a.target = append(a.target, x.head[req.Path.Off:req.Target.End]...)
		case !req.Query.Empty():
			a.target = append(append(a.target, '?'), req.Query.Of(x.head)...)
		}
	}
	end := bytes.IndexByte(a.target, '?')
	if end < 0 {
		end = len(a.target)
	}
	a.target = slices.Replace(a.target, 0, end, path...)
	a.memory = a.target
}

// SetHost replaces the Host that the Backend is sent: host, or host:port. It is copied. An invalid one fails
// the request with 500. Request phase only.
func (x *Exchange) SetHost(host []byte) {
	if _, _, ok := message.SplitAuthority(host, message.SpanOf(0, len(host))); !ok {
		x.filterFailed = true
		return
	}
	a := x.core().alter()
	a.host = append(a.name[:0], host...)
	a.name = a.host
}

// SetBackend sends the request to another Backend, by its index in Snapshot.Backends. A negative index answers 503. Request
// phase only.
func (x *Exchange) SetBackend(index int32) {
	a := x.core().alter()
	a.backend, a.chosen = index, true
}

// ChooseShare sends the request to a Share of the Route's Split, by its place; a later choice counts. SetBackend wins over it.
// Request phase only.
func (x *Exchange) ChooseShare(share int) { x.core().alter().share = int32(share) + 1 }

// ChosenShare returns the Share that a Filter has chosen, -1 where none has: then the weights will decide.
func (x *Exchange) ChosenShare() int {
	if x.altered == nil {
		return -1
	}
	return int(x.altered.share) - 1
}

// BackendOf returns the Backend to which requests of a Share go at present, and that of the Route where it has no Split; nil
// where the answer is 503. Request phase only.
func (x *Exchange) BackendOf(share int) *routing.Backend {
	if x.snapshot == nil {
		return nil
	}
	if split := x.route.Split(); split != nil {
		return x.snapshot.ShareOf(split, share)
	}
	return x.snapshot.Backend(x.route)
}

// BackendAt returns the Backend with that index in the request's Snapshot, nil where there is none. Request phase only.
func (x *Exchange) BackendAt(index int32) *routing.Backend {
	if x.snapshot == nil {
		return nil
	}
	return x.snapshot.BackendAt(index)
}

// Random returns 64 random bits that clients cannot predict.
func (x *Exchange) Random() uint64 { return x.w.random.Uint64() }

// Spread has the request go to the Endpoint that stands for a key, the same for all requests of the Backend with the key,
// or to one of so many, by chance: see upstream.Key. A later call counts. A wish comes before it. Request phase only.
func (x *Exchange) Spread(key []byte, among int) { x.core().alter().key = upstream.NewKey(key, among) }

// Holder returns the address of the Endpoint that stands for a key in the Backend that answers. Behind the request phase.
func (x *Exchange) Holder(key []byte) netip.AddrPort {
	if x.backend == nil {
		return netip.AddrPort{}
	}
	return x.backend.Holder(upstream.NewKey(key, 1))
}

// Endpoint returns the Endpoint that answers, with its Backend, and whether an attempt at another one has failed before. It is
// nil and invalid before there is one, and where the gateway answers itself. Behind the request phase.
func (x *Exchange) Endpoint() (of *routing.Backend, addr netip.AddrPort, replayed bool) {
	ep := x.attempt.Endpoint
	if ep == nil || x.backend == nil {
		return nil, addr, false
	}
	return x.backend.Source(), ep.Addr, x.attempt.Replayed()
}

// Prefer has the first attempt go to the Pod with that address, if the Pod is in the Backend, not ejected, and not full: see
// upstream.Attempt. Request phase only.
func (x *Exchange) Prefer(addr netip.AddrPort) { x.core().alter().wish = addr }

// host returns the Host that replaces the client's; nil: the client's goes on.
func (x *Core) host() []byte {
	if x.altered == nil || x.altered.host == nil {
		return x.policy.upstreamHost
	}
	return x.altered.host
}

// target returns the target that replaces the client's; nil: the client's goes on.
func (x *Core) target() []byte {
	if x.altered == nil {
		return nil
	}
	return x.altered.target
}
