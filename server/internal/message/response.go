package message

// Response is the index of a response head. The zero value is ready for a codec to fill. Reuse one
// for all responses of a connection or loop; do not copy it.
type Response struct {
	Head

	// Reason is the reason phrase; it may be empty.
	Reason Span
	// Code is the status code, 100 to 999. 1xx heads are followed by another head; 101 is final.
	Code uint16
}

// BodyKind is how the body of a response is delimited.
type BodyKind uint8

const (
	// BodyNone means that no byte of a body follows, whatever Content-Length is.
	BodyNone BodyKind = iota
	// BodyLength means Response.ContentLength bytes, possibly 0.
	BodyLength
	// BodyChunked means that the body's own framing marks its end: Head.Chunked.
	BodyChunked
	// BodyUntilClose means that the body ends with the connection, which cannot be used again.
	BodyUntilClose
)

// Reset empties r and keeps the room of Fields.
func (r *Response) Reset() {
	fields := room(r.Fields)
	*r = Response{}
	r.Fields = fields
	r.ContentLength = -1
}

// BodyKind returns how the body is delimited when the request's method was method: RFC 9112 section
// 6.3. With BodyUntilClose the connection cannot be used again even where KeepAlive is true.
func (r *Response) BodyKind(method Method) BodyKind {
	switch {
	case method == MethodHead, r.Code < 200, r.Code == 204, r.Code == 304:
		return BodyNone
	case r.Chunked:
		return BodyChunked
	case r.ContentLength >= 0:
		return BodyLength
	}
	return BodyUntilClose
}
