package exchange

import (
	"bytes"
	"iter"
	"net/netip"
	"unsafe"

	"github.com/sluice-gateway/sluice/routing"
	"github.com/sluice-gateway/sluice/server/internal/message"
)

// The methods by which Filters read and change a request: changes in the request phase alone, reads in the others too. Bytes
// are valid until the Filter returns.

// Route returns the Route that the request matched.
func (x *Exchange) Route() *routing.Route { return x.route }

// Backend returns the Backend that the Route leads to, behind the request phase the one that the request has gone to; nil
// where there is none.
func (x *Exchange) Backend() *routing.Backend {
	switch {
	case x.snapshot != nil:
		return x.snapshot.Backend(x.route)
	case x.backend != nil:
		return x.backend.Source()
	}
	return nil
}

// Remote returns the address of the sender of the request: the peer of its connection, or the client that a PROXY protocol
// header names.
func (x *Exchange) Remote() netip.AddrPort { return x.down.Peer().Remote }

// Secure reports whether the client spoke TLS, with the gateway or with the sender of a PROXY protocol header.
func (x *Exchange) Secure() bool { return x.down.Peer().secure() }

// Trusted reports whether the sender is believed about the clients behind it: forwarded.trusted_cidrs.
func (x *Exchange) Trusted() bool { return x.down.Peer().Trusted }

// Client returns the address of the client itself: Remote's, or, where that is a trusted proxy, the last address in
// X-Forwarded-For, or forwarded.client_header, that is not one. The client may have written the addresses before that itself, so they are not looked at.
func (x *Exchange) Client() netip.Addr {
	addr := x.Remote().Addr().Unmap()
	if !x.Trusted() || x.req == nil {
		return addr
	}
	for i := len(x.req.Fields) - 1; i >= 0; i-- {
		if !x.w.Settings.namesClient(&x.req.Fields[i], x.head) {
			continue
		}
		list := x.req.Fields[i].Value.Of(x.head)
		for len(list) > 0 {
			var last []byte
			list, last = cutLast(list)
			named, ok := parseForwarded(last)
			if !ok {
				return addr
			}
			if addr = named; !x.w.Settings.Trusts(addr) {
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

// parseForwarded reads an element of X-Forwarded-For: an address, to which some proxies add a port.
func parseForwarded(b []byte) (netip.Addr, bool) {
	b = bytes.Trim(b, " \t")
	text := unsafe.String(unsafe.SliceData(b), len(b)) // for this call: an address keeps none of it
	addr, err := netip.ParseAddr(text)
	if err != nil {
		port, err := netip.ParseAddrPort(text)
		if err != nil {
			return netip.Addr{}, false
		}
		addr = port.Addr()
	}
	return addr.Unmap().WithZone(""), true
}

// Now returns the time at which the present turn of the loop began, in nanoseconds: monotonic, and one clock for all loops.
func (x *Exchange) Now() int64 { return x.w.Now() }

// Method returns the request method as it was sent.
func (x *Exchange) Method() []byte {
	if x.req == nil {
		return nil
	}
	return x.req.MethodSpan.Of(x.head)
}

// Host returns the host that the request is for, without a port, as it was sent.
func (x *Exchange) Host() []byte {
	if x.req == nil {
		return nil
	}
	return x.req.Host.Of(x.head)
}

// Authority returns Host with the port of the request, if it names one.
func (x *Exchange) Authority() []byte {
	if x.req == nil {
		return nil
	}
	return x.req.Authority.Of(x.head)
}

// Target returns path and query as they were sent, with the "?" between them.
func (x *Exchange) Target() []byte {
	switch {
	case x.req == nil:
		return nil
	case !x.req.EmptyPath:
		return x.head[x.req.Path.Off:x.req.Target.End]
	case x.req.Query.Empty():
		return nil
	}
	return x.head[x.req.Query.Off-1 : x.req.Target.End]
}

// Path returns the path as it was sent, neither decoded nor normalised; "" for the target "http://host".
func (x *Exchange) Path() []byte {
	if x.req == nil {
		return nil
	}
	return x.req.Path.Of(x.head)
}

// Query returns the part of the target behind its first "?".
func (x *Exchange) Query() []byte {
	if x.req == nil {
		return nil
	}
	return x.req.Query.Of(x.head)
}

// Protocol returns the protocol that the client speaks: HTTP/1.0, HTTP/1.1 or HTTP/2.0.
func (x *Exchange) Protocol() string {
	switch {
	case x.down.Multiplexed():
		return "HTTP/2.0"
	case x.http10:
		return "HTTP/1.0"
	}
	return "HTTP/1.1"
}

// ClientFields yields name and value of each field that the client has sent, in their order, also of those that do not go
// upstream. Of HTTP/2 the Host is none of them.
func (x *Exchange) ClientFields() iter.Seq2[[]byte, []byte] {
	return func(yield func(name, value []byte) bool) {
		if x.req == nil {
			return
		}
		for i := range x.req.Fields {
			if f := &x.req.Fields[i]; !yield(f.Name.Of(x.head), f.Value.Of(x.head)) {
				return
			}
		}
	}
}

// ForwardedFields is ClientFields without those that do not go upstream. Additions are in AddedRequestFields.
func (x *Exchange) ForwardedFields() iter.Seq2[[]byte, []byte] {
	return func(yield func(name, value []byte) bool) {
		if x.req == nil {
			return
		}
		for i := range x.req.Fields {
			if f := &x.req.Fields[i]; !f.Hop && !yield(f.Name.Of(x.head), f.Value.Of(x.head)) {
				return
			}
		}
	}
}

// RequestField returns the value of the first field of that name, in any case, among the fields that go upstream; nil: none
// has the name. A client's own claims that are not believed, such as X-Real-IP, do not go upstream; additions of the gateway
// and of Filters do.
func (x *Exchange) RequestField(name string) []byte {
	if x.req == nil {
		return nil
	}
	for i := range x.req.Fields {
		if f := &x.req.Fields[i]; !f.Hop && f.Name.Len() == len(name) && message.EqualFold(f.Name.Of(x.head), name) {
			return f.Value.Of(x.head)
		}
	}
	return message.FindLine(x.edits.add, name)
}

// AddedRequestFields returns the fields that the gateway and the Filters further outside have added: lines, each with CR LF,
// valid until the next addition.
func (x *Exchange) AddedRequestFields() []byte { return x.edits.add }

// AddRequestField adds a field to the head that goes upstream. name and value are copied. Bytes that cannot stand in a head
// fail the request with 500; fields of framing are left out.
func (x *Exchange) AddRequestField(name, value string) {
	var ok bool
	if x.edits.add, ok = message.AppendLine(x.edits.add, name, value); !ok {
		x.filterFailed = true
	}
}

// DropRequestField keeps every field of that name from going upstream: the client's, the gateway's and other Filters'. Host
// and Expect stay, and so do trailers behind a body.
func (x *Exchange) DropRequestField(name string) {
	if id := message.LookupField([]byte(name)); id == message.FieldHost || id == message.FieldExpect || x.req == nil {
		return
	}
	for i := range x.req.Fields {
		if f := &x.req.Fields[i]; message.EqualFold(f.Name.Of(x.head), name) {
			f.Hop = true
		}
	}
	x.edits.add = message.DropLines(x.edits.add, name)
}

// AddResponseField adds a field to the final response head, be it a Backend's or the gateway's own. name and value are
// copied. Bytes that cannot stand in a head fail the request with 500; fields of framing are left out. Response can change
// more.
func (x *Exchange) AddResponseField(name, value string) {
	var ok bool
	if x.edits.respAdd, ok = message.AppendLine(x.edits.respAdd, name, value); !ok {
		x.filterFailed = true
	}
}

// Status returns the status that was sent to the client; 0: none was sent yet.
func (x *Exchange) Status() int { return int(x.status) }
