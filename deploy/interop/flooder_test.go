package interop

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/sys/unix"
)

// A flooder is a process of its own, with Backends of its own, that runs only where nothing else needs its CPU:
// another client's latency is then the gateway's doing, and not the flooder's use of the CPU.
type flooder struct {
	t        *testing.T
	cmd      *exec.Cmd
	commands *json.Encoder
	answers  *bufio.Scanner
	h1, h2c  string // addresses of its Backends
}

// flooderVariable marks a process as a flooder, with its step of becoming one.
const flooderVariable = "INTEROP_FLOODER"

// order is an order to a flooder: a flood, or the end of one where Kind is empty.
type order struct {
	Kind  string
	Down  string // one of downs
	Addr  string
	Host  string
	Conns int
	Deaf  bool // goes on when it is told that it is cut off, until it cannot
}

// outcome is the result of an order.
type outcome struct {
	CutOff int64 // times that the gateway said ENHANCE_YOUR_CALM
	Conns  int64 // opened
	Bytes  int64 // sent
}

func startFlooder(t *testing.T, cpu int) *flooder {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	f := &flooder{t: t, cmd: exec.Command(self)}
	f.cmd.Env = append(os.Environ(), flooderVariable+"=1", "GOMAXPROCS=1")
	f.cmd.Stderr = os.Stderr
	in, err := f.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := f.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	apartFrom(f.cmd)
	if err := startOn(cpu, f.cmd.Start); err != nil {
		t.Fatal(err)
	}
	sessionNice(f.cmd.Process.Pid, 19)
	t.Cleanup(func() {
		in.Close() // which ends it
		_ = f.cmd.Wait()
	})
	f.commands, f.answers = json.NewEncoder(in), bufio.NewScanner(out)
	f.answer(&[]any{&f.h1, &f.h2c})
	return f
}

func (f *flooder) answer(v any) {
	f.t.Helper()
	if !f.answers.Scan() {
		f.t.Fatalf("the flooder has ended: %v", f.answers.Err())
	}
	if err := json.Unmarshal(f.answers.Bytes(), v); err != nil {
		f.t.Fatal(err)
	}
}

func (f *flooder) start(o order) {
	f.t.Helper()
	if err := f.commands.Encode(o); err != nil {
		f.t.Fatal(err)
	}
}

func (f *flooder) stop() (o outcome) {
	f.t.Helper()
	f.start(order{})
	f.answer(&o)
	return o
}

// floodSide is the main function of a flooder.
func floodSide(step string) error {
	if step == "1" {
		// Scheduling is a thread's own. What this thread becomes has it from the beginning.
		runtime.LockOSThread()
		if err := idle(); err != nil {
			return err
		}
		self, err := os.Executable()
		if err != nil {
			return err
		}
		os.Setenv(flooderVariable, "2")
		return syscall.Exec(self, os.Args[:1], os.Environ())
	}
	answers := json.NewEncoder(os.Stdout)
	addrs := []string{}
	for _, u := range ups[:2] {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		addrs = append(addrs, ln.Addr().String())
		srv := &http.Server{Handler: &backend{held: make(chan struct{})}, Protocols: protocols(false, u.http2), HTTP2: &http.HTTP2Config{MaxConcurrentStreams: 1000}}
		go srv.Serve(ln)
	}
	if err := answers.Encode(addrs); err != nil {
		return err
	}
	orders := json.NewDecoder(os.Stdin)
	for {
		var o order
		if err := orders.Decode(&o); err != nil {
			return nil // the test is over
		}
		stop := flooding(o)
		if err := orders.Decode(&o); err != nil {
			return nil
		}
		if err := answers.Encode(stop()); err != nil {
			return err
		}
	}
}

// flooding floods until stop is called.
func flooding(o order) (stop func() outcome) {
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	a := &attack{order: o, ctx: ctx, cache: tls.NewLRUClientSessionCache(0)}
	for _, d := range downs {
		if d.name == o.Down {
			a.down = d
		}
	}
	a.hello = clientHello(o.Host)
	for i := range o.Conns {
		from := net.IPv4(127, 0, 0, byte(2+i%50))
		all.Go(func() {
			for ctx.Err() == nil {
				if !a.once(from) {
					select { // as when the gateway's queue of connections is full
					case <-ctx.Done():
					case <-time.After(time.Millisecond):
					}
				}
			}
		})
	}
	return func() outcome {
		cancel()
		all.Wait()
		return outcome{a.cutOff.Load(), a.conns.Load(), a.bytes.Load()}
	}
}

// attack is a flood under way.
type attack struct {
	order
	down  down
	ctx   context.Context
	cache tls.ClientSessionCache
	hello []byte

	cutOff, conns, bytes atomic.Int64
}

// once opens a connection and floods until it is cut off.
func (a *attack) once(from net.IP) bool {
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: from}, Timeout: 5 * time.Second}
	c, err := dialer.DialContext(a.ctx, "tcp", a.Addr)
	if err != nil {
		return false
	}
	a.conns.Add(1)
	tcp := c.(*net.TCPConn)
	_ = tcp.SetLinger(0) // no TIME-WAIT, which would run out of ports
	defer tcp.Close()
	defer context.AfterFunc(a.ctx, func() { tcp.Close() })()
	answer := make([]byte, 4<<10)
	switch a.Kind {
	case "hello": // the gateway makes keys and a signature, and the client nothing
		_, _ = tcp.Write(a.hello)
		_, _ = tcp.Read(answer)
		return true
	case "handshake":
		_ = tls.Client(tcp, &tls.Config{ServerName: a.Host, InsecureSkipVerify: true}).Handshake()
		return true
	case "half-open", "silent":
		if a.Kind == "half-open" {
			_, _ = tcp.Write(a.hello)
		}
		for err == nil {
			_, err = tcp.Read(answer)
		}
		select { // it is their number that counts, and not their rate
		case <-a.ctx.Done():
		case <-time.After(time.Second):
		}
		return true
	}
	if a.down.tls {
		s := tls.Client(tcp, &tls.Config{ServerName: a.Host, InsecureSkipVerify: true, NextProtos: []string{"h2"}, ClientSessionCache: a.cache})
		if s.Handshake() != nil {
			return true
		}
		c = s
	}
	if a.Kind == "zero window" {
		a.stall(newFrames(c, a.down.tls, a.Host, "/bytes?n=10000000", http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0}))
		return true
	}
	for _, flood := range floods {
		if flood.name == a.Kind {
			a.flood(newFrames(c, a.down.tls, a.Host, "/"), tcp, flood.round)
			return true
		}
	}
	panic("BUG: unknown flood " + a.Kind)
}

func (a *attack) flood(f *frames, tcp *net.TCPConn, round func(*frames, int)) {
	read := make(chan struct{})
	go func() {
		defer close(read)
		f.SetReuseFrames()
		for {
			frame, err := f.ReadFrame()
			if err != nil {
				return
			}
			if last, ok := frame.(*http2.GoAwayFrame); ok && last.ErrCode == http2.ErrCodeEnhanceYourCalm {
				a.cutOff.Add(1)
				return
			}
		}
	}()
	for i := 0; ; i++ {
		select {
		case <-read:
			if !a.Deaf {
				return
			}
		default:
		}
		round(f, i)
		n := f.out.Len()
		if f.flush() != nil {
			break
		}
		a.bytes.Add(int64(n))
		if !a.Deaf && farewell(tcp) {
			break
		}
	}
	<-read
}

// farewell reports that the gateway has said all that it will. The goroutine that reads comes to know later: it
// has its turn when those that write have nothing to do.
func farewell(c *net.TCPConn) bool {
	raw, err := c.SyscallConn()
	if err != nil {
		return true
	}
	const closeWait = 8 // TCP_CLOSE_WAIT
	said := true
	_ = raw.Control(func(fd uintptr) {
		if info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO); err == nil {
			said = info.State == closeWait
		}
	})
	return said
}

// stall opens all streams that it may, and waits until the gateway has given them up.
func (a *attack) stall(f *frames) {
	const streams = 100
	f.SetReuseFrames()
	for first := uint32(1); ; first += 2 * streams {
		for i := range uint32(streams) {
			f.get(first + 2*i)
		}
		n := f.out.Len()
		if f.flush() != nil {
			return
		}
		a.bytes.Add(int64(n))
		for resets := 0; resets < streams; {
			frame, err := f.ReadFrame()
			if err != nil {
				return
			}
			switch frame.(type) {
			case *http2.RSTStreamFrame:
				resets++
				a.cutOff.Add(1)
			case *http2.GoAwayFrame:
				return
			}
		}
	}
}

// clientHello is the first flight of a client that asks for host.
func clientHello(host string) []byte {
	near, far := net.Pipe()
	defer far.Close()
	go func() { _ = tls.Client(near, &tls.Config{ServerName: host, InsecureSkipVerify: true}).Handshake() }()
	piece := make([]byte, 16<<10)
	n, err := far.Read(piece)
	if err != nil {
		panic("BUG: " + err.Error())
	}
	return bytes.Clone(piece[:n])
}

// flooderMain runs a flooder where this process is to be one.
func flooderMain() {
	step := os.Getenv(flooderVariable)
	if step == "" {
		return
	}
	if err := floodSide(step); err != nil {
		fmt.Fprintln(os.Stderr, "flooder:", err)
		os.Exit(1)
	}
	os.Exit(0)
}
