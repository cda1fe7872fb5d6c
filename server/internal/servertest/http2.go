package servertest

import (
	"bytes"
	"io"
	"net"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// RawHTTP2 is a client's HTTP/2 connection, frame by frame.
type RawHTTP2 struct {
	net.Conn
	*http2.Framer
	Block bytes.Buffer
	Enc   *hpack.Encoder
	Dec   *hpack.Decoder // made at first use
}

// NewRawHTTP2 is for a connection on which nothing was said yet; what it reads comes from r.
func NewRawHTTP2(conn net.Conn, r io.Reader) *RawHTTP2 {
	c := &RawHTTP2{Conn: conn, Framer: http2.NewFramer(conn, r)}
	c.AllowIllegalWrites = true
	c.Enc = hpack.NewEncoder(&c.Block)
	return c
}

// DialHTTP2 opens a client's connection by prior knowledge.
func DialHTTP2(t testing.TB, addr string, settings ...http2.Setting) *RawHTTP2 {
	t.Helper()
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	_ = nc.SetDeadline(time.Now().Add(Timeout))
	c := NewRawHTTP2(nc, nc)
	c.Open(settings...)
	return c
}

// AwaitEnd reads up to the end of a stream, and returns its status, 0 where it was reset.
func (c *RawHTTP2) AwaitEnd(t testing.TB, stream uint32) (status string, reset http2.ErrCode) {
	t.Helper()
	for {
		f, err := c.ReadFrame()
		if err != nil {
			t.Fatal(err)
		}
		if f.Header().StreamID != stream {
			continue
		}
		switch f := f.(type) {
		case *http2.MetaHeadersFrame:
			if v := f.PseudoValue("status"); v != "" {
				status = v
			}
			if f.StreamEnded() {
				return status, 0
			}
		case *http2.DataFrame:
			if f.StreamEnded() {
				return status, 0
			}
		case *http2.RSTStreamFrame:
			return "", f.ErrCode
		}
	}
}

// NextHead reads up to the next HEADERS, and returns its stream.
func (c *RawHTTP2) NextHead() uint32 {
	for {
		f, err := c.ReadFrame()
		if err != nil {
			return 0
		}
		if f, ok := f.(*http2.HeadersFrame); ok {
			return f.StreamID
		}
	}
}

// Fields writes HEADERS that are not a request's.
func (c *RawHTTP2) Fields(stream uint32, end bool, fields ...string) {
	c.Block.Reset()
	for i := 0; i < len(fields); i += 2 {
		_ = c.Enc.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]})
	}
	_ = c.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: c.Block.Bytes(), EndHeaders: true, EndStream: end})
}

// Open sends what a client begins with.
func (c *RawHTTP2) Open(settings ...http2.Setting) {
	_, _ = io.WriteString(c.Conn, http2.ClientPreface)
	_ = c.WriteSettings(settings...)
}

// Head returns the header block of a request.
func (c *RawHTTP2) Head(method, path string, more ...string) []byte {
	c.Block.Reset()
	fields := append([]string{":method", method, ":scheme", "http", ":authority", "a.test", ":path", path}, more...)
	for i := 0; i < len(fields); i += 2 {
		_ = c.Enc.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]})
	}
	return c.Block.Bytes()
}

// Request opens a stream.
func (c *RawHTTP2) Request(stream uint32, method, path string, end bool, more ...string) {
	_ = c.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: c.Head(method, path, more...), EndHeaders: true, EndStream: end})
}

// NextMeta is nextHead where fields are decoded.
func (c *RawHTTP2) NextMeta() uint32 {
	for {
		f, err := c.ReadFrame()
		if err != nil {
			return 0
		}
		if f, ok := f.(*http2.MetaHeadersFrame); ok {
			return f.StreamID
		}
	}
}

// Status returns :status of a response's head, which the gateway sends first.
func (c *RawHTTP2) Status(t testing.TB, f *http2.HeadersFrame) (status string) {
	t.Helper()
	if c.Dec == nil {
		c.Dec = hpack.NewDecoder(4096, nil)
	}
	fields, err := c.Dec.DecodeFull(f.HeaderBlockFragment())
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range fields {
		if f.Name == ":status" {
			return f.Value
		}
	}
	return ""
}

// RawHTTP2Backend is RawBackend for HTTP/2: handle is called with the connection behind the preface and SETTINGS.
func RawHTTP2Backend(t testing.TB, handle func(n int, c *RawHTTP2), settings ...http2.Setting) (addr string) {
	return RawBackend(t, func(n int, w *Wire) {
		if _, err := io.ReadFull(w.R, make([]byte, len(http2.ClientPreface))); err != nil {
			return
		}
		c := NewRawHTTP2(w.TCPConn, w.R)
		_ = c.WriteSettings(settings...)
		handle(n, c)
	})
}
