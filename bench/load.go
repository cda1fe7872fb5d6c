package main

// The constant-rate load generator.
//
// Request k is due at start + k/rate, whether or not the proxy keeps up. A due request takes a free
// connection; when there is none it waits for one, and that waiting is part of its latency, which counts from
// the moment it was due. So a stall of the proxy shows in every request that it held up (no coordinated
// omission).
//
// One thread runs all connections on one epoll instance and sleeps with nanosecond timeouts: the generator
// shares its core with the origin, and a busy loop, or a goroutine per connection, would measure itself.

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"runtime"
	"runtime/debug"
	"strconv"
	"syscall"
	"time"
	"unsafe"
)

// loadReport is the output of "bench load".
type loadReport struct {
	Requests int64   `json:"requests"` // answered, warm-up included
	Errors   int64   `json:"errors"`
	RPS      float64 `json:"rps"` // answered a second after the warm-up
	Latency  Latency `json:"latency"`
}

// loadMain is the load subcommand.
func loadMain(args []string, out io.Writer) error {
	fs := flag.NewFlagSet("load", flag.ContinueOnError)
	addr := fs.String("addr", "", "Send requests to this ip:port.")
	host := fs.String("host", benchHost, "Value of the Host field.")
	path := fs.String("path", "/", "Path of every request; its answer must carry a Content-Length.")
	rate := fs.Float64("rate", 1000, "Requests a second.")
	conns := fs.Int("conns", 64, "Connections, kept alive.")
	warmup := fs.Duration("warmup", time.Second, "Time before latencies count.")
	duration := fs.Duration("duration", 5*time.Second, "Time over which latencies count.")
	if err := fs.Parse(args); err != nil {
		return err
	}
	if *rate <= 0 || *conns <= 0 {
		return fmt.Errorf("parse flags: -rate and -conns must be above 0")
	}
	g, err := newGenerator(*addr, *host, *path, *conns)
	if err != nil {
		return err
	}
	defer g.close()
	report, err := g.run(*rate, *warmup, *duration)
	if err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(report)
}

// generator is a set of connections to one proxy. It belongs to one goroutine.
type generator struct {
	addr    *syscall.SockaddrInet4
	epoll   int
	request []byte
	conns   map[int32]*loadConn // by descriptor
	free    []*loadConn
	report  loadReport
}

// loadConn is one connection; it has at most one request under way.
type loadConn struct {
	fd    int
	due   time.Duration // of the request under way, since the start of the run
	busy  bool
	in    []byte // the answer so far
	total int    // length of the whole answer, 0 while its head is incomplete
}

func newGenerator(addr, host, path string, conns int) (*generator, error) {
	tcp, err := net.ResolveTCPAddr("tcp4", addr)
	if err != nil {
		return nil, fmt.Errorf("resolve address: %w", err)
	}
	g := &generator{
		addr:    &syscall.SockaddrInet4{Port: tcp.Port},
		request: fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", path, host),
		conns:   map[int32]*loadConn{},
	}
	copy(g.addr.Addr[:], tcp.IP.To4())
	if g.epoll, err = syscall.EpollCreate1(syscall.EPOLL_CLOEXEC); err != nil {
		return nil, fmt.Errorf("create epoll instance: %w", err)
	}
	for range conns {
		if err := g.connect(); err != nil {
			g.close()
			return nil, err
		}
	}
	return g, nil
}

// connect opens one more connection and adds it to the free ones. On loopback this does not wait.
func (g *generator) connect() error {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open socket: %w", err)
	}
	if err := syscall.Connect(fd, g.addr); err != nil {
		syscall.Close(fd)
		return fmt.Errorf("connect: %w", err)
	}
	syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1)
	syscall.SetNonblock(fd, true)
	ev := syscall.EpollEvent{Events: syscall.EPOLLIN | syscall.EPOLLRDHUP, Fd: int32(fd)}
	if err := syscall.EpollCtl(g.epoll, syscall.EPOLL_CTL_ADD, fd, &ev); err != nil {
		syscall.Close(fd)
		return fmt.Errorf("watch socket: %w", err)
	}
	c := &loadConn{fd: fd, in: make([]byte, 0, 64<<10)}
	g.conns[int32(fd)] = c
	g.free = append(g.free, c)
	return nil
}

func (g *generator) close() {
	for _, c := range g.conns {
		syscall.Close(c.fd)
	}
	syscall.Close(g.epoll)
}

// replace closes a failed connection, counts the error, and opens another.
func (g *generator) replace(c *loadConn) error {
	g.report.Errors++
	if g.report.Errors > 1000 {
		return fmt.Errorf("run load: more than 1000 errors")
	}
	delete(g.conns, int32(c.fd))
	for i, f := range g.free {
		if f == c {
			g.free = append(g.free[:i], g.free[i+1:]...)
			break
		}
	}
	syscall.Close(c.fd)
	return g.connect()
}

// run sends at the rate for warmup and duration and waits up to two seconds for the answers that are left.
func (g *generator) run(rate float64, warmup, duration time.Duration) (loadReport, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	// Timers of this thread fire when they are due, not up to 50 us later.
	const prSetTimerSlack = 29
	syscall.RawSyscall(syscall.SYS_PRCTL, prSetTimerSlack, 1, 0)
	// Nothing in the loop allocates; a collection started from elsewhere would only disturb.
	defer debug.SetGCPercent(debug.SetGCPercent(-1))

	var (
		h        histogram
		events   = make([]syscall.EpollEvent, 256)
		start    = time.Now()
		end      = warmup + duration
		sent     int64
		counted  int64 // answers to requests due after the warm-up
		interval = float64(time.Second) / rate
		due      = func(k int64) time.Duration { return time.Duration(float64(k) * interval) }
		last     time.Duration
	)
	for {
		now := time.Since(start)
		next := due(sent)
		for next <= now && next < end && len(g.free) > 0 {
			c := g.free[len(g.free)-1]
			g.free = g.free[:len(g.free)-1]
			if err := g.send(c, next); err != nil {
				return g.report, err
			}
			sent++
			next = due(sent)
		}
		if next >= end && len(g.free) == len(g.conns) || now > end+2*time.Second {
			break
		}
		timeout := 10 * time.Millisecond
		if len(g.free) > 0 && next < end {
			timeout = min(timeout, max(0, next-time.Since(start)))
		}
		n, err := epollWait(g.epoll, events, timeout)
		if err != nil {
			return g.report, err
		}
		for _, ev := range events[:n] {
			c := g.conns[ev.Fd]
			done, err := g.receive(c)
			if err != nil {
				return g.report, err
			}
			if !done {
				continue
			}
			g.report.Requests++
			if c.due >= warmup {
				last = time.Since(start)
				h.record(last - c.due)
				counted++
			}
		}
	}
	g.report.Errors += int64(len(g.conns) - len(g.free)) // never answered
	g.report.Latency = h.latency()
	g.report.RPS = float64(counted) / max(duration, last-warmup).Seconds()
	return g.report, nil
}

// send writes the request. It is far smaller than an empty socket buffer, so a short write is a failure.
func (g *generator) send(c *loadConn, due time.Duration) error {
	c.due, c.busy, c.in, c.total = due, true, c.in[:0], 0
	n, err := syscall.Write(c.fd, g.request)
	if err != nil || n != len(g.request) {
		return g.replace(c)
	}
	return nil
}

// receive reads what has come and reports whether the answer is complete; the connection is then free again.
func (g *generator) receive(c *loadConn) (done bool, err error) {
	if len(c.in) == cap(c.in) {
		return false, g.replace(c)
	}
	n, err := syscall.Read(c.fd, c.in[len(c.in):cap(c.in)])
	switch {
	case err == syscall.EAGAIN || err == syscall.EINTR:
		return false, nil
	case err != nil || n == 0 || !c.busy:
		return false, g.replace(c)
	}
	c.in = c.in[:len(c.in)+n]
	if c.total == 0 {
		if c.total, err = answerLength(c.in); err != nil {
			return false, g.replace(c)
		}
	}
	if c.total == 0 || len(c.in) < c.total {
		return false, nil
	}
	if len(c.in) > c.total {
		return false, g.replace(c)
	}
	c.busy = false
	g.free = append(g.free, c)
	return true, nil
}

// answerLength is the length of head and body of a 200 answer, or 0 while the head is incomplete.
func answerLength(b []byte) (int, error) {
	head := bytes.Index(b, []byte("\r\n\r\n"))
	if head < 0 {
		return 0, nil
	}
	if !bytes.HasPrefix(b, []byte("HTTP/1.1 200")) {
		return 0, fmt.Errorf("read answer: status line %.20q", b)
	}
	rest := b[:head+2]
	for len(rest) > 0 {
		i := bytes.IndexByte(rest, '\n')
		line := rest[:i]
		rest = rest[i+1:]
		const name = "content-length:"
		if len(line) > len(name) && bytes.EqualFold(line[:len(name)], []byte(name)) {
			n, err := strconv.Atoi(string(bytes.TrimSpace(line[len(name):])))
			if err != nil || n < 0 {
				return 0, fmt.Errorf("read answer: odd Content-Length %q", line)
			}
			return head + 4 + n, nil
		}
	}
	return 0, fmt.Errorf("read answer: no Content-Length")
}

// sysEpollPwait2 is epoll_pwait2(2), the one with a timeout in nanoseconds (Linux 5.11); the number is the
// same on every architecture that Go runs on, and the syscall package does not have it.
const sysEpollPwait2 = 441

// epollWait waits for events. The raw call keeps Go's scheduler from taking the processor away meanwhile,
// whose return costs microseconds; the wait is never longer than 10 ms.
func epollWait(epoll int, events []syscall.EpollEvent, timeout time.Duration) (int, error) {
	ts := syscall.NsecToTimespec(timeout.Nanoseconds())
	n, _, errno := syscall.RawSyscall6(sysEpollPwait2, uintptr(epoll), uintptr(unsafe.Pointer(&events[0])), uintptr(len(events)),
		uintptr(unsafe.Pointer(&ts)), 0, 0)
	switch errno {
	case 0:
		return int(n), nil
	case syscall.EINTR:
		return 0, nil
	}
	return 0, fmt.Errorf("wait for events: %w", errno)
}
