package main

// One end of an HTTP/2 connection in clear text, for the origin and the stream generator.
//
// Both share a core, and the CPU they use is lost to the load on the proxy: frames are answered as they are
// read, everything that is written goes into one buffer, and that is sent just before the next read(2). So a
// batch of frames that arrived together is answered together.
//
// Flow control is kept as a sender has to keep it: data waits in its stream's queue until both windows have
// room. As a receiver this end grants so much that no measurement ever waits for a window.

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"net"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// h2handler is an end's reaction to frames, called on the goroutine of h2conn.run.
type h2handler interface {
	// headers is called for each block of header fields, trailers too; fields are those of the block, valid
	// during the call.
	headers(s *h2stream, fields []hpack.HeaderField, end bool) error
	// data is called for each DATA frame; payload is valid during the call.
	data(s *h2stream, payload []byte, end bool) error
}

// h2conn belongs to the goroutine that calls run.
type h2conn struct {
	// Immutable after newH2conn:
	conn    net.Conn
	framer  *http2.Framer
	handler h2handler
	server  bool

	out     *bufio.Writer
	decoder *hpack.Decoder
	encoder *hpack.Encoder
	block   bytes.Buffer        // the encoder's output
	coded   []byte              // a header block that goes on in CONTINUATION frames
	fields  []hpack.HeaderField // of the block that is being decoded

	streams  map[uint32]*h2stream
	window   int64 // what may still be sent on the connection
	initial  int64 // window of a new stream
	maxFrame int   // of the peer
	received int64 // since the last WINDOW_UPDATE of the connection
	waiting  int   // streams with a queue
}

// h2stream is one stream that has not ended in both directions.
type h2stream struct {
	id       uint32
	window   int64
	queue    []byte // data that had no room
	last     ending // what follows the queue
	received int64  // since the last WINDOW_UPDATE of the stream
	state    int    // the handler's own
}

// ending is how a stream goes on after its queued data.
type ending int

const (
	notYet       ending = iota // more may come
	withData                   // the last DATA frame ends it
	withTrailers               // grpc-status 0 ends it
)

// grant is the window for what this end receives; half of it used is given back.
const grant = 1 << 30

// newH2conn makes the server's or the client's end of a connection.
func newH2conn(conn net.Conn, server bool, h h2handler) *h2conn {
	c := &h2conn{
		conn: conn, handler: h, server: server,
		streams: map[uint32]*h2stream{}, window: 65535, initial: 65535, maxFrame: 16384,
	}
	c.out = bufio.NewWriterSize(conn, 64<<10)
	c.framer = http2.NewFramer(c.out, bufio.NewReaderSize(&flushingReader{c}, 64<<10))
	c.framer.SetReuseFrames()
	c.encoder = hpack.NewEncoder(&c.block)
	c.decoder = hpack.NewDecoder(4096, func(f hpack.HeaderField) { c.fields = append(c.fields, f) })
	return c
}

// flushingReader sends what has been written before it waits for more.
type flushingReader struct{ c *h2conn }

func (r *flushingReader) Read(b []byte) (int, error) {
	if err := r.c.out.Flush(); err != nil {
		return 0, err
	}
	return r.c.conn.Read(b)
}

// start writes this end's part of the preface.
func (c *h2conn) start() error {
	if !c.server {
		if _, err := c.out.WriteString(http2.ClientPreface); err != nil {
			return err
		}
	}
	if err := c.framer.WriteSettings(
		http2.Setting{ID: http2.SettingInitialWindowSize, Val: grant},
		http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: 1024},
	); err != nil {
		return err
	}
	return c.framer.WriteWindowUpdate(0, grant-65535)
}

// run reads frames until the connection ends or a frame cannot be read. It returns the error of the last
// read, io.EOF too.
func (c *h2conn) run() error {
	for {
		f, err := c.framer.ReadFrame()
		if err != nil {
			return err
		}
		if err := c.frame(f); err != nil {
			return err
		}
	}
}

// frame takes one frame.
func (c *h2conn) frame(f http2.Frame) error {
	switch f := f.(type) {
	case *http2.HeadersFrame:
		return c.headerBlock(f.StreamID, f.HeaderBlockFragment(), f.HeadersEnded(), f.StreamEnded())
	case *http2.DataFrame:
		return c.dataFrame(f)
	case *http2.WindowUpdateFrame:
		return c.windowUpdate(f)
	case *http2.SettingsFrame:
		return c.settings(f)
	case *http2.PingFrame:
		if !f.IsAck() {
			return c.framer.WritePing(true, f.Data)
		}
	case *http2.RSTStreamFrame:
		if s := c.streams[f.StreamID]; s != nil && len(s.queue) > 0 {
			c.waiting--
		}
		delete(c.streams, f.StreamID)
		if !c.server {
			return fmt.Errorf("stream %d was reset: %s", f.StreamID, f.ErrCode)
		}
	case *http2.GoAwayFrame:
		if f.ErrCode != http2.ErrCodeNo {
			return fmt.Errorf("connection was given up: %s %q", f.ErrCode, f.DebugData())
		}
	}
	return nil
}

// headerBlock collects a block and decodes it when it is whole. ReadFrame has checked that CONTINUATION
// frames of the same stream follow a HEADERS frame that does not end its block.
func (c *h2conn) headerBlock(id uint32, fragment []byte, whole, end bool) error {
	c.coded = append(c.coded[:0], fragment...)
	for !whole {
		f, err := c.framer.ReadFrame()
		if err != nil {
			return err
		}
		more, ok := f.(*http2.ContinuationFrame)
		if !ok || len(c.coded) > 64<<10 {
			return errors.New("read header block: it does not end")
		}
		c.coded = append(c.coded, more.HeaderBlockFragment()...)
		whole = more.HeadersEnded()
	}
	c.fields = c.fields[:0]
	if _, err := c.decoder.Write(c.coded); err != nil {
		return fmt.Errorf("read header block: %w", err)
	}
	if err := c.decoder.Close(); err != nil {
		return fmt.Errorf("read header block: %w", err)
	}
	s := c.streams[id]
	if s == nil {
		if !c.server {
			return nil // a stream that this end has reset
		}
		s = c.open(id)
	}
	return c.handler.headers(s, c.fields, end)
}

// open makes the state of a new stream.
func (c *h2conn) open(id uint32) *h2stream {
	s := &h2stream{id: id, window: c.initial}
	c.streams[id] = s
	return s
}

func (c *h2conn) dataFrame(f *http2.DataFrame) error {
	n := int64(f.Length)
	if c.received += n; c.received > grant/2 {
		if err := c.framer.WriteWindowUpdate(0, uint32(c.received)); err != nil {
			return err
		}
		c.received = 0
	}
	s := c.streams[f.StreamID]
	if s == nil {
		return nil
	}
	if s.received += n; s.received > grant/2 && !f.StreamEnded() {
		if err := c.framer.WriteWindowUpdate(s.id, uint32(s.received)); err != nil {
			return err
		}
		s.received = 0
	}
	return c.handler.data(s, f.Data(), f.StreamEnded())
}

func (c *h2conn) windowUpdate(f *http2.WindowUpdateFrame) error {
	if f.StreamID != 0 {
		s := c.streams[f.StreamID]
		if s == nil {
			return nil
		}
		s.window += int64(f.Increment)
		return c.push(s)
	}
	c.window += int64(f.Increment)
	return c.pushAll()
}

// pushAll sends data that waited for a window.
func (c *h2conn) pushAll() error {
	if c.waiting == 0 {
		return nil
	}
	for _, s := range c.streams {
		if err := c.push(s); err != nil {
			return err
		}
	}
	return nil
}

func (c *h2conn) settings(f *http2.SettingsFrame) error {
	if f.IsAck() {
		return nil
	}
	if err := f.ForeachSetting(func(s http2.Setting) error {
		switch s.ID {
		case http2.SettingInitialWindowSize:
			change := int64(s.Val) - c.initial
			c.initial = int64(s.Val)
			for _, stream := range c.streams {
				stream.window += change
			}
		case http2.SettingHeaderTableSize:
			c.encoder.SetMaxDynamicTableSizeLimit(s.Val)
		case http2.SettingMaxFrameSize:
			c.maxFrame = int(min(s.Val, 64<<10))
		}
		return nil
	}); err != nil {
		return err
	}
	if err := c.framer.WriteSettingsAck(); err != nil {
		return err
	}
	return c.pushAll()
}

// writeHeaders sends a block of fields, given as name and value in turn.
func (c *h2conn) writeHeaders(s *h2stream, end bool, fields ...string) error {
	c.block.Reset()
	for i := 0; i+1 < len(fields); i += 2 {
		if err := c.encoder.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]}); err != nil {
			return err
		}
	}
	return c.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: s.id, BlockFragment: c.block.Bytes(), EndHeaders: true, EndStream: end})
}

// send sends data, in one frame where the windows have room, and queues the rest. last is how the
// stream goes on afterwards; with withData this end of it is done.
func (c *h2conn) send(s *h2stream, data []byte, last ending) error {
	s.last = last
	if n := int64(len(data)); len(s.queue) == 0 && n > 0 && n <= min(s.window, c.window, int64(c.maxFrame)) {
		return c.write(s, data, true)
	}
	if len(s.queue) == 0 && len(data) > 0 {
		c.waiting++
	}
	s.queue = append(s.queue, data...)
	return c.push(s)
}

// push sends as much of a stream's queue as the windows allow.
func (c *h2conn) push(s *h2stream) error {
	for len(s.queue) > 0 {
		n := int(min(int64(len(s.queue)), s.window, c.window, int64(c.maxFrame)))
		if n <= 0 {
			return nil
		}
		all := n == len(s.queue)
		if all {
			c.waiting--
		}
		if err := c.write(s, s.queue[:n], all); err != nil {
			return err
		}
		s.queue = append(s.queue[:0], s.queue[n:]...)
	}
	return nil
}

// write sends one frame; all means that the queue is empty after it.
func (c *h2conn) write(s *h2stream, data []byte, all bool) error {
	s.window -= int64(len(data))
	c.window -= int64(len(data))
	end := all && s.last == withData
	if err := c.framer.WriteData(s.id, end, data); err != nil {
		return err
	}
	switch {
	case end && c.server:
		delete(c.streams, s.id)
	case all && s.last == withTrailers:
		return c.trailers(s)
	}
	return nil
}

// finish ends the stream with trailers once its queue is empty.
func (c *h2conn) finish(s *h2stream) error {
	if s.last = withTrailers; len(s.queue) > 0 {
		return nil
	}
	return c.trailers(s)
}

// trailers ends a stream as a gRPC server does after a call without error.
func (c *h2conn) trailers(s *h2stream) error {
	delete(c.streams, s.id)
	return c.writeHeaders(s, true, "grpc-status", "0", "grpc-message", "")
}
