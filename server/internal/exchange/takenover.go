package exchange

import (
	"bytes"

	"github.com/sluice-gateway/sluice/server/internal/fieldrule"
	"github.com/sluice-gateway/sluice/server/internal/message"
)

// Backends of objects that were taken over from ingress-nginx are told of clients what that controller tells them. One address
// stands in X-Forwarded-For and X-Real-IP, that of the client as far as it is believed; the scheme is in X-Forwarded-Proto,
// X-Forwarded-Scheme and X-Scheme; and what the client itself has claimed of addresses and host goes on under other names,
// X-Original-Forwarded-*. All of these are the gateway's own, whoever asks. What that controller says nothing about, such as
// Forwarded, it leaves to the client, and so it is here; claims about certificates alone are dropped.

// nginxClaims are the values of a client's fields, which alias its head; nil: none.
type nginxClaims struct {
	proto, host, port []byte // of one that is believed
	anyHost           []byte // of anybody
}

// scanTakenOver reads a field for an object that was taken over. It reports whether the field needs no other look. believed is
// true where the client's word for scheme, host and port counts.
//
// hot: runs per field; no alloc, no lock.
func (x *Core) scanTakenOver(found *forwardedFields, f *message.Field, believed bool) bool {
	value := f.Value.Of(x.head)
	first := func(to *[]byte) {
		f.Hop = true
		if believed && *to == nil && len(value) > 0 {
			*to = value
		}
	}
	switch f.ID {
	case message.FieldXForwardedProto:
		first(&found.original.proto)
	case message.FieldXForwardedPort:
		first(&found.original.port)
	case message.FieldXForwardedHost:
		first(&found.original.host)
		if found.original.anyHost == nil {
			found.original.anyHost = value
		}
	case message.FieldXForwardedScheme, message.FieldXScheme, message.FieldXRealIP:
		f.Hop = true
	case message.FieldXRequestID:
		if len(value) == 0 {
			f.Hop = true
		} else {
			found.have |= hasRequestID
		}
	case message.FieldForwarded, message.FieldXForwardedPrefix:
	case message.FieldOther:
		name := f.Name.Of(x.head)
		switch {
		case message.EqualFold(name, "X-Original-Forwarded-For"), message.EqualFold(name, "X-Original-Forwarded-Host"),
			x.w.Settings.originalURI && message.EqualFold(name, originalURI):
			f.Hop = true
		default:
			return fieldrule.ClaimOf(name) == fieldrule.ForwardedClaim
		}
	default:
		return false
	}
	return true
}

const originalURI = "X-Original-URI"

// appendTakenOver is appendForwarded for an object that was taken over.
//
// hot: runs per request; no alloc, no lock.
func (x *Core) appendTakenOver(found *forwardedFields) {
	c, req, set := x.down.Peer(), x.req, x.w.Settings
	claims := &found.original
	line := func(dst []byte, name string, value []byte) []byte {
		return append(append(append(dst, name...), value...), '\r', '\n')
	}
	dst := append(x.edits.add[:0], "X-Real-IP: "...)
	from := len(dst)
	dst = x.view().Client().AppendTo(dst)
	to := len(dst)
	dst = append(dst, "\r\nX-Forwarded-For: "...)
	switch {
	case !set.fullList || !c.Trusted:
		dst = append(dst, dst[from:to]...)
	case len(found.clientFor) > 0:
		dst = append(append(dst, found.clientFor...), ", "...)
		fallthrough
	default:
		dst = c.Remote.Addr().AppendTo(dst)
	}
	dst = append(dst, '\r', '\n')
	switch {
	case len(claims.proto) > 0:
	case c.secure():
		claims.proto = schemeHTTPS
	default:
		claims.proto = schemeHTTP
	}
	dst = line(dst, "X-Forwarded-Proto: ", claims.proto)
	dst = line(dst, "X-Forwarded-Scheme: ", claims.proto)
	dst = line(dst, "X-Scheme: ", claims.proto)
	if host, _, _ := bytes.Cut(claims.host, comma); len(host) > 0 {
		dst = line(dst, "X-Forwarded-Host: ", bytes.TrimRight(host, " \t"))
	} else if !req.Authority.Empty() {
		dst = line(dst, "X-Forwarded-Host: ", req.Authority.Of(x.head))
	}
	if len(claims.port) > 0 {
		dst = line(dst, "X-Forwarded-Port: ", claims.port)
	} else {
		dst = c.appendPort(dst)
	}
	if found.have&hasRequestID == 0 {
		dst = append(dst, "X-Request-ID: "...)
		dst = append(x.w.appendRequestID(dst), '\r', '\n')
	}
	if len(found.clientFor) > 0 {
		dst = line(dst, "X-Original-Forwarded-For: ", found.clientFor)
	}
	if len(claims.anyHost) > 0 {
		dst = line(dst, "X-Original-Forwarded-Host: ", claims.anyHost)
	}
	if set.originalURI {
		dst = line(dst, originalURI+": ", x.view().Target())
	}
	x.edits.add = x.appendOthers(dst, found)
}

var (
	schemeHTTP  = []byte("http")
	schemeHTTPS = []byte("https")
	comma       = []byte(",")
)
