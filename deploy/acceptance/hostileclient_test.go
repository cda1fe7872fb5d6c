package acceptance

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// Hostile clients run in a process of their own, as a flood does, and all kinds at once.

// hostileVariable holds the addresses for HTTP, HTTPS and metrics in that process's environment.
const hostileVariable = "SLUICE_HOSTILE"

// hostileKinds say what each kind of client does on one connection, and from how many sources how many such
// connections are open. A connection that ends is opened again after a pause.
var hostileKinds = []struct {
	name          string
	sources, each int
	to            int // 0 HTTP, 1 HTTPS, 2 metrics
	pause         time.Duration
	play          func(c *net.TCPConn)
}{
	{"a media type, and no body", 1, 64, 0, time.Second, say("POST /x HTTP/1.1\r\nHost: a.test\r\nContent-Type: application/grpc\r\nContent-Length: 1000\r\n\r\n")},
	{"streams without a window", 2, 40, 0, time.Second, func(c *net.TCPConn) { manyStreams(c, "a.test", "/mebibyte", 0, 0) }},
	{"streams, and a socket that is not read", 2, 16, 0, time.Second, func(c *net.TCPConn) { manyStreams(c, "a.test", "/endless", 1<<31-1, 0) }},
	{"bodies for an Endpoint that takes none", 2, 100, 0, time.Second, func(c *net.TCPConn) { manyStreams(c, "deaf.test", "/", 0, 14) }},
	{"idle", 1, 2000, 0, 100 * time.Millisecond, say("GET /quick HTTP/1.1\r\nHost: a.test\r\n\r\n")},
	{"parts of heads", 2, 300, 0, 100 * time.Millisecond, say("GET / HTTP/1.1\r\nHost: a.test\r\nX: ")},
	{"silent on HTTPS", 2, 300, 1, 100 * time.Millisecond, say("")},
	{"half-open handshakes", 4, 100, 1, time.Second, func(c *net.TCPConn) { say(string(helloOnce()))(c) }},
	{"half-open on metrics", 1, 96, 2, 0, say("")},
	{"slow readers", 2, 50, 0, time.Second, say("GET /endless HTTP/1.1\r\nHost: a.test\r\n\r\n")},
	{"slow readers of metrics", 1, 20, 2, 100 * time.Millisecond, say("GET /metrics HTTP/1.1\r\nHost: a.test\r\n\r\n")},
	{"names", 1, 4, 0, 10 * time.Millisecond, once("GET /quick HTTP/1.1\r\nHost: a.test\r\nX_Forwarded_For: 6.6.6.6\r\nX_Real_IP: 6.6.6.6\r\nProxy: http://6.6.6.6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nssl-client-verify: SUCCESS\r\n\r\n")},
	{"extended CONNECT with a length", 1, 4, 0, 10 * time.Millisecond, connectWithLength},
	{"Upgrade with a POST", 1, 16, 0, time.Second, say("POST / HTTP/1.1\r\nHost: deaf.test\r\nConnection: Upgrade\r\nUpgrade: a b\r\nContent-Length: 0\r\n\r\n")},
	{"large client certificates", 1, 12, 1, time.Second, showLarge},
	{"resets", 1, 8, 0, 100 * time.Millisecond, resetMany},
}

// hostileClients runs them all, until the function that it returns is called.
func (g *gateway) hostileClients() (stop func()) {
	g.t.Helper()
	self, err := os.Executable()
	g.must(err)
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s %s %s", hostileVariable, g.addr, g.secure, g.metrics))
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	g.must(cmd.Start())
	return sync.OnceFunc(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
}

// hostileSide is the main function of that process, which ends when it is killed.
func hostileSide(what string) {
	var to [3]string
	if _, err := fmt.Sscan(what, &to[0], &to[1], &to[2]); err != nil {
		panic(err)
	}
	_ = syscall.Setpriority(syscall.PRIO_PROCESS, 0, 19)
	var all sync.WaitGroup
	from := byte(2)
	for _, kind := range hostileKinds {
		for range kind.sources {
			d := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 2, from)}, Timeout: time.Second}
			from++
			for range kind.each {
				all.Go(func() {
					for {
						if c, err := d.Dial("tcp", to[kind.to]); err == nil {
							tcp := c.(*net.TCPConn)
							_ = tcp.SetLinger(0)
							_ = tcp.SetReadBuffer(4 << 10)
							kind.play(tcp)
							tcp.Close()
						}
						time.Sleep(max(kind.pause, time.Millisecond))
					}
				})
			}
		}
	}
	all.Wait()
}

// say returns a client that sends text and then nothing, and reads nothing, until the gateway closes.
func say(text string) func(*net.TCPConn) {
	return func(c *net.TCPConn) {
		if _, err := io.WriteString(c, text); err != nil {
			return
		}
		waitClosed(c)
	}
}

// waitClosed returns when the gateway has closed c; it reads a byte a second, to find that out.
func waitClosed(c *net.TCPConn) {
	var b [1]byte
	for {
		if _, err := c.Read(b[:]); err != nil {
			return
		}
		time.Sleep(time.Second)
	}
}

// once returns a client that sends one request and takes what comes.
func once(text string) func(*net.TCPConn) {
	return func(c *net.TCPConn) {
		_ = c.SetDeadline(time.Now().Add(time.Second))
		if _, err := io.WriteString(c, text); err == nil {
			_, _ = io.CopyN(io.Discard, c, 1<<10)
		}
	}
}

var helloOnce = sync.OnceValue(clientHello)

// hostileStreams is an HTTP/2 connection of a hostile client.
type hostileStreams struct {
	*http2.Framer
	block bytes.Buffer
	enc   *hpack.Encoder
}

func newHostileStreams(c *net.TCPConn, window uint32) *hostileStreams {
	_, _ = io.WriteString(c, http2.ClientPreface)
	s := &hostileStreams{Framer: http2.NewFramer(c, c)}
	s.AllowIllegalWrites = true
	s.enc = hpack.NewEncoder(&s.block)
	_ = s.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: window})
	_ = s.WriteWindowUpdate(0, 1<<30)
	return s
}

func (s *hostileStreams) open(stream uint32, end bool, fields ...string) error {
	s.block.Reset()
	for i := 0; i < len(fields); i += 2 {
		_ = s.enc.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]})
	}
	return s.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: s.block.Bytes(), EndHeaders: true, EndStream: end})
}

// manyStreams opens as many streams as it may, each with so many frames of a body, and takes nothing.
func manyStreams(c *net.TCPConn, host, path string, window uint32, frames int) {
	s := newHostileStreams(c, window)
	piece := make([]byte, 16<<10)
	_ = c.SetWriteDeadline(time.Now().Add(10 * time.Second))
	for id := uint32(1); id < 256; id += 2 {
		method := "GET"
		if frames > 0 {
			method = "POST"
		}
		if s.open(id, frames == 0, ":method", method, ":scheme", "http", ":authority", host, ":path", path) != nil {
			return
		}
		if id > 8 && frames > 0 {
			continue // four fill the connection's window
		}
		for range frames {
			if s.WriteData(id, false, piece) != nil {
				return
			}
		}
	}
	waitClosed(c)
}

// connectWithLength opens extended CONNECTs with a length that nothing follows.
func connectWithLength(c *net.TCPConn) {
	s := newHostileStreams(c, 65535)
	for id := uint32(1); id < 20; id += 2 {
		if s.open(id, false, ":method", "CONNECT", ":protocol", "websocket", ":scheme", "http", ":authority", "a.test", ":path", "/quick", "content-length", "330") != nil {
			return
		}
	}
	_ = c.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
	_, _ = io.Copy(io.Discard, c)
}

// resetMany resets streams as it opens them.
func resetMany(c *net.TCPConn) {
	s := newHostileStreams(c, 65535)
	for id := uint32(1); id < 2000; id += 2 {
		if s.open(id, true, ":method", "GET", ":scheme", "http", ":authority", "a.test", ":path", "/mebibyte") != nil {
			return
		}
		if s.WriteRSTStream(id, http2.ErrCodeCancel) != nil {
			return
		}
	}
}

// largeCertificate is a self-signed one of some 46 KB.
var largeCertificate = sync.OnceValue(func() tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: strings.Repeat("x", 40<<10)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(1, 0, 0),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		panic(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
})

// showLarge shows it, and asks again and again.
func showLarge(c *net.TCPConn) {
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	secure := tls.Client(c, &tls.Config{ServerName: "shown.test", InsecureSkipVerify: true, Certificates: []tls.Certificate{largeCertificate()}, NextProtos: []string{"http/1.1"}})
	for range 100 {
		if _, err := io.WriteString(secure, "GET /quick HTTP/1.1\r\nHost: shown.test\r\n\r\n"); err != nil {
			return
		}
		var b [1 << 10]byte
		if _, err := secure.Read(b[:]); err != nil {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
}
