package redirect

import (
	"github.com/sluice-gateway/sluice/routing/policy"
	"github.com/sluice-gateway/sluice/server"
)

// HTTPS sends clients that speak plain HTTP to the same place over HTTPS: policy.HTTPS.
type HTTPS struct {
	code      int
	keepSlash bool
	slot      int
}

// NewHTTPS makes an HTTPS.
func NewHTTPS(f policy.Filter, e server.Env) (server.Filter, error) {
	p := f.(*policy.HTTPS)
	return &HTTPS{p.Code, p.KeepSlash, e.Slot}, nil
}

// Name implements server.Filter.
func (*HTTPS) Name() string { return string(policy.KindHTTPS) }

// Request implements server.RequestFilter.
//
// hot: runs per request; no alloc, no lock.
func (h *HTTPS) Request(x *server.Exchange) server.Verdict {
	if !speaksHTTP(x) {
		return server.Continue
	}
	host := forwardedHost(x)
	if len(host) == 0 {
		// HTTP/1.0. Served it would be in the clear.
		return x.Refuse(400, "this is served over HTTPS alone, and the request names no host to be sent to")
	}
	s := x.Slot(h.slot)
	b := append(s.Bytes[:0], location+"https://"...)
	b = appendTarget(append(b, host...), x, h.keepSlash)
	s.Bytes = append(b, '\r', '\n')
	return x.Respond(h.code, s.Bytes, nil)
}
