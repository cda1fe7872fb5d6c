package message

// Span is a range of bytes in the buffer that holds a head, as offsets from its start: 8 bytes where
// a slice takes 24, without a pointer for the garbage collector, and valid when the buffer moves.
type Span struct{ Off, End uint32 }

// Of returns the bytes of s in b, which must be the buffer that the head was indexed in, or a copy of it. The
// result aliases b.
func (s Span) Of(b []byte) []byte { return b[s.Off:s.End:s.End] }

// Len returns the number of bytes in s.
func (s Span) Len() int { return int(s.End - s.Off) }

// Empty reports whether s has no bytes.
func (s Span) Empty() bool { return s.Off == s.End }

// SpanOf returns the span from off to end.
func SpanOf(off, end int) Span { return Span{uint32(off), uint32(end)} }
