package wire

// Bytes is one end of what is passed on: bytes both ways, of which it keeps no more than one read's worth that its peer
// does not take. A Sock is one, and so is a Stream. Owned by its loop.
type Bytes interface {
	// Held returns bytes that came and were not taken yet, valid until the next call. Drop takes the first n of them, and
	// Keep puts a copy of p behind them.
	Held() []byte
	Drop(n int)
	Keep(p []byte)
	// Read reads once into p, when nothing is held. It returns 0 when there is nothing now, at the end (Ended) and on
	// failure (Lost).
	Read(p []byte) int
	Ended() bool
	Lost() bool
	// EndedWell reports an end of which the peer said so itself, whether or not its connection broke behind it: who closes
	// with something unread breaks it, and nothing is missing behind TLS's own end.
	EndedWell() bool
	// Deaf reports that nothing sent arrives any more. What came before may still be there to be read.
	Deaf() bool
	// LastHeld reports that the body ends with what is held, without trailers.
	LastHeld() bool
	// Trailers returns the field lines, each with CR LF, that came behind an endless body which ended.
	Trailers() []byte

	// Send sends p, of which it keeps what is not taken now; last says that the body ends with it. The caller owns p
	// again afterwards. Pending is how much is kept, and Flush tries to send it and reports whether nothing is left.
	Send(p []byte, last bool)
	Pending() int
	Flush() bool
	// SendTrailers ends a body with field lines, on a side whose form is not HTTP/1.1 chunks.
	SendTrailers(lines []byte)
	// ShutWrite ends our direction of a tunnel, behind what is kept.
	ShutWrite()
	// Unacknowledged is how much of what was sent the peer may not have yet, as far as that can be told.
	Unacknowledged() int
	// Plain returns the socket, where body bytes are the only ones on it for now and can be moved by the kernel; else nil.
	Plain() *Sock
}
