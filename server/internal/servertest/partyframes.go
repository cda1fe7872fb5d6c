package servertest

import (
	"bytes"
	"io"
	"net"
	"sync"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// Frames is an HTTP/2 connection whose frames go to the parties that have its streams.
type Frames struct {
	*http2.Framer
	conn  net.Conn
	mu    sync.Mutex // guards what is written too
	moved *sync.Cond
	block bytes.Buffer
	enc   *hpack.Encoder
	list  map[uint32]*Party
	open  func(stream uint32) *Party // makes the party of a stream that the peer opens; nil of a client
	last  string                     // how the connection ended
}

func newFrames(conn net.Conn, r io.Reader, settings ...http2.Setting) *Frames {
	f := &Frames{Framer: http2.NewFramer(conn, r), conn: conn, list: map[uint32]*Party{}}
	f.moved = sync.NewCond(&f.mu)
	f.enc = hpack.NewEncoder(&f.block)
	_ = f.WriteSettings(settings...)
	return f
}

// run reads until the connection ends.
func (f *Frames) run() {
	for {
		frame, err := f.ReadFrame()
		f.mu.Lock()
		if err != nil {
			f.last = endOf(err)
			for _, p := range f.list {
				if p.end == "" {
					p.end = f.last
				}
			}
			f.moved.Broadcast()
			f.mu.Unlock()
			return
		}
		p := f.list[frame.Header().StreamID]
		switch frame := frame.(type) {
		case *http2.SettingsFrame:
			if !frame.IsAck() {
				_ = f.WriteSettingsAck()
			}
		case *http2.PingFrame:
			if !frame.IsAck() {
				_ = f.WritePing(true, frame.Data)
			}
		case *http2.HeadersFrame:
			switch {
			case p == nil && f.open != nil:
				f.list[frame.StreamID] = f.open(frame.StreamID)
				p = f.list[frame.StreamID]
			case p != nil:
				p.answer = true
			}
			if frame.StreamEnded() && p != nil {
				p.end = "end"
			}
		case *http2.DataFrame:
			if p == nil {
				break
			}
			p.got = append(p.got, frame.Data()...)
			p.untold += len(frame.Data())
			if p.eager {
				p.openWindow()
			}
			if frame.StreamEnded() {
				p.end = "end"
			}
		case *http2.RSTStreamFrame:
			if p != nil && p.end == "" {
				p.end = "reset"
			}
		}
		f.moved.Broadcast()
		f.mu.Unlock()
	}
}
