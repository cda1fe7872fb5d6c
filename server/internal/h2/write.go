package h2

import (
	"bytes"

	"github.com/sluice-gateway/sluice/server/internal/hpack"
	"github.com/sluice-gateway/sluice/server/internal/message"
)

// Outgoing is a head to be sent: what came by another connection, less what stays behind, plus what
// the gateway adds. It is a view, valid during the call that it is given to.
type Outgoing struct {
	// Head and Bytes are the head as it came; nil for one of the gateway's own. Fields with Hop set
	// are left out, and what HTTP/2 has no place for. So is Content-Length, which stands in Lines where it
	// is to be sent.
	Head  *message.Head
	Bytes []byte
	// Lines are further field lines, "Name: value" CR LF each. White space around a value is dropped.
	Lines []byte
	// Authority and Target replace those of a request where they are not nil.
	Authority, Target []byte
}

// OpenRequest opens a stream with a request, and reports whether it could: not when the peer's
// streams are used up, after a GOAWAY, or when r needs an extended CONNECT that the peer does not
// offer. A GET with Upgrade is sent as one. end means that there is no body.
//
// hot: runs per request; no alloc, no lock.
func (c *Conn) OpenRequest(r *message.Request, o Outgoing, end bool) (*Stream, bool) {
	protocol := upgradeTo(r, o.Bytes)
	switch {
	case c.err != nil, c.peerGone, c.nextID > maxWindow, c.streams.n >= c.MaxStreams():
		return nil, false
	case protocol != nil && !c.peerExtended:
		return nil, false
	}
	s := c.newStream(c.nextID)
	c.nextID += 2
	s.method = r.Method
	s.left = -1
	s.sentHead = true
	start := c.beginBlock()
	e := &c.encoder
	head := o.Bytes
	if protocol != nil {
		s.extended = true
		s.protocol = internProtocol(protocol)
		e.pseudo(hpack.NameMethod, methodConnect)
		e.protocol(protocol)
	} else {
		e.pseudo(hpack.NameMethod, r.MethodSpan.Of(head))
	}
	authority := o.Authority
	if authority == nil {
		authority = r.Authority.Of(head)
	}
	if r.Form != message.AuthorityForm {
		if c.tls {
			e.pseudo(hpack.NameScheme, schemeHTTPS)
		} else {
			e.pseudo(hpack.NameScheme, schemeHTTP)
		}
		if o.Target != nil {
			e.pseudo(hpack.NamePath, o.Target)
		} else {
			e.pseudo(hpack.NamePath, c.path(r, head))
		}
	}
	if len(authority) > 0 {
		e.pseudo(hpack.NameAuthority, authority)
	}
	c.fields(s, o)
	if r.TETrailers {
		e.field(message.FieldTE, nameTE, valueTrailers, false)
	}
	c.endBlock(s, start, end)
	return s, true
}

var (
	methodConnect = []byte("CONNECT")
	schemeHTTP    = []byte("http")
	schemeHTTPS   = []byte("https")
	nameTE        = []byte("te")
	valueTrailers = []byte("trailers")
	slash         = []byte("/")
	asterisk      = []byte("*")
)

// upgradeTo returns the name of the protocol that r is to be switched to, nil where it is sent as if it
// had no Upgrade, which any server may ignore (RFC 9110 section 7.8). Of a list it is the first; a version
// is not part of the name.
func upgradeTo(r *message.Request, head []byte) []byte {
	if !r.Upgrade || r.UpgradeH2C || r.HasBody || r.Method != message.MethodGet {
		return nil
	}
	first, _ := message.NextElement(r.Fields[r.Find(message.FieldUpgrade)].Value.Of(head))
	if i := bytes.IndexByte(first, '/'); i >= 0 {
		first = first[:i]
	}
	if !message.IsToken(first) {
		return nil
	}
	return first
}

// CarriesUpgrade reports whether OpenRequest sends r, whose head is given, as an extended CONNECT. Where it does
// not, nothing follows r beyond its framed body.
func CarriesUpgrade(r *message.Request, head []byte) bool { return upgradeTo(r, head) != nil }

// internProtocol names a protocol without an allocation where it is the usual one.
func internProtocol(b []byte) string {
	if message.EqualFold(b, "websocket") {
		return "websocket"
	}
	return string(b)
}

// path returns :path of a request: RFC 9113 section 8.3.1.
func (c *Conn) path(r *message.Request, head []byte) []byte {
	switch {
	case r.Form == message.OriginForm, r.Form == message.AsteriskForm:
		return r.Target.Of(head)
	case !r.EmptyPath:
		return head[r.Path.Off:r.Target.End]
	case r.Method == message.MethodOptions && r.Query.Empty():
		return asterisk
	case r.Query.Empty():
		return slash
	}
	return append([]byte("/?"), r.Query.Of(head)...)
}

// WriteHead sends a response's head with a status code of 200 or more, or 101 to accept an extended
// CONNECT. end means that there is no body.
//
// hot: runs per response; no alloc, no lock.
func (c *Conn) WriteHead(s *Stream, code int, o Outgoing, end bool) {
	if s.sendEnded || s.closed || s.sentHead || c.err != nil {
		return
	}
	s.sentHead = true
	if code == 101 && s.extended {
		code = 200
	}
	start := c.beginBlock()
	c.encoder.status(code)
	c.fields(s, o)
	c.endBlock(s, start, end)
}

// WriteInterim sends a 1xx head. 101 does not exist here.
func (c *Conn) WriteInterim(s *Stream, code int, o Outgoing) {
	if s.sendEnded || s.closed || s.sentHead || c.err != nil || code == 101 {
		return
	}
	start := c.beginBlock()
	c.encoder.status(code)
	c.fields(s, o)
	c.endBlock(s, start, false)
}

// WriteTrailers ends our side of the stream with a trailer section. All data must have been taken by
// WriteData before.
func (c *Conn) WriteTrailers(s *Stream, o Outgoing) {
	if s.sendEnded || s.closed || c.err != nil {
		return
	}
	start := c.beginBlock()
	c.fields(s, o)
	if len(c.encoder.out) == start+frameHeaderLen { // no field was left
		c.encoder.end()
		c.WriteData(s, nil, true)
		return
	}
	c.endBlock(s, start, true)
}

// beginBlock leaves room for a frame header and begins a header block behind it.
func (c *Conn) beginBlock() (start int) {
	b := c.room()
	start = len(b)
	c.encoder.begin(append(b, make([]byte, frameHeaderLen)...))
	return start
}

// endBlock writes the frame header, or cuts the block up into frames.
func (c *Conn) endBlock(s *Stream, start int, end bool) {
	b := c.encoder.end()
	flags := uint8(flagEndHeaders)
	if end {
		flags |= flagEndStream
	}
	n := len(b) - start - frameHeaderLen
	if n <= maxFrame {
		setFrameHeader(b[start:], n, frameHeaders, flags, s.id)
		c.out = b
	} else {
		block := append([]byte(nil), b[start+frameHeaderLen:]...)
		b = b[:start]
		kind := uint8(frameHeaders)
		for len(block) > 0 {
			n := min(len(block), maxFrame)
			f := flags &^ flagEndHeaders
			if n == len(block) {
				f |= flagEndHeaders
			}
			b = append(appendFrameHeader(b, n, kind, f, s.id), block[:n]...)
			block = block[n:]
			kind, flags = frameContinuation, 0
		}
		c.out = b
	}
	if end {
		c.endSending(s)
	}
}

// fields encodes the fields of o that may go by HTTP/2: section 8.2.2.
//
// hot: runs per head; no alloc, no lock.
func (c *Conn) fields(s *Stream, o Outgoing) {
	e := &c.encoder
	if h := o.Head; h != nil {
		for i := range h.Fields {
			f := &h.Fields[i]
			if f.Hop || uncopied.Has(f.ID) {
				continue
			}
			name := f.Name.Of(o.Bytes)
			if s.extended && f.ID == message.FieldOther && handshake(name) {
				continue
			}
			e.field(f.ID, name, f.Value.Of(o.Bytes), f.Sensitive)
		}
	}
	for lines := o.Lines; len(lines) > 0; {
		line := lines
		if i := bytes.IndexByte(lines, '\n'); i >= 0 {
			line, lines = lines[:i], lines[i+1:]
		} else {
			lines = nil
		}
		if n := len(line); n > 0 && line[n-1] == '\r' {
			line = line[:n-1]
		}
		colon := bytes.IndexByte(line, ':')
		if colon <= 0 {
			continue
		}
		name := line[:colon]
		id := message.LookupField(name)
		if unsent.Has(id) || s.extended && id == message.FieldOther && handshake(name) {
			continue
		}
		e.field(id, name, bytes.Trim(line[colon+1:], " \t"), false)
	}
}

// unsent are the fields that HTTP/2 expresses otherwise, or not at all; uncopied are those that must not come
// from another message's head: the length of a body is known to its sender, who puts it into Lines.
const (
	unsent   = message.HopFields | 1<<message.FieldHost
	uncopied = unsent | 1<<message.FieldContentLength
)

// handshake reports whether a field belongs to HTTP/1's opening of a WebSocket only: RFC 8441 section 5.
func handshake(name []byte) bool {
	return message.EqualFold(name, "sec-websocket-key") || message.EqualFold(name, "sec-websocket-accept")
}
