package h2

import "encoding/binary"

// Conn is the protocol state of one connection. It has no socket: Feed takes the bytes read, Output
// has the bytes to write. Make it with Shared.NewServer or NewClient; it belongs to the loop, is not
// copied, and ends with Close. The zero value is not usable.
//
//  1. To read: while Congested is false, Feed the bytes of read(2), once for all of them. On an error
//     write the output and close.
//  2. To write: after each batch of calls, and again as long as there is Output, write(2) it and
//     call Wrote. Look at Err first: WriteData can find that the connection is over.
//  3. To answer: on Handler.Request, and later, WriteInterim, WriteHead, WriteData and WriteTrailers;
//     Release when the last was taken and the rest of the request is of no use.
//  4. To ask: OpenRequest, then WriteData and WriteTrailers; Release when the response has ended.
//  5. To pass a body on: Consumed when the other side took it, never before.
//  6. To drain: GoAway(false), Ping, on Pong GoAway(true), close when Open is 0.
//  7. Timeouts are the owner's: a connection without streams (Open), even in the middle of a frame, a stream whose data
//     the peer gives no window for, output that does not move, a Ping without a Pong.
type Conn struct {
	// Immutable after New:

	shared *Shared
	server ServerHandler // one of the two is set
	client ClientHandler
	h      Handler
	tls    bool // the scheme that a client's requests name

	// Reading:

	err      error // sticky: the connection is over
	now      int64
	preface  int   // bytes of the client's preface seen
	settled  bool  // the peer's first frame, SETTINGS, came
	headLen  uint8 // bytes of a partial frame header
	head     [frameHeaderLen]byte
	in       []byte // the payload of an incomplete frame, nil for none
	data     dataFrame
	block    headerBlock
	decoder  decoder
	budget   budget
	amnesty  amnesty
	fedFrom  uint32 // lastPeer when Feed was called
	hasty    int    // streams that this Feed brought and reset
	recvOpen int32  // bytes that the peer may send on all streams
	credit   int32  // consumed and not yet announced

	// Streams:

	streams  streamTable
	live     int // streams that are not released, closed or not
	lastPeer uint32
	nextID   uint32 // client: of the next request
	goneLast uint32 // the highest stream that a GOAWAY of ours promises to act on
	peerGone bool   // the peer's GOAWAY came
	peerLast uint32
	past     closedStreams

	// The peer's settings:

	peerWindow   int32
	peerStreams  uint32
	peerExtended bool
	unacked      uint8 // SETTINGS of ours that were not acknowledged

	// Writing:

	out      []byte
	sent     int // bytes of out that were written
	owed     int // client: bytes of out that answer the peer, at most
	sendOpen int32
	queue    streamQueue
	pumping  bool
	feeding  bool
	encoder  encoder
}

// NewServer returns a connection in the server's role. Its first output is there at once.
func (h *Shared) NewServer(now int64, handler ServerHandler) *Conn {
	c := h.newConn(now)
	c.server, c.h = handler, handler
	c.appendSettings()
	return c
}

// NewClient returns a connection in the client's role, on which requests can be opened at once. tls
// decides the scheme that they name.
func (h *Shared) NewClient(now int64, handler ClientHandler, tls bool) *Conn {
	c := h.newConn(now)
	c.client, c.h, c.tls = handler, handler, tls
	c.nextID = 1
	c.preface = len(Preface)
	c.out = append(c.room(), Preface...)
	c.appendSettings()
	return c
}

func (h *Shared) newConn(now int64) *Conn {
	var c *Conn
	if i := len(h.conns) - 1; i >= 0 {
		c = h.conns[i]
		h.conns[i] = nil
		h.conns = h.conns[:i]
	} else {
		c = &Conn{}
	}
	c.shared = h
	c.now = now
	c.budget.since = now
	c.decoder.init()
	c.encoder.init(&h.config)
	c.recvOpen = defaultWindow
	c.sendOpen = defaultWindow
	c.peerWindow = defaultWindow
	c.peerStreams = 100 // first SETTINGS below this are not expected: section 6.5.2
	c.goneLast = maxWindow
	return c
}

// Close gives the connection's memory back. Streams that the handler has not released are released:
// it must forget them. Not from within a call of the handler's.
func (c *Conn) Close() {
	h := c.shared
	c.streams.all(func(s *Stream) bool {
		h.freeStream(s)
		return true
	})
	h.freeBuffer(c.out)
	h.freeBuffer(c.in)
	h.freeBuffer(c.block.buf)
	c.streams.clear()
	*c = Conn{streams: c.streams}
	if len(h.conns) < maxFreeConns {
		h.conns = append(h.conns, c)
	}
}

// Err returns why the connection is over, nil while it is not. Look at it before writing the output
// after any call: a GOAWAY is in it, to be written before closing.
func (c *Conn) Err() error { return c.err }

// Feed takes bytes from the peer, however they were split, and calls the handler. now is the loop's
// clock in nanoseconds. It keeps an incomplete frame, and nothing else of p. An error means that the
// connection is over: write the output, which holds a GOAWAY, and close.
//
// hot: runs per read; no alloc, no lock.
func (c *Conn) Feed(now int64, p []byte) error {
	c.now = now
	c.fedFrom, c.hasty = c.lastPeer, 0
	c.feeding = true
	for len(p) > 0 && c.err == nil {
		switch {
		case c.preface < len(Preface):
			p = c.feedPreface(p)
		case c.data.active:
			p = c.feedData(p)
		default:
			p = c.feedFrame(p)
		}
	}
	c.feeding = false
	c.pump()
	return c.err
}

func (c *Conn) feedPreface(p []byte) []byte {
	n := min(len(Preface)-c.preface, len(p))
	if string(p[:n]) != Preface[c.preface:c.preface+n] {
		c.fail(errPreface)
		return nil
	}
	c.preface += n
	return p[n:]
}

// feedFrame takes one frame from the front of p, or the beginning of one, and returns the rest.
func (c *Conn) feedFrame(p []byte) []byte {
	if c.in == nil {
		var h frameHeader
		if c.headLen == 0 && len(p) >= frameHeaderLen {
			h = readFrameHeader(p)
			p = p[frameHeaderLen:]
		} else {
			n := copy(c.head[c.headLen:], p)
			c.headLen += uint8(n)
			if c.headLen < frameHeaderLen {
				return nil
			}
			p = p[n:]
			h = readFrameHeader(c.head[:])
		}
		c.headLen = 0
		if !c.begin(h) {
			return nil
		}
		if h.kind == frameData {
			c.beginData(h)
			return p
		}
		if len(p) >= int(h.length) {
			c.frame(h, p[:h.length])
			return p[h.length:]
		}
		setFrameHeader(c.head[:], int(h.length), h.kind, h.flags, h.stream)
		c.in = append(c.shared.buffer(int(h.length)), p...)
		return nil
	}
	h := readFrameHeader(c.head[:])
	n := min(int(h.length)-len(c.in), len(p))
	c.in = append(c.in, p[:n]...)
	if len(c.in) < int(h.length) {
		return nil
	}
	in := c.in
	c.in = nil
	c.frame(h, in)
	c.shared.freeBuffer(in)
	return p[n:]
}

// begin checks a frame by its header, before its payload is waited for.
func (c *Conn) begin(h frameHeader) bool {
	switch {
	case h.length > maxFrame:
		return c.fail(errFrameTooLong)
	case !c.settled && (h.kind != frameSettings || h.has(flagAck)):
		return c.fail(errFirstFrame)
	case c.block.active && (h.kind != frameContinuation || h.stream != c.block.header.stream):
		return c.fail(errInterleaved)
	}
	return true
}

// frame acts on one complete frame that is not DATA.
func (c *Conn) frame(h frameHeader, p []byte) {
	switch h.kind {
	case frameHeaders:
		c.headers(h, p)
	case frameContinuation:
		c.continuation(h, p)
	case frameWindowUpdate:
		c.windowUpdate(h, p)
	case frameResetStream:
		c.resetStream(h, p)
	case frameSettings:
		c.settings(h, p)
	case framePing:
		c.ping(h, p)
	case frameGoAway:
		c.goAway(h, p)
	case framePriority:
		c.priority(h, p)
	case framePushPromise:
		c.fail(errPush)
	default: // section 4.1: ignored
		c.charge(FloodPriority)
	}
}

// fail ends the connection with a GOAWAY, once. It returns false.
func (c *Conn) fail(err error) bool {
	if c.err != nil {
		return false
	}
	c.err = err
	code := InternalError
	if e, ok := err.(*ConnError); ok {
		code = e.Code
	}
	c.appendGoAway(c.lastPeer, code)
	return false
}

// charge counts a frame that carries nothing by itself, and reports whether the connection lives. A client's
// connection ends when an allowance is used up; an Endpoint's takes no more requests from then on, and those under
// way, which are of many clients, go on.
func (c *Conn) charge(f Flood) bool {
	if c.budget.charge(f, c.now) {
		return true
	}
	if c.client == nil || !c.budget.lapse() {
		return c.fail(floodErrors[f])
	}
	if c.budget.lapses == 1 {
		c.client.Flooded(f)
	}
	return true
}

// Output returns the bytes that wait to be written. They are valid until the next call of anything.
func (c *Conn) Output() []byte { return c.out[c.sent:] }

// Congested reports whether so much output waits that the owner should not Feed until some of it was
// written: a peer that does not read is not read from.
func (c *Conn) Congested() bool { return len(c.out)-c.sent > 2*c.shared.config.MaxOutput }

// Wrote notes that the first n bytes of the output were written, and lets waiting streams write
// more: look at Output again.
func (c *Conn) Wrote(n int) {
	c.sent += n
	if c.sent == len(c.out) {
		c.shared.freeBuffer(c.out)
		c.out, c.sent = nil, 0
	} else if c.sent > len(c.out)/2 {
		c.out = c.out[:copy(c.out, c.out[c.sent:])]
		c.sent = 0
	}
	c.owed = min(c.owed, len(c.out)-c.sent)
	c.pump()
}

// room returns the output for appending.
func (c *Conn) room() []byte {
	if c.out == nil {
		c.out = c.shared.buffer(0)
	}
	return c.out
}

// reply makes room for an answer that the peer caused, such as an acknowledgement, which only the peer's reading
// bounds. A client is not read from while much waits for it, see Congested; an Endpoint is, since the requests that
// wait for it are not its doing.
func (c *Conn) reply() bool {
	waits := len(c.out) - c.sent
	if c.client != nil {
		waits = c.owed
		c.owed += maxReply
	}
	if waits > 4*c.shared.config.MaxOutput {
		return c.fail(floodErrors[FloodOutput])
	}
	c.out = c.room()
	return true
}

// maxReply is the longest answer: to a PING.
const maxReply = frameHeaderLen + 8

// Ping asks the peer for a sign of life: Handler.Pong brings data back.
func (c *Conn) Ping(data uint64) {
	c.out = appendFrameHeader(c.room(), 8, framePing, 0, 0)
	c.out = binary.BigEndian.AppendUint64(c.out, data)
}

func (c *Conn) ping(h frameHeader, p []byte) {
	switch {
	case h.stream != 0:
		c.fail(errStreamNotZero)
	case len(p) != 8:
		c.fail(errFrameLength)
	case h.has(flagAck):
		c.h.Pong(binary.BigEndian.Uint64(p))
	case c.charge(FloodPing) && c.reply():
		c.out = appendFrameHeader(c.out, 8, framePing, flagAck, 0)
		c.out = append(c.out, p...)
	}
}
