package h2

import "github.com/sluice-gateway/sluice/server/internal/message"

// Handler receives the events of a connection. Its methods are called from Conn.Feed and Conn.Wrote and
// may call any method of the Conn but these two and Close. Their byte slices are valid during the call.
type Handler interface {
	// Data delivers body bytes. The handler keeps those that it cannot pass on at once: no more
	// come than the stream's window, until Conn.Consumed. end means that the peer's side of the
	// stream has ended; p may be empty then.
	Data(s *Stream, p []byte, end bool)
	// Trailers delivers a trailer section, laid out like a head without start line. The peer's side
	// of the stream has ended.
	Trailers(s *Stream, t *message.Head, lines []byte)
	// Fault reports that a head or a frame of the peer's was refused. Where f.HTTPStatus() is not 0 the
	// stream is a new one that waits for that answer. Else it has been reset, and s is to be released;
	// s is nil where the handler never knew it.
	Fault(s *Stream, f Fault)
	// Reset reports that the peer has ended the stream. s is to be released. RefusedStream means that
	// the peer has not acted on the request; also after its GOAWAY. After a complete response, NoError
	// means only that the rest of the request is of no use.
	Reset(s *Stream, code Code)
	// Writable is called for a stream whose WriteData took less than it was offered, when it may take
	// more: in the order in which they ran out.
	Writable(s *Stream)
	// Settings reports that the peer's SETTINGS came: MaxStreams and ExtendedConnect may have changed.
	Settings()
	// GoAway reports that the peer opens or takes no further stream. last is the highest stream that it
	// may have acted on.
	GoAway(last uint32, code Code)
	// Pong is the answer to Ping.
	Pong(data uint64)
}

// ServerHandler is the handler of a connection in the server's role.
type ServerHandler interface {
	Handler
	// Request announces a stream. head is laid out as package message has it, and indexed by req,
	// in which Filters may mark fields. end means that no body follows.
	Request(s *Stream, req *message.Request, head []byte, end bool)
}

// ClientHandler is the handler of a connection in the client's role.
type ClientHandler interface {
	Handler
	// Response delivers a head: any number of interim ones, with a Code below 200, before the final one.
	// The answer that accepts an extended CONNECT has the Code 101, and is final.
	Response(s *Stream, resp *message.Response, head []byte, end bool)
	// Flooded reports, once, that the Endpoint sends too many frames that carry nothing. No more requests
	// should be opened; if the flood goes on for long the connection ends.
	Flooded(f Flood)
}
