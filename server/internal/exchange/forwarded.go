package exchange

import (
	"github.com/sluice-gateway/sluice/server/internal/fieldrule"
	"github.com/sluice-gateway/sluice/server/internal/h1"
	"github.com/sluice-gateway/sluice/server/internal/message"
)

// Fields that the client's side may have set already, and that a trusted client's request keeps.
const (
	hasFor = 1 << iota
	hasProto
	hasHost
	hasPort
	hasRealIP
	hasRequestID
)

// forwardedFields is the result of scanForwarded. Its bytes alias the request's head, or are a copy of the joined lines.
type forwardedFields struct {
	have      uint   // a set of the constants above: fields of a trusted client, which stay
	clientFor []byte // the list of clients as it came, several lines joined; nil: none
	original  nginxClaims
	hops      int64 // the new value of Max-Forwards; unlimitedForwards: the request has none
	loops     int   // marks of this kind of gateway, see LoopLimit
}

// applyForwarded tells the Backend where the request comes from. It runs before every Filter, and returns false where x has
// ended.
//
// A client's own claims in these fields are dropped, unless its connection comes from a trusted range: then X-Forwarded-For
// is extended, and the other fields are kept where they are present. Behind a PROXY protocol header the client is the one
// that the header names; X-Forwarded-Port is then the port which that client connected to, and X-Forwarded-Proto is https
// also where the client spoke TLS with the sender of the header.
//
// For objects that were taken over from ingress-nginx the fields are that controller's: see takenover.go.
//
// RFC 7239's Forwarded, and other proxies' fields about clients (fieldrule.Claim), are dropped from clients that are not
// trusted, and never made. Names that Backends fold into others are dropped from every client, as far as http.header_names
// says so.
//
// hot: runs per request; no alloc, no lock.
func (x *Core) applyForwarded() bool {
	found := x.scanForwarded()
	if found.loops >= LoopLimit {
		x.Fail(failLoop)
		return false
	}
	if x.route.TakenOver() {
		x.appendTakenOver(&found)
	} else {
		x.appendForwarded(&found)
	}
	return true
}

// scanForwarded reads the fields about the client, and marks those that do not go on.
//
// hot: runs per request; no alloc, no lock.
func (x *Core) scanForwarded() (found forwardedFields) {
	c, req, head, set := x.down.Peer(), x.req, x.head, x.w.Settings
	believed, takenOver := c.Trusted && !set.addressOnly, x.route.TakenOver()
	found.hops = unlimitedForwards
	for i := range req.Fields {
		f := &req.Fields[i]
		if set.namesClient(f, head) {
			if c.Trusted || takenOver {
				found.extendFor(f.Value.Of(head))
			}
			switch {
			case f.ID == message.FieldOther: // it stays for Backends that know it
				f.Hop = f.Hop || !c.Trusted
			case f.ID == message.FieldXRealIP && !takenOver:
				found.keep(hasRealIP, f, c.Trusted)
			default:
				f.Hop = true
			}
			continue
		}
		if takenOver && x.scanTakenOver(&found, f, believed) {
			continue
		}
		switch f.ID {
		case message.FieldXForwardedFor:
			f.Hop = true
		case message.FieldXForwardedProto:
			found.keep(hasProto, f, believed)
		case message.FieldXForwardedHost:
			found.keep(hasHost, f, believed)
		case message.FieldXForwardedPort:
			found.keep(hasPort, f, believed)
		case message.FieldXRealIP:
			found.keep(hasRealIP, f, c.Trusted)
		case message.FieldXRequestID:
			found.keep(hasRequestID, f, c.Trusted)
		case message.FieldForwarded, message.FieldXScheme, message.FieldXForwardedScheme, message.FieldXForwardedPrefix:
			f.Hop = f.Hop || !c.Trusted
		case message.FieldMaxForwards:
			if n, ok := forwardsLeft(req, f, head); ok {
				f.Hop = true
				found.hops = min(found.hops, n-1)
			}
		case message.FieldOdd:
			f.Hop = f.Hop || !x.w.Settings.Names.Pass(f.Name.Of(head))
		case message.FieldOther:
			if name := f.Name.Of(head); isLoopField(name) {
				found.loops += loops(f, head)
			} else {
				x.dropClaim(f, name, c.Trusted)
			}
		}
	}
	return found
}

// extendFor appends a line of X-Forwarded-For: several lines are one list (RFC 9110 section 5.3).
func (s *forwardedFields) extendFor(value []byte) {
	if s.have&hasFor == 0 {
		s.have |= hasFor
		s.clientFor = value
		return
	}
	s.clientFor = append(append(s.clientFor[:len(s.clientFor):len(s.clientFor)], ", "...), value...)
}

// keep notes a field of a trusted client, which stays; another client's is dropped.
func (s *forwardedFields) keep(bit uint, f *message.Field, trusted bool) {
	if trusted {
		s.have |= bit
	} else {
		f.Hop = true
	}
}

// dropClaim drops a field whose unknown name is a claim about the client. A trusted proxy in front may have asked for the
// client's certificate, so its claim stays where this gateway asks for none.
//
// hot: runs per field with an unknown name; no alloc, no lock.
func (x *Core) dropClaim(f *message.Field, name []byte, trusted bool) {
	switch fieldrule.ClaimOf(name) {
	case fieldrule.ForwardedClaim:
		f.Hop = f.Hop || !trusted
	case fieldrule.CertificateClaim:
		f.Hop = f.Hop || !trusted || x.route.ClientAuth() != nil
	}
}

// appendForwarded sets the first additions to the request: the gateway's fields about the client, less the fields of found
// that are kept.
//
// hot: runs per request; no alloc, no lock.
func (x *Core) appendForwarded(found *forwardedFields) {
	c, req := x.down.Peer(), x.req
	dst := append(x.edits.add[:0], "X-Forwarded-For: "...)
	if len(found.clientFor) > 0 {
		dst = append(dst, found.clientFor...)
		dst = append(dst, ", "...)
	}
	from := len(dst)
	dst = c.Remote.Addr().AppendTo(dst)
	to := len(dst)
	dst = append(dst, '\r', '\n')
	if found.have&hasRealIP == 0 {
		dst = append(dst, "X-Real-IP: "...)
		dst = append(dst, dst[from:to]...)
		dst = append(dst, '\r', '\n')
	}
	if found.have&hasProto == 0 {
		if c.secure() {
			dst = append(dst, "X-Forwarded-Proto: https\r\n"...)
		} else {
			dst = append(dst, "X-Forwarded-Proto: http\r\n"...)
		}
	}
	if found.have&hasHost == 0 && !req.Authority.Empty() {
		dst = append(dst, "X-Forwarded-Host: "...)
		dst = append(dst, req.Authority.Of(x.head)...)
		dst = append(dst, '\r', '\n')
	}
	if found.have&hasPort == 0 {
		dst = c.appendPort(dst)
	}
	if found.have&hasRequestID == 0 {
		dst = append(dst, "X-Request-ID: "...)
		dst = x.w.appendRequestID(dst)
		dst = append(dst, '\r', '\n')
	}
	x.edits.add = x.appendOthers(dst, found)
}

// appendOthers appends what the gateway says of every request's hops and certificate.
//
// hot: runs per request; no alloc, no lock.
func (x *Core) appendOthers(dst []byte, found *forwardedFields) []byte {
	if found.hops < unlimitedForwards {
		dst = h1.AppendUintField(dst, "Max-Forwards", uint64(found.hops))
	}
	if c := x.down.Peer(); c.Certificate != nil && x.route.ClientAuth() != nil {
		dst = append(dst, c.Certificate.Lines()...)
	}
	return dst
}
