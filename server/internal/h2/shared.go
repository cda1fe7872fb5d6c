package h2

// Shared holds the common parts of all connections of one loop: the configuration, scratch memory for the head
// being read or written, and free lists. It belongs to that loop. Make it with NewShared; it is not copied.
type Shared struct {
	// Immutable after NewShared, but for the bounds that SetLimits changes:

	config Config

	// Owned by the loop:

	heads   assembler
	streams *Stream // free, linked by next
	nFree   int
	conns   []*Conn
	buffers [][]byte // free, of bufferSize bytes or somewhat more
	large   [][]byte // free, of maxBuffer bytes
}

// Bounds of the free lists: the most that a loop keeps after a burst.
const (
	maxFreeStreams = 4096
	maxFreeConns   = 256
	maxFreeBuffers = 32
	maxFreeLarge   = 8

	// bufferSize holds a frame of full length.
	bufferSize = frameHeaderLen + maxFrame
	// maxBuffer is the largest buffer that is kept for the next user: it holds MaxOutput and a frame.
	maxBuffer = 160 << 10
)

// NewShared returns the shared parts for the connections of a new loop.
func NewShared(config Config) *Shared {
	config.setDefaults()
	h := &Shared{config: config}
	h.heads.limits(&h.config)
	return h
}

// SetLimits changes the bounds of heads to those of config, for later heads on all connections. The
// other fields of the configuration stay as they are.
func (h *Shared) SetLimits(config Config) {
	config.setDefaults()
	h.config.MaxHead, h.config.MaxFields, h.config.MaxTarget = config.MaxHead, config.MaxFields, config.MaxTarget
	h.heads.limits(&h.config)
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
	list := &h.buffers
	if n > bufferSize {
		list = &h.large
	}
	if i := len(*list) - 1; i >= 0 && cap((*list)[i]) >= n {
		b := (*list)[i]
		(*list)[i] = nil
		*list = (*list)[:i]
		return b[:0]
	}
	return make([]byte, 0, max(n, bufferSize))
}

func (h *Shared) freeBuffer(b []byte) {
	switch {
	case cap(b) == maxBuffer:
		if len(h.large) < maxFreeLarge {
			h.large = append(h.large, b[:0])
		}
	case cap(b) >= bufferSize && cap(b) < maxBuffer && len(h.buffers) < maxFreeBuffers:
		h.buffers = append(h.buffers, b[:0])
	}
}
