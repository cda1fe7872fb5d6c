package server

// side is one end of what is passed on: bytes both ways, of which it keeps no more than one read's worth that its peer
// does not take. A sock is one, and so is a stream of an HTTP/2 connection. Owned by its loop.
type side interface {
	// held returns bytes that came and were not taken yet; drop takes the first n of them, and keep puts
	// bytes behind them.
	held() []byte
	drop(n int)
	keep(p []byte)
	// read reads once into p, when nothing is held. It returns 0 when there is nothing now, at the end
	// (ended) and on failure (lost).
	read(p []byte) int
	ended() bool
	lost() bool
	// endedWell reports an end of which the peer said so itself, whether or not its connection broke behind it: who closes with
	// something unread breaks it, and nothing is missing behind TLS's own end.
	endedWell() bool
	// deaf reports that nothing sent arrives any more. What came before may still be there to be read.
	deaf() bool
	// lastHeld reports that the body ends with what is held, without trailers.
	lastHeld() bool
	// trailers returns the field lines, each with CR LF, that came behind an endless body which ended.
	trailers() []byte

	// send sends p, of which it keeps what is not taken now; last says that the body ends with it. The
	// caller owns p again afterwards. pending is what is kept, and flush tries to send it.
	send(p []byte, last bool)
	pending() int
	flush() bool
	// sendTrailers ends a body with field lines, on a side whose form is not HTTP/1.1 chunks.
	sendTrailers(lines []byte)
	// shutWrite ends our direction of a tunnel, behind what is kept.
	shutWrite()
	// unacknowledged is how much of what was sent the peer may not have yet, as far as that can be told.
	unacknowledged() int
	// plain returns the socket, where body bytes are the only ones on it for now and can be moved by the
	// kernel; else nil.
	plain() *sock
}
