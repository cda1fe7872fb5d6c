package main

// The load generator for HTTP/1.1 at a constant rate, and for requests of several kinds as fast as they go.
//
// Request k is due at start + k/rate, whether or not the proxy keeps up. A due request takes a free
// connection; when there is none it waits for one, and that waiting is part of its latency, which counts from
// the moment it was due. So a stall of the proxy shows in every request that it held up (no coordinated
// omission). Without a rate, a connection that is free sends the next request at once.
//
// One thread runs all connections on one epoll instance and sleeps with nanosecond timeouts: the generator
// shares its core with the origin, and a busy loop, or a goroutine per connection, would measure itself.

import (
	"bytes"
	"encoding/json"
	"errors"
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
	Reason   string  `json:"reason,omitempty"` // for the first of Errors
}

// loadMain is the load subcommand.
func loadMain(args []string, out io.Writer) error {
	fs := flag.NewFlagSet("load", flag.ContinueOnError)
	addr := fs.String("addr", "", "Send requests to this ip:port.")
	host := fs.String("host", benchHost, "Value of the Host field.")
	path := fs.String("path", "/", "Path of every request; its answer must carry a Content-Length.")
	answer := fs.Int("answer", -1, "Bytes that the body of every answer must have; below 0 any number will do.")
	requests := fs.String("requests", "", "File of the requests to make, in place of -path and -answer.")
	rate := fs.Float64("rate", 1000, "Requests a second; 0 is as many as are answered.")
	conns := fs.Int("conns", 64, "Connections, kept alive.")
	warmup := fs.Duration("warmup", time.Second, "Time before latencies count.")
	duration := fs.Duration("duration", 5*time.Second, "Time over which latencies count.")
	if err := fs.Parse(args); err != nil {
		return err
	}
	if *rate < 0 || *conns <= 0 {
		return fmt.Errorf("parse flags: -conns must be above 0, and -rate not below")
	}
	mix := []part{{Weight: 1, Path: *path, Answer: *answer}}
	if *requests != "" {
		var err error
		if mix, err = readMix(*requests); err != nil {
			return err
		}
	}
	g, err := newGenerator(*addr, *host, mix, *conns)
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
	// Immutable after newGenerator:
	addr  *syscall.SockaddrInet4
	epoll int
	mix   []part
	wires [][]byte // of each part
	order []int    // indexes of parts

	sent   int64
	conns  map[int32]*loadConn // by descriptor
	free   []*loadConn
	in     []byte // scratch space of receive
	report loadReport
}

// loadConn is one connection; it has at most one request under way.
type loadConn struct {
	fd   int
	due  time.Duration // of the request under way, since the start of the run
	busy bool
	part int    // the request under way
	out  []byte // what is left of it to send
	head []byte // of the answer, while it is incomplete
	left int    // bytes of the answer that are still to come, once its head is complete

	watched bool // for room to send
}

// maxHead is the longest head of an answer.
const maxHead = 16 << 10

func newGenerator(addr, host string, mix []part, conns int) (*generator, error) {
	tcp, err := net.ResolveTCPAddr("tcp4", addr)
	if err != nil {
		return nil, fmt.Errorf("resolve address: %w", err)
	}
	g := &generator{
		addr:  &syscall.SockaddrInet4{Port: tcp.Port},
		mix:   mix,
		order: order(mix),
		conns: map[int32]*loadConn{},
		in:    make([]byte, 256<<10),
	}
	for _, p := range mix {
		g.wires = append(g.wires, p.wire(host))
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
	c := &loadConn{fd: fd}
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
func (g *generator) replace(c *loadConn, why error) error {
	if g.report.Errors++; g.report.Errors == 1 {
		g.report.Reason = why.Error()
	}
	if g.report.Errors > 1000 {
		return fmt.Errorf("run load: more than 1000 errors, the first: %s", g.report.Reason)
	}
	return g.reconnect(c)
}

// reconnect opens a connection in place of another.
func (g *generator) reconnect(c *loadConn) error {
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

// run sends at the rate for warmup and duration and waits up to two seconds for the answers that are left. With a rate
// of 0 a request is due as soon as a connection is free.
func (g *generator) run(rate float64, warmup, duration time.Duration) (loadReport, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	// Timers of this thread fire when they are due, not up to 50 us later.
	const prSetTimerSlack = 29
	syscall.RawSyscall(syscall.SYS_PRCTL, prSetTimerSlack, 1, 0)
	// The loop allocates next to nothing, and only for a new connection; a collection would disturb.
	defer debug.SetGCPercent(debug.SetGCPercent(-1))

	var (
		h        histogram
		events   = make([]syscall.EpollEvent, 256)
		start    = time.Now()
		end      = warmup + duration
		counted  int64 // answers to requests due after the warm-up
		interval = float64(time.Second) / rate
		last     time.Duration
	)
	due := func(k int64) time.Duration { return time.Duration(float64(k) * interval) }
	if rate == 0 {
		due = func(int64) time.Duration { return time.Since(start) }
	}
	for {
		now := time.Since(start)
		next := due(g.sent)
		for (next <= now || rate == 0) && next < end && len(g.free) > 0 {
			c := g.free[len(g.free)-1]
			g.free = g.free[:len(g.free)-1]
			if err := g.send(c, next); err != nil {
				return g.report, err
			}
			next = due(g.sent)
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
			if c == nil {
				continue // of a connection that was replaced since
			}
			if ev.Events&syscall.EPOLLOUT != 0 && len(c.out) > 0 {
				if err := g.write(c); err != nil {
					return g.report, err
				}
			}
			if ev.Events&^syscall.EPOLLOUT == 0 || g.conns[ev.Fd] != c {
				continue
			}
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
	if never := len(g.conns) - len(g.free); never > 0 {
		if g.report.Errors += int64(never); g.report.Reason == "" {
			g.report.Reason = fmt.Sprintf("%d requests were never answered", never)
		}
	}
	g.report.Latency = h.latency()
	g.report.RPS = float64(counted) / max(duration, last-warmup).Seconds()
	return g.report, nil
}

// send writes the next request.
func (g *generator) send(c *loadConn, due time.Duration) error {
	c.part = g.order[g.sent%int64(len(g.order))]
	g.sent++
	c.due, c.busy, c.head, c.left = due, true, c.head[:0], 0
	c.out = g.wires[c.part]
	return g.write(c)
}

// write sends what is left of the request; where the socket takes no more, its readiness is watched for.
func (g *generator) write(c *loadConn) error {
	n, err := syscall.Write(c.fd, c.out)
	switch {
	case err == syscall.EAGAIN || err == syscall.EINTR:
		n = 0
	case err != nil:
		return g.replace(c, fmt.Errorf("send request: %w", err))
	}
	c.out = c.out[n:]
	if c.watched == (len(c.out) > 0) {
		return nil
	}
	c.watched = !c.watched
	ev := syscall.EpollEvent{Events: syscall.EPOLLIN | syscall.EPOLLRDHUP, Fd: int32(c.fd)}
	if c.watched {
		ev.Events |= syscall.EPOLLOUT
	}
	if err := syscall.EpollCtl(g.epoll, syscall.EPOLL_CTL_MOD, c.fd, &ev); err != nil {
		return fmt.Errorf("watch socket: %w", err)
	}
	return nil
}

// receive reads what has come and reports whether the answer is complete; the connection is then free again.
func (g *generator) receive(c *loadConn) (done bool, err error) {
	n, err := syscall.Read(c.fd, g.in)
	switch {
	case err == syscall.EAGAIN || err == syscall.EINTR:
		return false, nil
	case err != nil:
		return false, g.replace(c, fmt.Errorf("read answer: %w", err))
	case n == 0:
		return false, g.replace(c, errors.New("read answer: the connection was closed"))
	case !c.busy || len(c.out) > 0:
		return false, g.replace(c, fmt.Errorf("read answer: bytes before the request was sent: %.100q", g.in[:n]))
	}
	if c.left == 0 {
		c.head = append(c.head, g.in[:n]...)
		head, body, err := answerSize(c.head)
		want := g.mix[c.part].Answer
		switch {
		case err != nil:
			return false, g.replace(c, err)
		case head == 0 && len(c.head) > maxHead:
			return false, g.replace(c, fmt.Errorf("read answer: a head of more than %d bytes", maxHead))
		case head == 0:
			return false, nil
		case want >= 0 && body != want:
			return false, g.replace(c, fmt.Errorf("read answer: a body of %d bytes, want %d", body, want))
		}
		c.left = head + body
		n = len(c.head)
	}
	if c.left -= n; c.left > 0 {
		return false, nil
	}
	if c.left < 0 {
		return false, g.replace(c, fmt.Errorf("read answer: %d bytes too many", -c.left))
	}
	if g.mix[c.part].Close {
		return true, g.reconnect(c)
	}
	c.busy = false
	g.free = append(g.free, c)
	return true, nil
}

// answerLength is the length of head and body of a 200 answer, or 0 while the head is incomplete.
func answerLength(b []byte) (int, error) {
	head, body, err := answerSize(b)
	return head + body, err
}

// answerSize is the length of the head of a 200 answer, and that of its body; both are 0 while the head is incomplete.
func answerSize(b []byte) (head, body int, err error) {
	end := bytes.Index(b, []byte("\r\n\r\n"))
	if end < 0 {
		return 0, 0, nil
	}
	if !bytes.HasPrefix(b, []byte("HTTP/1.1 200")) {
		return 0, 0, fmt.Errorf("read answer: status line %.20q", b)
	}
	rest := b[:end+2]
	for len(rest) > 0 {
		i := bytes.IndexByte(rest, '\n')
		line := rest[:i]
		rest = rest[i+1:]
		const name = "content-length:"
		if len(line) > len(name) && bytes.EqualFold(line[:len(name)], []byte(name)) {
			n, err := strconv.Atoi(string(bytes.TrimSpace(line[len(name):])))
			if err != nil || n < 0 {
				return 0, 0, fmt.Errorf("read answer: odd Content-Length %q", line)
			}
			return end + 4, n, nil
		}
	}
	return 0, 0, errors.New("read answer: no Content-Length")
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
