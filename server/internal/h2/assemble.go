package h2

import (
	"github.com/sluice-gateway/sluice/server/internal/hpack"
	"github.com/sluice-gateway/sluice/server/internal/message"
)

// Writing a decoded header block out as a head.
//
// A block is a list of fields, pseudo-fields first. Pseudo-fields are kept aside until the first
// regular field or the end of the block comes, because a start line has an order and they have none;
// then the start line is written, and after it Host, from :authority. Regular fields follow as they
// come, except Host, which must agree and is dropped, and the crumbs of Cookie, which section 8.2.3
// has joined into one line; the joined line comes last.
//
//	:method GET, :path /a?b, :authority x, cookie a=1, accept */*, cookie b=2
//
//	GET /a?b HTTP/1.1    host: x    accept: */*    cookie: a=1; b=2
//
// The first fault wins, and the fields after it are decoded and dropped: the dynamic table must not miss them.

// kind is the kind of message that a block is read as.
type kind uint8

const (
	kindNothing kind = iota
	kindRequest
	kindResponse
	kindTrailers
)

// Pseudo-fields, in the order in which pseudoNames has them.
const (
	pseudoMethod = iota
	pseudoScheme
	pseudoAuthority
	pseudoPath
	pseudoProtocol
	pseudoStatus
	pseudoCount
)

var pseudoNames = [pseudoCount]string{":method", ":scheme", ":authority", ":path", ":protocol", ":status"}

// assembler turns header blocks into heads. One serves all connections of a loop, because each head
// is used up before the next one comes.
type assembler struct {
	// Set by limits, between blocks:

	maxHead, maxFields, maxTarget int
	extended                      bool

	// Results, valid until the next block:

	req     message.Request
	resp    message.Response
	trailer message.Head
	arena   []byte // the bytes that they index
	fault   Fault

	// Of the block being read:

	kind     kind
	head     *message.Head // the one of the three that is being filled
	started  bool          // the start line is written
	size     int
	have     uint8 // pseudo-fields, a bit each
	pseudo   [pseudoCount]message.Span
	scratch  []byte // the values of pseudo-fields
	cookie   []byte // joined
	cookies  int
	secret   bool // one of the crumbs is sensitive
	accepted bool // the response accepts an extended CONNECT
	stream   *Stream
	hpack    hpack.Field
}

// The scratch memory that a loop keeps.
const keptArena = 64 << 10

func (a *assembler) limits(c *Config) {
	a.maxHead, a.maxFields, a.maxTarget, a.extended = c.MaxHead, c.MaxFields, c.MaxTarget, c.ExtendedConnect
}

func (a *assembler) begin(k kind, head *message.Head) {
	a.kind, a.head, a.fault = k, head, FaultNone
	a.started = false
	a.size, a.have, a.cookies = 0, 0, 0
	a.accepted, a.secret = false, false
	if cap(a.arena) > keptArena {
		a.arena = nil
	}
	a.arena, a.scratch, a.cookie = a.arena[:0], a.scratch[:0], a.cookie[:0]
}

// request reads p as a request and reports whether the connection lives.
//
// hot: runs per request; no alloc, no lock.
func (a *assembler) request(c *Conn, p []byte, end bool) bool {
	a.req.Reset()
	a.begin(kindRequest, &a.req.Head)
	if !c.decoder.decode(p, a) {
		return c.fail(errCompression)
	}
	if a.finish() {
		a.finishRequest(end)
	}
	return true
}

// response reads p as a response on s.
//
// hot: runs per response; no alloc, no lock.
func (a *assembler) response(c *Conn, s *Stream, p []byte, end bool) bool {
	a.resp.Reset()
	a.begin(kindResponse, &a.resp.Head)
	a.stream = s
	ok := c.decoder.decode(p, a)
	if !ok {
		c.fail(errCompression)
	} else if a.finish() {
		a.finishResponse(s, end)
	}
	a.stream = nil
	return ok
}

// trailerSection reads p as trailers.
func (a *assembler) trailerSection(c *Conn, p []byte) bool {
	a.trailer = message.Head{Fields: a.trailer.Fields[:0], ContentLength: -1, Minor: 1, KeepAlive: true}
	a.begin(kindTrailers, &a.trailer)
	if !c.decoder.decode(p, a) {
		return c.fail(errCompression)
	}
	a.finish()
	return true
}

// nothing decodes p only for the dynamic table.
func (a *assembler) nothing(c *Conn, p []byte) bool {
	a.begin(kindNothing, nil)
	return c.decoder.decode(p, a) || c.fail(errCompression)
}

// field takes one decoded field, valid during the call. There has been no fault.
//
// hot: runs per field; no alloc, no lock.
func (a *assembler) field(d *decoder, f *hpack.Field) {
	if a.size += f.Size(); a.size > a.maxHead {
		a.fault = FaultHeadTooLarge
		if a.kind != kindRequest {
			a.fault = FaultTooLarge
		}
		return
	}
	if len(f.Name) > 0 && f.Name[0] == ':' {
		a.pseudoField(f)
		return
	}
	if !a.started {
		if a.start(); a.fault != FaultNone {
			return
		}
	}
	a.regular(d, f)
}

func (a *assembler) pseudoField(f *hpack.Field) {
	if a.kind == kindTrailers {
		a.fault = FaultTrailers
		return
	}
	if a.started {
		a.fault = FaultPseudoLate
		return
	}
	which := int(pseudoOf[f.NameID])
	if which == pseudoCount { // spelled out
		which = 0
		for which < pseudoCount && string(f.Name) != pseudoNames[which] {
			which++
		}
	}
	switch {
	case which == pseudoCount, (which == pseudoStatus) != (a.kind == kindResponse), which == pseudoProtocol && !a.extended:
		a.fault = FaultPseudoUnknown
		return
	case a.have&(1<<which) != 0:
		a.fault = FaultPseudoTwice
		return
	case which == pseudoPath && len(f.Value) > a.maxTarget:
		a.fault = FaultTargetTooLong
		return
	}
	a.have |= 1 << which
	from := len(a.scratch)
	a.scratch = append(a.scratch, f.Value...)
	a.pseudo[which] = message.SpanOf(from, len(a.scratch))
}

func (a *assembler) has(which int) bool { return a.have&(1<<which) != 0 }

func (a *assembler) value(which int) []byte { return a.pseudo[which].Of(a.scratch) }

// start writes the lines in front of the regular fields.
func (a *assembler) start() {
	a.started = true
	switch a.kind {
	case kindRequest:
		a.startRequest()
	case kindResponse:
		a.startResponse()
	}
}

// appendLine appends a field line and returns the span of its value.
//
// hot: runs per field; no alloc, no lock.
func (a *assembler) appendLine(name, value []byte, id message.FieldID, hop bool) message.Span {
	b := a.arena
	from := len(b)
	b = append(b, name...)
	b = append(b, ':', ' ')
	v := len(b)
	b = append(b, value...)
	span := message.SpanOf(v, len(b))
	a.arena = append(b, '\r', '\n')
	a.head.Fields = append(a.head.Fields, message.Field{Name: message.SpanOf(from, v-2), Value: span, ID: id, Hop: hop})
	a.head.Seen |= 1 << (id & 63)
	return span
}

// regular checks a regular field, section 8.2, and appends its line.
//
// hot: runs per field; no alloc, no lock.
func (a *assembler) regular(d *decoder, f *hpack.Field) {
	h := a.head
	if len(h.Fields) >= a.maxFields {
		a.fault = FaultTooManyFields
		if a.kind != kindRequest {
			a.fault = FaultTooLarge
		}
		return
	}
	name, value := f.Name, f.Value
	var id message.FieldID
	known := f.NameID != hpack.NameOther
	if known {
		id = fieldOf[f.NameID]
	} else if classes := nameClasses(name); classes&message.ClassToken == 0 {
		a.fault = FaultFieldName
		return
	} else if id = message.LookupField(name); id == message.FieldOther && classes&message.ClassPlain == 0 {
		id = message.FieldOdd
	}
	if f.Mark&markValue == 0 && f.Static == 0 {
		if !validValue(value) {
			a.fault = FaultFieldValue
			return
		}
		if !known {
			d.d.Annotate(f, firstName+hpack.NameID(id), markValue)
		} else {
			d.d.Annotate(f, f.NameID, markValue)
		}
	}
	hop := false
	if steering.Has(id) {
		hop = message.HopFields.Has(id)
		switch id {
		case message.FieldConnection, message.FieldKeepAlive, message.FieldProxyConnection, message.FieldTransferEncoding,
			message.FieldUpgrade:
			a.fault = FaultConnection
			return
		case message.FieldTE:
			if !message.EqualFold(value, "trailers") {
				a.fault = FaultConnection
				return
			}
			h.TETrailers = true
		case message.FieldHost:
			if a.kind == kindRequest && !a.host(value) {
				return
			}
		case message.FieldContentLength:
			if a.kind == kindTrailers {
				break
			}
			n, ok := message.ParseLength(value)
			if !ok || h.ContentLength >= 0 {
				a.fault = FaultLength
				return
			}
			h.ContentLength = n
		case message.FieldCookie:
			if a.kind == kindRequest {
				// An empty crumb holds nothing, and would leave white space at the end of the value.
				if a.cookies++; len(a.cookie) > 0 && len(value) > 0 {
					a.cookie = append(a.cookie, "; "...)
				}
				a.cookie = append(a.cookie, value...)
				a.secret = a.secret || f.Sensitive
				return
			}
		}
	}
	if a.kind == kindTrailers && message.NotTrailers.Has(id) {
		hop = true // recipients drop them: RFC 9110 section 6.5.1
	}
	a.appendLine(name, value, id, hop)
	h.Fields[len(h.Fields)-1].Sensitive = f.Sensitive
}

// steering are the fields that regular looks at.
const steering message.FieldSet = message.HopFields | 1<<message.FieldHost | 1<<message.FieldContentLength | 1<<message.FieldCookie

var (
	nameHost       = []byte("host")
	nameConnection = []byte("connection")
	nameUpgrade    = []byte("upgrade")
	nameCookie     = []byte("cookie")
	methodGet      = []byte("GET")
)

// finish ends the head, and reports whether it has no fault.
func (a *assembler) finish() bool {
	if a.fault == FaultNone && !a.started {
		a.start()
	}
	if a.fault != FaultNone {
		return false
	}
	if a.cookies > 0 {
		a.appendLine(nameCookie, a.cookie, message.FieldCookie, false)
		a.head.Fields[len(a.head.Fields)-1].Sensitive = a.secret
	}
	a.arena = append(a.arena, '\r', '\n')
	a.head.HeadLen = len(a.arena)
	return true
}
