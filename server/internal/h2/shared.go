package h2

import (
	"github.com/sluice-gateway/sluice/server/internal/hpack"
	"github.com/sluice-gateway/sluice/server/internal/message"
)

// Config is how connections behave. A zero field means its default.
type Config struct {
	// MaxStreams bounds the streams that a peer may have open: SETTINGS_MAX_CONCURRENT_STREAMS.
	// Default 128.
	MaxStreams uint32
	// StreamWindow is what a peer may send on a stream before the handler consumes, in bytes.
	// Default 256 KiB, at least 65535.
	StreamWindow uint32
	// ConnWindow is the same for all streams of a connection together. Default 1 MiB, at least
	// StreamWindow.
	ConnWindow uint32
	// MaxHead bounds a head as RFC 9113 section 6.5.2 counts it: names and values and 32 bytes for
	// each field. Default 64 KiB.
	MaxHead int
	// MaxFields bounds the field lines of a head. Default 128.
	MaxFields int
	// MaxTarget bounds :path. Default 16 KiB.
	MaxTarget int
	// TableSize bounds HPACK's dynamic table, each way. Default 4096.
	TableSize uint32
	// MaxOutput is how many bytes of output may wait before WriteData takes no more. Default 128 KiB.
	MaxOutput int
	// ExtendedConnect offers RFC 8441 to clients.
	ExtendedConnect bool
}

func (c *Config) setDefaults() {
	def := func(v *int, d int) {
		if *v <= 0 {
			*v = d
		}
	}
	if c.MaxStreams == 0 {
		c.MaxStreams = 128
	}
	if c.StreamWindow == 0 {
		c.StreamWindow = 256 << 10
	}
	c.StreamWindow = min(max(c.StreamWindow, defaultWindow), 1<<30)
	if c.ConnWindow == 0 {
		c.ConnWindow = 1 << 20
	}
	c.ConnWindow = min(max(c.ConnWindow, c.StreamWindow), 1<<30)
	if c.TableSize == 0 {
		c.TableSize = hpack.DefaultTableSize
	}
	c.TableSize = min(c.TableSize, hpack.MaxTableSize)
	def(&c.MaxHead, 64<<10)
	def(&c.MaxFields, 128)
	def(&c.MaxTarget, 16<<10)
	def(&c.MaxOutput, 128<<10)
}

// Shared is what all connections of one loop have in common: the configuration, scratch memory for
// the head being read or written, and free lists. It belongs to that loop. Make it with NewShared; it
// is not copied.
type Shared struct {
	// Immutable after NewShared:

	config Config

	// Owned by the loop:

	heads   assembler
	streams *Stream // free, linked by next
	nFree   int
	conns   []*Conn
	buffers [][]byte // free, of bufferSize to maxBuffer bytes
}

// Bounds of the free lists: what a loop keeps after a burst.
const (
	maxFreeStreams = 4096
	maxFreeConns   = 256
	maxFreeBuffers = 32

	// bufferSize holds a frame of full length.
	bufferSize = frameHeaderLen + maxFrame
	// maxBuffer is the largest buffer that is kept for the next user.
	maxBuffer = 160 << 10
)

// NewShared returns what the connections of a new loop share.
func NewShared(config Config) *Shared {
	config.setDefaults()
	h := &Shared{config: config}
	h.heads.limits(&h.config)
	return h
}

func (h *Shared) newStream() *Stream {
	s := h.streams
	if s == nil {
		return &Stream{}
	}
	h.streams = s.next
	h.nFree--
	s.next = nil
	return s
}

func (h *Shared) freeStream(s *Stream) {
	*s = Stream{}
	if h.nFree < maxFreeStreams {
		s.next = h.streams
		h.streams = s
		h.nFree++
	}
}

// buffer returns an empty buffer with room for n bytes.
func (h *Shared) buffer(n int) []byte {
	if i := len(h.buffers) - 1; i >= 0 && cap(h.buffers[i]) >= n {
		b := h.buffers[i]
		h.buffers[i] = nil
		h.buffers = h.buffers[:i]
		return b[:0]
	}
	return make([]byte, 0, max(n, bufferSize))
}

func (h *Shared) freeBuffer(b []byte) {
	if cap(b) >= bufferSize && cap(b) <= maxBuffer && len(h.buffers) < maxFreeBuffers {
		h.buffers = append(h.buffers, b[:0])
	}
}

// Handler is told what happens on a connection. Its methods are called from Conn.Feed and Conn.Wrote
// and may call any method of the Conn but these two and Close. Bytes that they are given are valid
// during the call.
type Handler interface {
	// Data delivers body bytes. What cannot be passed on at once is the handler's to keep: no more
	// comes than the stream's window, until Conn.Consumed. end says that the peer's side of the
	// stream has ended; p may be empty then.
	Data(s *Stream, p []byte, end bool)
	// Trailers delivers a trailer section, laid out like a head without start line. The peer's side
	// of the stream has ended.
	Trailers(s *Stream, t *message.Head, lines []byte)
	// Fault reports that a head or a frame of the peer's was refused. Where f.HTTPStatus() is not 0 the
	// stream is a new one that waits for that answer. Else it has been reset, and s is to be
	// released; s is nil where the handler was never told of it.
	Fault(s *Stream, f Fault)
	// Reset reports that the peer has ended the stream. s is to be released. RefusedStream says that
	// the peer has not acted on the request; also after its GOAWAY. After a complete response, NoError
	// says only that the rest of the request is of no use.
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
	// which Filters may mark fields in. end says that no body follows.
	Request(s *Stream, req *message.Request, head []byte, end bool)
}

// ClientHandler is the handler of a connection in the client's role.
type ClientHandler interface {
	Handler
	// Response delivers a head: any number of interim ones, with a Code below 200, before the final one.
	// The answer that accepts an extended CONNECT has the Code 101, and is final.
	Response(s *Stream, resp *message.Response, head []byte, end bool)
}
