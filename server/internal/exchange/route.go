package exchange

import (
	"github.com/sluice-gateway/sluice/routing"
	"github.com/sluice-gateway/sluice/server/internal/grpcweb"
	"github.com/sluice-gateway/sluice/server/internal/message"
	"github.com/sluice-gateway/sluice/server/internal/stats"
	"github.com/sluice-gateway/sluice/upstream"
)

// match finds the Route, and applies what holds for every request to it.
//
// hot: runs per request; no alloc, no lock.
func (x *Core) match(req *message.Request, head []byte) *Failure {
	switch {
	case req.Method == message.MethodConnect:
		return failConnectMethod
	case req.ExpectOther:
		return failExpect
	case x.extended && !x.upgrade:
		return failExtended
	}
	s := x.w.Store.Load()
	if s == nil {
		return failNotReady
	}
	if fail := x.findRoute(s, req, head); fail != nil {
		return fail
	}
	return x.admit(req, head)
}

// admit applies the rules of the Route's object and of its Host that hold for every request.
//
// hot: runs per request; no alloc, no lock.
func (x *Core) admit(req *message.Request, head []byte) *Failure {
	x.policy = x.w.Settings.plain
	switch a := x.route.Attachment.(type) {
	case *stats.Series:
		x.series = a
	case *routeAttachment:
		x.policy, x.series = a.policy, a.series
	}
	if x.w.Pressure > x.policy.priority+1 {
		x.w.Shard.Shed[stats.ShedMemory]++
		return failMemory
	}
	if t := x.route.TLS(); t != nil {
		if fail := x.checkTLS(t); fail != nil {
			return fail
		}
	}
	switch {
	case x.route.Backend == routing.Forbidden:
		return failForbidden
	case x.policy.closed:
		return failNoBackend
	}
	if x.web != grpcweb.None {
		// Refusals from here on are written in the form that the client reads.
		if b := x.snapshot.Backend(x.route); b != nil {
			x.translateWeb(b.Protocol, req, head)
		}
	}
	return x.bound(req, head)
}

// findRoute looks the request's host and path up in s, and sets the Route. Host and path are
// normalised for the look-up alone: the Endpoint is sent what the client sent.
//
// hot: runs per request; no alloc, no lock.
func (x *Core) findRoute(s *routing.Snapshot, req *message.Request, head []byte) *Failure {
	w := x.w
	var host, path []byte
	ok := true
	if !req.Authority.Empty() {
		if host, ok = routing.NormalizeHost(w.hostScratch[:0], req.Authority.Of(head)); !ok {
			return failHost
		}
	}
	switch {
	case req.Form == message.AsteriskForm:
		return failNoRoute
	case req.EmptyPath:
		path = slash
	default:
		if path, ok = routing.NormalizePath(w.pathScratch[:0], req.Path.Of(head)); !ok {
			return failPath
		}
	}
	x.snapshot = s
	x.route = s.Table.Match(host, path)
	if x.route == nil {
		return failNoRoute
	}
	return nil
}

// elsewhere goes on with the default Route, from a Route that stands for what its Host has no path for.
func (x *Core) elsewhere() {
	x.route, x.series = x.snapshot.Table.Default(), nil
	x.policy, x.passed, x.depth = x.w.Settings.plain, 0, 0
	if x.altered != nil {
		x.w.freeAltered(x.altered)
		x.altered = nil
	}
	fail := failNoRoute
	if x.route != nil {
		fail = x.admit(x.req, x.head)
	}
	if fail != nil {
		x.failMatched(fail)
		return
	}
	x.runFilters()
}

// failMatched fails x because of what is known before the first Filter.
func (x *Core) failMatched(f *Failure) {
	if f == failBodyTooLarge {
		x.depth = x.policy.chain.outer
	}
	x.Fail(f)
}

var slash = []byte("/")

// bound sets the limits of the request: the size of its body, and the deadline of the Exchange, which a gRPC client may move
// forward. A body that is known to be too large fails here.
//
// hot: runs per request; no alloc, no lock.
func (x *Core) bound(req *message.Request, head []byte) *Failure {
	limit := orElse(x.policy.bodyLimit, x.w.Settings.bodyLimit)
	x.bodyLimit = limit
	if limit > 0 && (x.reqBody.from == FrameLength && x.reqBody.data+x.reqBody.left > limit || x.reqBody.data > limit) {
		return failBodyTooLarge
	}
	if x.policy.total > 0 || x.w.Settings.total > 0 {
		x.edits.deadline = x.started + orElse(x.policy.total, x.w.Settings.total)
	}
	if x.grpc {
		if timeout := grpcTimeout(req, head); timeout > 0 && (x.edits.deadline == 0 || x.started+timeout < x.edits.deadline) {
			x.edits.deadline = x.started + timeout
		}
	}
	return nil
}

// bind finds the Backend: that of the Route, one that its Split gives, or the one that a Filter has chosen.
//
// hot: runs per request; no alloc, no lock.
func (x *Core) bind(req *message.Request, head []byte) *Failure {
	s := x.snapshot
	b := s.Backend(x.route)
	if a := x.altered; a != nil && a.chosen {
		if b = s.BackendAt(a.backend); b != nil {
			x.retranslateWeb(b.Protocol, req, head)
		}
	} else if a, ok := x.route.Attachment.(*routeAttachment); ok && a.split != nil {
		share := x.share(a.split)
		if b = s.ShareOf(a.split, share); b != nil {
			x.retranslateWeb(b.Protocol, req, head)
			if share > 0 && a.canary != nil && b.Index == a.split.Shares[share].Backend {
				x.series = a.canary
			}
		}
	}
	if b != nil && b.Secure != 0 && x.down.Peer().secure() {
		b = s.BackendAt(b.Secure - 1)
	}
	if b == nil {
		return failNoBackend
	}
	x.lookUpDetour()
	x.snapshot = nil
	x.goTo(x.w.Upstreams.Backend(b))
	return nil
}

// goTo has the request go to b.
//
// hot: runs per request; no alloc, no lock.
func (x *Core) goTo(b *upstream.Backend) {
	if b.Source().ExternalName != "" {
		x.edits.add = append(x.edits.add, loopMark...)
	}
	x.backend, x.protocol = b, b.Source().Protocol
}

// share returns which Share of the Route's Split the request goes to: a Filter's choice, else what chance gives.
//
// hot: runs per request; no alloc, no lock.
func (x *Core) share(split *routing.Split) int {
	if a := x.altered; a != nil && a.share > 0 {
		return int(a.share) - 1
	}
	return split.Pick(x.w.random.Uint64())
}
