package wire

// Bytes is one side of a relay, as bytes in both directions. It buffers at most one read's worth of bytes that its peer does
// not take. Sock and Stream implement it. Owned by its loop; it copies bytes that it keeps behind a call.
type Bytes interface {
	// Held returns received bytes that were not taken yet, valid until the next call. Drop takes the first n of them, and
	// Keep appends a copy of p.
	Held() []byte
	Drop(n int)
	Keep(p []byte)
	// Read reads once into p, when nothing is held. It returns 0 when there is nothing now, at the end (Ended) and on
	// failure (Lost).
	Read(p []byte) int
	Ended() bool
	Lost() bool
	// EndedWell reports an end that the peer declared, even if its connection broke afterwards: a peer that closes with
	// unread bytes breaks its connection, and nothing is missing behind TLS's close_notify.
	EndedWell() bool
	// WriteBroken reports that sent bytes no longer arrive. Received ones may still be unread.
	WriteBroken() bool
	// LastHeld reports that the body ends with the held bytes, without trailers.
	LastHeld() bool
	// Trailers returns the field lines, each with CR LF, that followed an endless body which ended.
	Trailers() []byte

	// Send sends p and keeps a copy of the part that is not taken now; last means that the body ends with p. Pending is the
	// length of that part, and Flush tries to send it and reports whether nothing is left.
	Send(p []byte, last bool)
	Pending() int
	Flush() bool
	// SendTrailers ends a body with field lines, on a side whose form is not HTTP/1.1 chunks.
	SendTrailers(lines []byte)
	// ShutWrite ends the direction to the peer of a tunnel, behind the pending bytes.
	ShutWrite()
	// Unacknowledged is how many sent bytes the peer may not have received yet, as far as the kernel can tell.
	Unacknowledged() int
	// Plain returns the socket if it carries nothing but body bytes for now, so that the kernel can move them; else nil.
	Plain() *Sock
}
