package interop

import (
	"bytes"
	"fmt"
	"net"
	"slices"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/sys/unix"
)

// innocent is a client with two open connections, one of HTTP/1.1 and one of HTTP/2, that asks for a few bytes
// now and then. It reads and writes with system calls that block, so that what it measures is not the work of
// Go's scheduler in this process. Not safe for concurrent use.
type innocent struct {
	h1   wire
	h2   wire
	in   *http2.Framer // what h2 reads
	get  []byte        // a HEADERS frame
	next uint32        // its stream
	ask  []byte
	end  []byte // of the answer to ask
	buf  [4096]byte
}

// wire is a socket that blocks.
type wire int

func (w wire) Read(p []byte) (int, error)  { return unix.Read(int(w), p) }
func (w wire) Write(p []byte) (int, error) { return unix.Write(int(w), p) }

func dialWire(t *testing.T, addr string) wire {
	t.Helper()
	to, err := net.ResolveTCPAddr("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	patience := unix.Timeval{Sec: 20}
	for _, err := range []error{
		unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &patience),
		unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1),
		unix.Connect(fd, &unix.SockaddrInet4{Port: to.Port, Addr: [4]byte(to.IP.To4())}),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return wire(fd)
}

// newInnocent connects to the plain Listener.
func newInnocent(t *testing.T, g *gateway, host string) *innocent {
	t.Helper()
	c := &innocent{h1: dialWire(t, g.plain), h2: dialWire(t, g.plain), next: 1}
	c.ask = fmt.Appendf(nil, "GET / HTTP/1.1\r\nHost: %s\r\n\r\n", host)
	c.end = []byte("GET " + host)
	var out bytes.Buffer
	out.WriteString(http2.ClientPreface)
	f := http2.NewFramer(&out, nil)
	_ = f.WriteSettings()
	_ = f.WriteWindowUpdate(0, 1<<30)
	if _, err := c.h2.Write(out.Bytes()); err != nil {
		t.Fatal(err)
	}
	out.Reset()
	_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: getBlock(false, host, "/"), EndHeaders: true, EndStream: true})
	c.get = out.Bytes()
	c.in = http2.NewFramer(nil, c.h2)
	c.in.SetReuseFrames()
	return c
}

// overH1 asks over HTTP/1.1.
func (c *innocent) overH1() error {
	if _, err := c.h1.Write(c.ask); err != nil {
		return err
	}
	for n := 0; ; {
		m, err := c.h1.Read(c.buf[n:])
		if err != nil || m == 0 {
			return fmt.Errorf("read a response: %w after %d bytes", err, n)
		}
		if n += m; bytes.HasSuffix(c.buf[:n], c.end) {
			if !bytes.HasPrefix(c.buf[:n], []byte("HTTP/1.1 200 ")) {
				return fmt.Errorf("answered %q", c.buf[:n])
			}
			return nil
		}
	}
}

// overH2 asks over HTTP/2.
func (c *innocent) overH2() error {
	id := c.next
	c.next += 2
	c.get[5], c.get[6], c.get[7], c.get[8] = byte(id>>24), byte(id>>16), byte(id>>8), byte(id)
	if _, err := c.h2.Write(c.get); err != nil {
		return err
	}
	for {
		frame, err := c.in.ReadFrame()
		if err != nil {
			return fmt.Errorf("read a frame: %w", err)
		}
		h := frame.Header()
		switch frame.(type) {
		case *http2.GoAwayFrame, *http2.RSTStreamFrame:
			return fmt.Errorf("answered with %v", h)
		case *http2.HeadersFrame, *http2.DataFrame:
			if h.StreamID == id && h.Flags.Has(http2.FlagDataEndStream) {
				return nil
			}
		}
	}
}

// pause is between two requests: the other processes of this CPU have it then.
const pause = 200 * time.Microsecond

// longest is how long a measurement may take where requests do.
const longest = 5 * time.Second

// times are what requests took: the p50 and p99 of each protocol.
type times struct{ h1p50, h1p99, h2p50, h2p99 time.Duration }

// measure asks up to n times over each of the connections, in turn.
func (c *innocent) measure(t *testing.T, n int) (m times) {
	t.Helper()
	n = max(n, 100)
	ask := func(f func() error) time.Duration {
		wait := unix.NsecToTimespec(int64(pause))
		_ = unix.Nanosleep(&wait, nil)
		begun := time.Now()
		if err := f(); err != nil {
			t.Fatalf("the innocent client: %v", err)
		}
		return time.Since(begun)
	}
	h1, h2 := make([]time.Duration, 0, n), make([]time.Duration, 0, n)
	for begun := time.Now(); len(h1) < n && time.Since(begun) < longest; {
		h1, h2 = append(h1, ask(c.overH1)), append(h2, ask(c.overH2))
	}
	n = len(h1)
	slices.Sort(h1)
	slices.Sort(h2)
	return times{h1[n/2], h1[n*99/100], h2[n/2], h2[n*99/100]}
}
