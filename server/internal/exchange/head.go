package exchange

import (
	"github.com/sluice-gateway/sluice/routing/policy"
	"github.com/sluice-gateway/sluice/server/internal/h1"
	"github.com/sluice-gateway/sluice/server/internal/message"
)

// headRoom is the room for the bytes of a forwarded head that are neither the client's nor among the additions.
const headRoom = 192

// appendRequestHead appends the head for an Endpoint of HTTP/1.1: the client's, less the dropped fields, with the additions
// of the gateway and the Filters.
//
// hot: runs per request; no alloc, no lock.
func appendRequestHead(dst []byte, x *Core, req *message.Request, head []byte) []byte {
	dst = h1.AppendRequest(dst, req, head, x.target(), x.host())
	connection := x.policy.connection
	switch {
	case x.upgrade:
		if connection == "" {
			connection = "upgrade"
		}
		dst = append(append(append(dst, "Connection: "...), connection...), "\r\nUpgrade: "...)
		dst = append(dst, req.Value(head, message.FieldUpgrade)...)
		dst = append(dst, '\r', '\n')
		if req.Extended {
			dst = x.w.appendWebSocketKey(dst)
		}
	case req.TETrailers && !x.route.TakenOver(): // nginx relays no trailers, and asks for none
		dst = append(dst, "Connection: te"...)
		if connection != "" {
			dst = append(append(dst, ", "...), connection...)
		}
		dst = append(dst, "\r\nTE: trailers\r\n"...)
	case connection != "":
		dst = append(append(append(dst, "Connection: "...), connection...), '\r', '\n')
	}
	dst = append(dst, x.edits.add...)
	return append(dst, '\r', '\n')
}

// AppendResponseLines appends the field lines that go to the client beside the fields of a Backend's head: the gateway's
// Date and Server where the head has none, and the Filters' additions. Framing fields are not among them.
//
// hot: runs per response; no alloc, no lock.
func (x *Core) AppendResponseLines(dst []byte, resp *message.Response) []byte {
	if (!resp.Has(message.FieldDate) || x.route.Anonymous) && !x.adds("Date") {
		// RFC 9110 section 6.6.1: a recipient that forwards a response without Date adds it.
		dst = append(dst, x.w.date()...)
	}
	if !resp.Has(message.FieldServer) && !x.adds("Server") {
		dst = append(dst, x.serverLine()...)
	}
	if line := x.transportLine(); len(line) > 0 && !x.adds(fieldTransport) {
		dst = append(dst, line...)
	}
	return append(dst, x.edits.respAdd...)
}

// adds reports whether Filters have added a field of that name to the response.
//
// hot: runs per response; no alloc, no lock.
func (x *Core) adds(name string) bool {
	return len(x.edits.respAdd) > 0 && message.FindLine(x.edits.respAdd, name) != nil
}

// serverLine returns the line of the gateway's Server field; nil: the configuration, or the Route, has none.
//
// hot: runs per response; no alloc, no lock.
func (x *Core) serverLine() []byte {
	switch {
	case x.route == nil:
		return x.w.Settings.unrouted
	case x.route.Anonymous:
		return nil
	}
	return x.w.Settings.server
}

// fieldTransport is the name of the field of RFC 6797: browsers are to come over TLS from now on.
const fieldTransport = "Strict-Transport-Security"

// takenOverTransport is what ingress-nginx sends unless it is told otherwise.
var takenOverTransport = []byte(fieldTransport + ": " + policy.DefaultTransport + "\r\n")

// transportLine returns the line of Strict-Transport-Security; empty: a Backend's field stays, and nil: the gateway has none.
// It is not for clients that speak without TLS: RFC 6797 section 7.2.
//
// hot: runs per response; no alloc, no lock.
func (x *Core) transportLine() (line []byte) {
	switch {
	case x.route == nil:
		line = x.w.Settings.unroutedTransport
	case x.policy != nil && x.policy.transport != nil:
		line = x.policy.transport
	case x.route.Anonymous:
		line = takenOverTransport
	}
	if line == nil || !x.down.Peer().secure() { // last, for most Routes have no line
		return nil
	}
	return line
}

// hide drops the fields of a Backend's head that its Route keeps from clients: what the gateway says itself, and for objects
// taken over from ingress-nginx what nginx keeps to itself.
//
// hot: runs per response; no alloc, no lock.
func (x *Core) hide(resp *message.Response, data []byte) {
	transport := len(x.transportLine()) > 0
	if !x.route.Anonymous && !transport {
		return
	}
	for i := range resp.Fields {
		f := &resp.Fields[i]
		switch f.ID {
		case message.FieldServer, message.FieldDate:
			f.Hop = f.Hop || x.route.Anonymous
		case message.FieldOther:
			name := f.Name.Of(data)
			switch {
			case transport && len(name) == len(fieldTransport) && message.EqualFold(name, fieldTransport):
				f.Hop = true
			case x.route.Anonymous && len(name) > len(accelPrefix) && message.EqualFold(name[:len(accelPrefix)], accelPrefix):
				f.Hop = f.Hop || forNginx(name[len(accelPrefix):])
			}
		}
	}
}

// accelPrefix begins the names of the fields by which Backends tell nginx what to do.
const accelPrefix = "X-Accel-"

// forNginx reports whether nginx keeps the field to itself whose name goes on so behind accelPrefix.
func forNginx(name []byte) bool {
	return message.EqualFold(name, "Buffering") || message.EqualFold(name, "Charset") || message.EqualFold(name, "Expires") ||
		message.EqualFold(name, "Limit-Rate") || message.EqualFold(name, "Redirect")
}

// AppendAnswerLines appends the field lines of an answer of the gateway's own: Date, Server, Strict-Transport-Security, and those
// in fields, where one of a Filter replaces the gateway's. x is nil for an answer to no request, such as a malformed head.
func (w *Loop) AppendAnswerLines(dst []byte, x *Core, fields []byte) []byte {
	server := w.Settings.unrouted
	if x != nil {
		server = x.serverLine()
	}
	if message.FindLine(fields, "Server") != nil {
		server = nil
	}
	if x != nil {
		if line := x.transportLine(); len(line) > 0 && message.FindLine(fields, fieldTransport) == nil {
			dst = append(dst, line...)
		}
	}
	if message.FindLine(fields, "Date") == nil {
		dst = append(dst, w.date()...)
	}
	return append(append(dst, server...), fields...)
}

// RefusalFields are the field lines of a refusal in text, whose body message.AppendRefusal makes. Not to be written to.
var RefusalFields = []byte("Content-Type: text/plain; charset=utf-8\r\n")
