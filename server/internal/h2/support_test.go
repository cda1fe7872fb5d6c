package h2

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/sluice-gateway/sluice/server/internal/h1"
	"github.com/sluice-gateway/sluice/server/internal/message"
)

// The tests are written as a peer sees it: frames go in and come out by x/net's Framer, which is the
// second implementation, and events are recorded as lines of text.

// recorder is a handler that writes down its calls. do, where set, acts on a line.
type recorder struct {
	c       *Conn
	log     []string
	data    map[uint32][]byte
	streams map[uint32]*Stream
	keep    bool // do not consume
	do      func(event string, s *Stream)
}

func (r *recorder) note(s *Stream, format string, args ...any) {
	event := fmt.Sprintf(format, args...)
	r.log = append(r.log, event)
	if r.do != nil {
		r.do(event, s)
	}
}

func (r *recorder) know(s *Stream) {
	if r.streams == nil {
		r.streams, r.data = map[uint32]*Stream{}, map[uint32][]byte{}
	}
	r.streams[s.ID()] = s
}

func lines(h *message.Head, b []byte) string {
	var sb strings.Builder
	for i := range h.Fields {
		f := &h.Fields[i]
		fmt.Fprintf(&sb, " %s=%s", f.Name.Of(b), f.Value.Of(b))
		if f.Hop {
			sb.WriteString("(hop)")
		}
	}
	return sb.String()
}

func ending(end bool) string {
	if end {
		return " end"
	}
	return ""
}

func (r *recorder) Request(s *Stream, q *message.Request, head []byte, end bool) {
	r.know(s)
	r.note(s, "%d request %s %s%s%s", s.ID(), q.MethodSpan.Of(head), q.Target.Of(head), lines(&q.Head, head), ending(end))
}

func (r *recorder) Response(s *Stream, q *message.Response, head []byte, end bool) {
	r.note(s, "%d response %d%s%s", s.ID(), q.Code, lines(&q.Head, head), ending(end))
}

func (r *recorder) Data(s *Stream, p []byte, end bool) {
	r.know(s)
	r.data[s.ID()] = append(r.data[s.ID()], p...)
	if !r.keep {
		r.c.Consumed(s, len(p))
	}
	r.note(s, "%d data %d%s", s.ID(), len(p), ending(end))
}

func (r *recorder) Trailers(s *Stream, t *message.Head, b []byte) {
	r.note(s, "%d trailers%s", s.ID(), lines(t, b))
}

func (r *recorder) Fault(s *Stream, f Fault) {
	id := uint32(0)
	if s != nil {
		id = s.ID()
	}
	r.note(s, "%d fault %s", id, f.Reason())
	if s != nil && f.HTTPStatus() == 0 {
		r.c.Release(s)
	}
}

func (r *recorder) Reset(s *Stream, code Code) {
	r.note(s, "%d reset %v", s.ID(), code)
	r.c.Release(s)
}

func (r *recorder) Flooded(f Flood)               { r.note(nil, "flooded %v", f) }
func (r *recorder) Writable(s *Stream)            { r.note(s, "%d writable", s.ID()) }
func (r *recorder) Settings()                     { r.note(nil, "settings") }
func (r *recorder) GoAway(last uint32, code Code) { r.note(nil, "goaway %d %v", last, code) }
func (r *recorder) Pong(data uint64)              { r.note(nil, "pong %d", data) }

// peer writes frames to a Conn, and reads those that it writes.
type peer struct {
	t   testing.TB
	c   *Conn
	r   *recorder
	in  bytes.Buffer // frames for the Conn
	f   *http2.Framer
	enc *hpack.Encoder
	hb  bytes.Buffer
	dec *hpack.Decoder
	now int64
	err error
}

// newPeer returns a peer of a server, or of a client, with the handshake behind them and all logs empty.
func newPeer(t testing.TB, config Config, server bool) *peer {
	p := rawPeer(t, config, server)
	if server {
		p.in.WriteString(Preface)
	}
	p.f.WriteSettings()
	p.f.WriteSettingsAck()
	p.flush()
	p.frames()
	p.r.log = nil
	return p
}

// rawPeer is newPeer without the handshake.
func rawPeer(t testing.TB, config Config, server bool) *peer {
	p := &peer{t: t, r: &recorder{}, now: 1e9}
	if server {
		p.c = NewShared(config).NewServer(p.now, p.r)
	} else {
		p.c = NewShared(config).NewClient(p.now, p.r, false)
	}
	p.r.c = p.c
	p.f = http2.NewFramer(&p.in, nil)
	p.f.AllowIllegalWrites = true
	p.enc = hpack.NewEncoder(&p.hb)
	p.dec = hpack.NewDecoder(4096, nil)
	return p
}

// flush feeds what was written.
func (p *peer) flush() {
	b := bytes.Clone(p.in.Bytes())
	p.in.Reset()
	if err := p.c.Feed(p.now, b); err != nil {
		p.err = err
	}
}

// block encodes "name=value" fields.
func (p *peer) block(fields ...string) []byte {
	p.hb.Reset()
	for _, f := range fields {
		i := strings.IndexByte(f, '=')
		p.enc.WriteField(hpack.HeaderField{Name: f[:i], Value: f[i+1:]})
	}
	return bytes.Clone(p.hb.Bytes())
}

// get is the usual request.
var get = []string{":method=GET", ":scheme=http", ":path=/", ":authority=a"}

var post = []string{":method=POST", ":scheme=http", ":path=/", ":authority=a"}

func with(fields []string, more ...string) []string {
	return append(append([]string(nil), fields...), more...)
}

func (p *peer) headers(id uint32, end bool, fields ...string) {
	p.f.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: p.block(fields...), EndStream: end, EndHeaders: true})
}

// frames reads what the Conn wrote, as lines of text; the handshake's are left out.
func (p *peer) frames() (list []string) {
	b := bytes.Clone(p.c.Output())
	p.c.Wrote(len(b))
	b = bytes.TrimPrefix(b, []byte(Preface))
	f := http2.NewFramer(nil, bytes.NewReader(b))
	f.SetMaxReadFrameSize(maxFrame)
	f.ReadMetaHeaders = p.dec
	for {
		frame, err := f.ReadFrame()
		if err != nil {
			if err.Error() != "EOF" {
				p.t.Fatalf("x/net cannot read what we write: %v", err)
			}
			return list
		}
		switch g := frame.(type) {
		case *http2.MetaHeadersFrame:
			s := fmt.Sprintf("%d HEADERS", g.StreamID)
			for _, h := range g.Fields {
				s += " " + h.Name + "=" + h.Value
			}
			list = append(list, s+ending(g.StreamEnded()))
		case *http2.DataFrame:
			list = append(list, fmt.Sprintf("%d DATA %d%s", g.StreamID, len(g.Data()), ending(g.StreamEnded())))
		case *http2.RSTStreamFrame:
			list = append(list, fmt.Sprintf("%d RST %v", g.StreamID, Code(g.ErrCode)))
		case *http2.WindowUpdateFrame:
			list = append(list, fmt.Sprintf("%d WINDOW +%d", g.StreamID, g.Increment))
		case *http2.GoAwayFrame:
			list = append(list, fmt.Sprintf("GOAWAY %d %v", g.LastStreamID, Code(g.ErrCode)))
		case *http2.PingFrame:
			list = append(list, fmt.Sprintf("PING ack=%v %x", g.IsAck(), g.Data))
		case *http2.SettingsFrame:
			list = append(list, fmt.Sprintf("SETTINGS ack=%v", g.IsAck()))
		default:
			p.t.Fatalf("unexpected %v", frame)
		}
	}
}

// raw writes a frame of any kind.
func (p *peer) raw(kind, flags uint8, stream uint32, payload string) {
	p.in.Write(appendFrameHeader(nil, len(payload), kind, flags, stream))
	p.in.WriteString(payload)
}

// openGet opens a request whose head is given as HTTP/1 has it.
func openGet(c *Conn, head string) (*Stream, bool) {
	var r h1.Request
	if h1.ParseRequest(&r, []byte(head), h1.Limits{}) != h1.Done {
		panic("malformed: " + head)
	}
	return c.OpenRequest(&r.Request, Outgoing{Head: &r.Head, Bytes: []byte(head)}, !r.HasBody)
}

// partial reports whether the peer has begun something that it has yet to end: the preface, a frame, a header
// block.
func (c *Conn) partial() bool {
	return !c.settled || c.headLen > 0 || c.in != nil || c.block.active || c.data.active
}

// stalled reports whether only the peer's window for this stream keeps data from being sent.
func (s *Stream) stalled() bool { return !s.closed && !s.sendEnded && s.sendOpen <= 0 }
