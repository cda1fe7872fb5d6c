package exchange

import (
	"github.com/sluice-gateway/sluice/server/internal/fieldrule"
	"github.com/sluice-gateway/sluice/server/internal/h1"
	"github.com/sluice-gateway/sluice/server/internal/message"
)

const (
	hasFor = 1 << iota
	hasProto
	hasHost
	hasPort
	hasRealIP
	hasRequestID
)

// tellForwarded comes before every Filter: it tells the Backend who asked, and returns false where x has ended. What a client says of
// itself in these fields is dropped, unless its connection comes from a trusted range; then
// X-Forwarded-For is extended, and the others are kept where they are present. Behind a PROXY protocol
// header all of that is about the client that it names; X-Forwarded-Port is the port which that connected
// to, and X-Forwarded-Proto is https also where it spoke TLS with the sender.
//
// RFC 7239's Forwarded, and what other proxies say about clients (see claims), is dropped from clients that are
// not trusted, and never made. Names that Backends fold into others are dropped from everybody, as far as
// http.header_names says so.
//
// hot: runs per request; no alloc, no lock.
func (x *Core) tellForwarded() bool {
	c, req, head := x.down.Peer(), x.req, x.head
	var have uint
	var clientFor []byte
	hops := int64(noForwards)
	looped := 0
	for i := range req.Fields {
		f := &req.Fields[i]
		var bit uint
		switch f.ID {
		case message.FieldXForwardedFor:
			bit = hasFor
		case message.FieldXForwardedProto:
			bit = hasProto
		case message.FieldXForwardedHost:
			bit = hasHost
		case message.FieldXForwardedPort:
			bit = hasPort
		case message.FieldXRealIP:
			bit = hasRealIP
		case message.FieldXRequestID:
			bit = hasRequestID
		case message.FieldForwarded, message.FieldXScheme, message.FieldXForwardedScheme, message.FieldXForwardedPrefix:
			f.Hop = f.Hop || !c.Trusted
			continue
		case message.FieldMaxForwards:
			if n, ok := forwardsLeft(req, f, head); ok {
				f.Hop = true
				hops = min(hops, n-1)
			}
			continue
		case message.FieldOdd:
			f.Hop = f.Hop || !x.w.Settings.Names.Pass(f.Name.Of(head))
			continue
		case message.FieldOther:
			name := f.Name.Of(head)
			if isLoopField(name) {
				looped += loops(f, head)
				continue
			}
			switch fieldrule.ClaimOf(name) {
			case fieldrule.Forwarded:
				f.Hop = f.Hop || !c.Trusted
			case fieldrule.Certificate:
				// Where nobody asks for a certificate a proxy in front may have.
				f.Hop = f.Hop || !c.Trusted || x.route.ClientAuth() != nil
			}
			continue
		default:
			continue
		}
		switch {
		case !c.Trusted:
			f.Hop = true
		case bit == hasFor:
			// Several lines are one list (RFC 9110, 5.3).
			if have&hasFor != 0 {
				clientFor = append(append(clientFor[:len(clientFor):len(clientFor)], ", "...), f.Value.Of(head)...)
			} else {
				clientFor = f.Value.Of(head)
			}
			f.Hop = true
			have |= hasFor
		default:
			have |= bit
		}
	}
	if looped >= LoopLimit {
		x.Fail(failLoop)
		return false
	}
	dst := x.edits.add[:0]
	dst = append(dst, "X-Forwarded-For: "...)
	if len(clientFor) > 0 {
		dst = append(dst, clientFor...)
		dst = append(dst, ", "...)
	}
	from := len(dst)
	dst = c.Remote.Addr().AppendTo(dst)
	to := len(dst)
	dst = append(dst, '\r', '\n')
	if have&hasRealIP == 0 {
		dst = append(dst, "X-Real-IP: "...)
		dst = append(dst, dst[from:to]...)
		dst = append(dst, '\r', '\n')
	}
	if have&hasProto == 0 {
		if c.secure() {
			dst = append(dst, "X-Forwarded-Proto: https\r\n"...)
		} else {
			dst = append(dst, "X-Forwarded-Proto: http\r\n"...)
		}
	}
	if have&hasHost == 0 && !req.Authority.Empty() {
		dst = append(dst, "X-Forwarded-Host: "...)
		dst = append(dst, req.Authority.Of(head)...)
		dst = append(dst, '\r', '\n')
	}
	if have&hasPort == 0 {
		dst = c.appendPort(dst)
	}
	if have&hasRequestID == 0 {
		dst = append(dst, "X-Request-ID: "...)
		dst = x.w.appendRequestID(dst)
		dst = append(dst, '\r', '\n')
	}
	if hops < noForwards {
		dst = h1.AppendUintField(dst, "Max-Forwards", uint64(hops))
	}
	if c.Certificate != nil && x.route.ClientAuth() != nil {
		dst = append(dst, c.Certificate.Lines()...)
	}
	x.edits.add = dst
	return true
}
