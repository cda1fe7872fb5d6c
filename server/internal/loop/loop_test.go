package loop

import (
	"net"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// start serves a Loop for the length of the test.
func start(t *testing.T) *Loop {
	t.Helper()
	l, err := New(0)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- l.Serve() }()
	t.Cleanup(func() {
		l.Close()
		select {
		case <-ended:
		case <-time.After(time.Minute):
			t.Error("Serve did not end after Close")
		}
	})
	return l
}

// on runs f on the loop's goroutine and waits for it.
func on(l *Loop, f func()) {
	done := make(chan struct{})
	l.Post(func() { f(); close(done) })
	<-done
}

// echo writes back what it reads and closes at the end of stream.
type echo struct {
	l      *Loop
	src    Source
	closed chan struct{}
}

func (e *echo) Ready(ev Events) {
	var b [4096]byte
	for {
		n, errno := Read(e.src.FD(), b[:])
		if errno == syscall.EAGAIN {
			return
		}
		if n == 0 {
			e.l.CloseSource(&e.src)
			close(e.closed)
			return
		}
		Write(e.src.FD(), b[:n], false)
	}
}

func pair(t *testing.T) (fd int, peer net.Conn) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	peer, err = net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { peer.Close() })
	c, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	f, err := c.(*net.TCPConn).File()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	fd, err = syscall.Dup(int(f.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.SetNonblock(fd, true); err != nil {
		t.Fatal(err)
	}
	return fd, peer
}

// TestLoop is the example: a socket is registered, echoes, sees the end of its stream, and its slot
// serves the next one.
func TestLoop(t *testing.T) {
	l := start(t)
	for round := range 3 {
		fd, peer := pair(t)
		e := &echo{l: l, closed: make(chan struct{})}
		on(l, func() {
			if err := l.Register(&e.src, fd, e); err != nil {
				t.Error(err)
			}
		})
		for range 10 {
			if _, err := peer.Write([]byte("hello")); err != nil {
				t.Fatal(err)
			}
			var b [5]byte
			if _, err := peer.Read(b[:]); err != nil || string(b[:]) != "hello" {
				t.Fatalf("round %d: read %q, %v", round, b, err)
			}
		}
		peer.Close()
		<-e.closed
	}
	on(l, func() {
		if len(l.slots) != slotFirst+1 {
			t.Errorf("slots = %d, want the one slot reused", len(l.slots))
		}
	})
}

type alarm struct {
	fired chan int64
	count atomic.Int32
}

func (a *alarm) Expired(_ *Timer, now int64) {
	a.count.Add(1)
	a.fired <- now
}

func TestTimerFiresAfterItsDeadline(t *testing.T) {
	l := start(t)
	for _, delay := range []time.Duration{0, time.Millisecond, 70 * time.Millisecond, 300 * time.Millisecond} {
		a := &alarm{fired: make(chan int64, 1)}
		timer := &Timer{OnExpire: a}
		var due int64
		on(l, func() {
			due = Monotonic() + int64(delay)
			l.Set(timer, due)
		})
		// The upper bound is far below the wheel's horizon, and far above what a busy machine adds.
		if now := <-a.fired; now < due || now > due+int64(20*time.Second) {
			t.Errorf("delay %v fired %v after its deadline", delay, time.Duration(now-due))
		}
	}
}

// The wheel alone, with a clock of the test's: deadlines of every distance, moved and stopped.
func TestWheel(t *testing.T) {
	const ms = int64(time.Millisecond)
	l := &Loop{timerfd: -1}
	l.wheel.init(0)
	a := &alarm{fired: make(chan int64, 100)}
	timers := make([]Timer, 8)
	for i := range timers {
		timers[i].OnExpire = a
	}
	l.Set(&timers[0], 100*ms)
	l.Set(&timers[1], 90_000*ms) // beyond the horizon
	l.Set(&timers[2], 500*ms)
	l.Set(&timers[2], 1500*ms) // later: stays where it is, and is placed again
	l.Set(&timers[3], 1500*ms)
	l.Set(&timers[3], 200*ms) // earlier: moves at once
	l.Set(&timers[4], 300*ms)
	timers[4].Stop()
	l.Set(&timers[5], 300*ms)
	l.Unlink(&timers[5])
	want := map[int64]int32{99: 0, 400: 2, 1400: 2, 1700: 3, 89_000: 3, 90_200: 4, 400_000: 4}
	for _, at := range []int64{99, 400, 1400, 1700, 89_000, 90_200, 400_000} {
		l.wheel.advance(at * ms)
		if got := a.count.Load(); got != want[at] {
			t.Errorf("at %d ms: %d fired, want %d", at, got, want[at])
		}
	}
	if l.wheel.count != 0 {
		t.Errorf("%d timers left in the wheel", l.wheel.count)
	}
	for i, w := range l.wheel.occupied {
		if w != 0 {
			t.Errorf("word %d of the occupied set is %x in an empty wheel", i, w)
		}
	}
}

// A handler that closes a later Source of the same batch must keep that one's events from it.
func TestNoEventAfterClose(t *testing.T) {
	l := start(t)
	fdA, peerA := pair(t)
	fdB, peerB := pair(t)
	k := &killer{l: l, called: make(chan *Source, 2)}
	on(l, func() {
		k.a, k.b = &Source{}, &Source{}
		l.Register(k.a, fdA, killerOf{k, k.a, k.b})
		l.Register(k.b, fdB, killerOf{k, k.b, k.a})
		// Both sockets become readable inside one batch: the loop is here, not in epoll_wait.
		peerA.Write([]byte("x"))
		peerB.Write([]byte("x"))
	})
	<-k.called
	on(l, func() {})
	on(l, func() {})
	if n := len(k.called); n != 0 {
		t.Errorf("%d further calls after Close", n)
	}
}

type killer struct {
	l      *Loop
	a, b   *Source
	called chan *Source
}

type killerOf struct {
	k           *killer
	self, other *Source
}

func (h killerOf) Ready(ev Events) {
	if ev&Readable == 0 {
		return // the first report is only that it is writable
	}
	h.k.called <- h.self
	h.k.l.CloseSource(h.other)
	h.k.l.CloseSource(h.self)
}

// TestPostToALoopThatEnded: what is posted behind the end is dropped, and not a byte is written to the descriptor that
// has the number of the Loop's own by then.
func TestPostToALoopThatEnded(t *testing.T) {
	l, err := New(0)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- l.Serve() }()
	on(l, func() {})
	l.Close()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(pair[0])
	defer syscall.Close(pair[1])
	far := pair[0]
	if pair[0] == l.eventfd {
		far = pair[1]
	} else if pair[1] != l.eventfd {
		if err := syscall.Dup3(pair[1], l.eventfd, syscall.O_CLOEXEC); err != nil {
			t.Fatal(err)
		}
		defer syscall.Close(l.eventfd)
	}
	l.Post(func() { t.Error("it ran") })
	if n, err := syscall.Read(far, make([]byte, 8)); err != syscall.EAGAIN {
		t.Errorf("%d bytes were written to another's descriptor, %v", n, err)
	}
}
