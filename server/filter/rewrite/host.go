package rewrite

import (
	"github.com/sluice-gateway/sluice/routing"
	"github.com/sluice-gateway/sluice/routing/policy"
	"github.com/sluice-gateway/sluice/server"
)

// Host replaces the Host that Backends are sent by one made for each request: policy.Host.
type Host struct {
	pieces []policy.Piece
	fields []string // by piece: the request field that it stands for, "" for none
	slot   int
}

// NewHost makes a Host.
func NewHost(f policy.Filter, e server.Env) (server.Filter, error) {
	pieces, err := policy.ParseTemplate(f.(*policy.Host).Template)
	if err != nil {
		return nil, err
	}
	h := &Host{pieces, make([]string, len(pieces)), e.Slot}
	for i, p := range pieces {
		h.fields[i], _ = p.Field()
	}
	return h, nil
}

// Name implements server.Filter.
func (*Host) Name() string { return string(policy.KindHost) }

// Request implements server.RequestFilter.
//
// hot: runs per request; no alloc, no lock.
func (h *Host) Request(x *server.Exchange) server.Verdict {
	s := x.Slot(h.slot)
	b := s.Bytes[:0]
	for i := range h.pieces {
		switch p := &h.pieces[i]; {
		case p.Text != "":
			b = append(b, p.Text...)
		case h.fields[i] == "host":
			b = append(b, x.Authority()...)
		case h.fields[i] != "":
			b = append(b, x.RequestField(h.fields[i])...)
		default:
			b = appendVariable(b, x, p.Variable)
		}
	}
	s.Bytes = b
	var buf [256]byte
	if _, ok := routing.NormalizeHost(buf[:0], b); !ok {
		return x.Refuse(400, "what the request says makes no host for the endpoint")
	}
	x.SetHost(b)
	return server.Continue
}

// appendVariable appends what one of policy's variables stands for.
func appendVariable(b []byte, x *server.Exchange, name string) []byte {
	switch name {
	case "host":
		return append(b, x.Host()...)
	case "scheme":
		if x.Secure() {
			return append(b, "https"...)
		}
		return append(b, "http"...)
	case "remote_addr":
		return x.Client().AppendTo(b)
	case "namespace":
		return append(b, x.Route().Source.Ingress.Namespace...)
	case "ingress_name":
		return append(b, x.Route().Source.Ingress.Name...)
	}
	if to := x.Backend(); to != nil {
		switch name {
		case "service_name":
			return append(b, to.Key.Service...)
		case "service_port":
			return append(b, to.Key.Port...)
		}
	}
	return b
}
