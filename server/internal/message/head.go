package message

// Head is the common part of a Request and a Response. The zero value is empty and ready to use. It
// may be reused for any number of messages but not copied while in use, because copies share Fields.
type Head struct {
	// Fields are the field lines in the order they came. The slice is reused for the next message.
	Fields []Field
	// ContentLength is the value of Content-Length, -1 when there is none.
	ContentLength int64
	// HeadLen is the number of bytes of the head, the empty line and, in HTTP/1, skipped leading empty
	// lines included: the body begins at this offset.
	HeadLen int
	// Minor is the x of HTTP/1.x: 0 or 1. It is 1 for messages of another version.
	Minor uint8
	// Chunked means that a body follows whose end its own framing marks: "Transfer-Encoding:
	// chunked" in HTTP/1, DATA without a content-length in HTTP/2.
	Chunked bool
	// KeepAlive means that the peer keeps the connection open after this message. For a Response
	// the framing decides as well, see Response.BodyKind.
	KeepAlive bool
	// Upgrade means that Connection lists "upgrade" and an Upgrade field is there. RFC 9110 section
	// 7.8 has it ignored in HTTP/1.0. An extended CONNECT is one too: see Request.Extended.
	Upgrade bool
	// UpgradeH2C means that Upgrade lists h2c. Passing that on would open a tunnel around every
	// rule of the gateway; treat such a request as if it had no Upgrade.
	UpgradeH2C bool
	// TETrailers means that TE lists "trailers": the sender accepts relayed trailers. TE is
	// hop-by-hop, so a forwarded head gets a TE of its own.
	TETrailers bool

	// Seen holds the known names that occur among Fields.
	Seen FieldSet
}

// initialFields is the room made for Fields at first use: most heads have fewer.
const initialFields = 24

// room returns fields emptied, with room made at first use.
func room(fields []Field) []Field {
	if fields == nil {
		fields = make([]Field, 0, initialFields)
	}
	return fields[:0]
}

// Has reports whether a field with the known name id occurs.
func (h *Head) Has(id FieldID) bool { return h.Seen.Has(id) }

// Find returns the index in Fields of the first field with the known name id, -1 when there is none.
func (h *Head) Find(id FieldID) int {
	if h.Seen.Has(id) {
		for i := range h.Fields {
			if h.Fields[i].ID == id {
				return i
			}
		}
	}
	return -1
}

// Value returns the value of the first field with the known name id, nil when there is none. b is the buffer that h indexes.
func (h *Head) Value(b []byte, id FieldID) []byte {
	if i := h.Find(id); i >= 0 {
		return h.Fields[i].Value.Of(b)
	}
	return nil
}

// FindName returns the index of the first field at or after from whose name is name without regard
// to case, -1 when there is none. b is the buffer that h indexes.
func (h *Head) FindName(b []byte, name string, from int) int {
	for i := from; i < len(h.Fields); i++ {
		if n := h.Fields[i].Name; n.Len() == len(name) && EqualFold(n.Of(b), name) {
			return i
		}
	}
	return -1
}

// Line returns the whole line of Fields[i], its CR LF included. Lines of consecutive fields are
// adjacent, so that a run of fields can be forwarded as one piece.
func (h *Head) Line(i int) Span {
	end := uint32(h.HeadLen - 2)
	if i+1 < len(h.Fields) {
		end = h.Fields[i+1].Name.Off
	}
	return Span{h.Fields[i].Name.Off, end}
}

// AppendFields appends the field lines that are to be passed on, in runs: neighbours that stay are copied together. Those with
// Hop set are left out, and so is Content-Length, because only the sender of the body knows it. dropHost leaves out Host. b is
// the buffer that h indexes.
//
// hot: runs per head; no alloc, no lock.
func (h *Head) AppendFields(dst, b []byte, dropHost bool) []byte {
	end := uint32(h.HeadLen - 2)
	if len(h.Fields) == 0 {
		return dst
	}
	from := h.Fields[0].Name.Off
	for i := range h.Fields {
		f := &h.Fields[i]
		if !f.Hop && f.ID != FieldContentLength && !(dropHost && f.ID == FieldHost) {
			continue
		}
		if f.Name.Off > from {
			dst = append(dst, b[from:f.Name.Off]...)
		}
		from = end
		if i+1 < len(h.Fields) {
			from = h.Fields[i+1].Name.Off
		}
	}
	return append(dst, b[from:end]...)
}
