package server

import (
	"net/netip"

	"github.com/sluice-gateway/sluice/routing"
	"github.com/sluice-gateway/sluice/server/internal/h1"
	"github.com/sluice-gateway/sluice/server/internal/message"
)

// What Filters see of a request and may change of it, in the request phase. Bytes are valid until the Filter returns.

// Route returns the Route that the request matched.
func (x *Exchange) Route() *routing.Route { return x.route }

// Remote returns the address of who sent the request: the connection's, or the one that a PROXY protocol header named.
func (x *Exchange) Remote() netip.AddrPort { return x.c.peer().remote }

// Secure reports whether the client spoke TLS, with the gateway or with who sent a PROXY protocol header.
func (x *Exchange) Secure() bool { return x.c.peer().secure() }

// Trusted reports whether what the sender says of who is behind it is believed: trusted_proxies.
func (x *Exchange) Trusted() bool { return x.c.peer().trusted }

// Client returns the address of the client itself: Remote's, or, where that is a trusted proxy, the last in X-Forwarded-For
// that is none. What stands before that anybody may have written.
func (x *Exchange) Client() netip.Addr {
	addr := x.Remote().Addr().Unmap()
	if !x.Trusted() {
		return addr
	}
	for i := len(x.req.Fields) - 1; i >= 0; i-- {
		if x.req.Fields[i].ID != message.FieldXForwardedFor {
			continue
		}
		list := x.req.Fields[i].Value.Of(x.head)
		for len(list) > 0 {
			var last []byte
			list, last = cutLast(list)
			named, err := parseForwarded(last)
			if err != nil {
				return addr
			}
			if addr = named; !x.w.set.trusts(addr) {
				return addr
			}
		}
	}
	return addr
}

// cutLast returns the last element of a list, and the list before it.
func cutLast(list []byte) (before, last []byte) {
	i := len(list) - 1
	for i >= 0 && list[i] != ',' {
		i--
	}
	return list[:max(i, 0)], list[i+1:]
}

// parseForwarded reads an element of X-Forwarded-For: an address, with a port where some proxies write one.
func parseForwarded(b []byte) (netip.Addr, error) {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\t') {
		b = b[1:]
	}
	for len(b) > 0 && (b[len(b)-1] == ' ' || b[len(b)-1] == '\t') {
		b = b[:len(b)-1]
	}
	if len(b) > len("[0000:0000:0000:0000:0000:ffff:255.255.255.255%very-long-zone]:65535") {
		b = nil
	}
	s := string(b)
	addr, err := netip.ParseAddr(s)
	if err != nil {
		port, portErr := netip.ParseAddrPort(s)
		if portErr != nil {
			return netip.Addr{}, err
		}
		addr = port.Addr()
	}
	return addr.Unmap().WithZone(""), nil
}

// Method returns the request method as it was sent.
func (x *Exchange) Method() []byte { return x.req.MethodSpan.Of(x.head) }

// Host returns the host that the request is for, without a port, as it was sent.
func (x *Exchange) Host() []byte { return x.req.Host.Of(x.head) }

// Path returns the path as it was sent, neither decoded nor normalised; "" for that of "http://host".
func (x *Exchange) Path() []byte { return x.req.Path.Of(x.head) }

// Query returns what follows the first "?" of the target, without it.
func (x *Exchange) Query() []byte { return x.req.Query.Of(x.head) }

// RequestField returns the value of the first field of that name, in any case, nil where there is none.
func (x *Exchange) RequestField(name string) []byte {
	if i := x.req.FindName(x.head, name, 0); i >= 0 {
		return x.req.Fields[i].Value.Of(x.head)
	}
	return nil
}

// AddRequestField adds a field line to what goes upstream. name and value must be valid; both are
// copied.
func (x *Exchange) AddRequestField(name, value string) {
	x.edits.add = h1.AppendField(x.edits.add, name, value)
}

// DropRequestField keeps every field of that name from going upstream.
func (x *Exchange) DropRequestField(name string) {
	for i := range x.req.Fields {
		if f := &x.req.Fields[i]; message.EqualFold(f.Name.Of(x.head), name) {
			f.Hop = true
		}
	}
}

// AddResponseField adds a field line to the final response head, whoever makes it. name and value must be valid; both are
// copied. See Response for more than that.
func (x *Exchange) AddResponseField(name, value string) {
	x.edits.respAdd = h1.AppendField(x.edits.respAdd, name, value)
}

// Status returns the status sent to the client, 0 before.
func (x *Exchange) Status() int { return int(x.status) }
