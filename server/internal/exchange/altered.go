package exchange

import (
	"bytes"
	"context"
	"net/netip"
	"slices"

	"github.com/sluice-gateway/sluice/server/internal/wire"
)

// altered is what Filters have changed of a request beside its fields, and what they keep. Only an Exchange whose
// Filters use it has one; pooled by its worker.
type altered struct {
	slots   []Slot
	target  []byte         // in the place of the client's
	backend int32          // an index into Snapshot.Backends
	chosen  bool           // backend says where it goes
	wish    netip.AddrPort // the Endpoint to go to, if it can be
	web     translation
	unpark  context.CancelFunc // of what runs while the Exchange is parked
	parks   uint32             // how often it was
}

// Slot is what one Filter keeps of one request. It is zero when the request begins, but that the memory of Bytes is kept:
// append to Bytes[:0].
type Slot struct {
	Ref   any
	Bytes []byte
	N     int64
}

// alter returns what holds the changes of this Exchange.
func (x *Core) alter() *altered {
	if x.altered == nil {
		if x.altered = x.w.freeA.Take(); x.altered == nil {
			x.altered = &altered{}
		}
	}
	return x.altered
}

// freeAltered takes a back.
func (w *Loop) freeAltered(a *altered) {
	for i := range a.slots {
		a.slots[i] = Slot{Bytes: wire.Reuse(a.slots[i].Bytes)}
	}
	*a = altered{slots: a.slots[:0], target: wire.Reuse(a.target), web: translation{suffix: wire.Reuse(a.web.suffix)}}
	w.freeA.Put(a)
}

// Slot returns what the Filter in that place of the chain keeps of this request, see Env.Slot. The pointer is good during
// one call of the Filter.
func (x *Exchange) Slot(i int) *Slot {
	a := x.core().alter()
	if n := int(x.policy.chain.size); len(a.slots) < n {
		a.slots = slices.Grow(a.slots, n-len(a.slots))[:n]
	}
	return &a.slots[i]
}

// State returns what the LoopFilter in that place of the chain keeps on this loop, which is made at the first call.
// It lives as long as the Policy of the Route, and belongs to the loop: no other reads or writes it.
func (x *Exchange) State(i int) any {
	c := x.policy.chain
	s := &c.state[x.w.ID()][i]
	if *s == nil {
		*s = c.loops[i].NewState()
	}
	return *s
}

// SetTarget replaces the request target that the Backend is sent, which has the form of RFC 9112 section 3.2.1: a path
// that begins with "/", and a query if there is one. It is copied. What is no target fails the request with 500. Request
// phase only.
func (x *Exchange) SetTarget(target []byte) {
	if !validTarget(target) {
		x.faulty = true
		return
	}
	a := x.core().alter()
	a.target = append(a.target[:0], target...)
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

// SetPath replaces the path of the request target that the Backend is sent; the query stays. It is copied. What is no path
// fails the request with 500. Request phase only.
func (x *Exchange) SetPath(path []byte) {
	a, req := x.core().alter(), x.req
	if !validTarget(path) || bytes.IndexByte(path, '?') >= 0 {
		x.faulty = true
		return
	}
	if len(a.target) == 0 {
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
}

// SetBackend sends the request to another Backend of the Snapshot, by its index; negative answers 503. Request phase only.
func (x *Exchange) SetBackend(index int32) {
	a := x.core().alter()
	a.backend, a.chosen = index, true
}

// Prefer has the first attempt go to the Pod with that address, if the Pod is in the Backend, not ejected, and not full: see
// upstream.Attempt. Request phase only.
func (x *Exchange) Prefer(addr netip.AddrPort) { x.core().alter().wish = addr }

// target returns what replaces the client's target, nil for nothing.
func (x *Core) target() []byte {
	if x.altered == nil || len(x.altered.target) == 0 {
		return nil
	}
	return x.altered.target
}
