package loop

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/cloudwego/netpoll"
)

// Events are the readiness changes of a descriptor since the last call. Edge-triggered: each is
// reported once, and holds until a system call returns EAGAIN.
type Events uint32

const (
	// Readable: a read will not return EAGAIN.
	Readable Events = syscall.EPOLLIN
	// Writable: a write will not return EAGAIN.
	Writable Events = syscall.EPOLLOUT
	// ReadClosed: the peer sent its FIN; reads return the remaining bytes and then 0.
	ReadClosed Events = syscall.EPOLLRDHUP
	// Closed: both directions are shut, by a reset or by FINs both ways.
	Closed Events = syscall.EPOLLHUP
	// Failed: the socket has an error pending.
	Failed Events = syscall.EPOLLERR
)

// edgeBoth registers a stream socket once for everything it will ever report.
const edgeBoth = syscall.EPOLLIN | syscall.EPOLLOUT | syscall.EPOLLRDHUP | -syscall.EPOLLET

// Handler is called on the loop's goroutine when its descriptor reports events.
type Handler interface {
	Ready(ev Events)
}

// Source is a descriptor's place on a Loop. The zero value is not registered. Owned by the loop.
type Source struct {
	fd   int32
	slot uint32
}

// FD returns the descriptor, or -1 when the Source is closed or was never opened.
func (s *Source) FD() int { return int(s.fd) - 1 }

// Open reports whether the Source holds a descriptor.
func (s *Source) Open() bool { return s.fd != 0 }

type slot struct {
	handler    Handler
	generation int32
	due        Events // in this batch, and not reported yet
}

// batch is how many events one epoll_wait takes. A larger one lets timers and posts wait longer.
const batch = 256

// Loop is one event loop. Make it with New; everything but Post, Close and ID belongs to its
// goroutine. Must not be copied.
type Loop struct {
	owner owner // of its goroutine; nothing without the build tag invariants

	// Immutable after New:
	id      int
	epfd    int
	eventfd int
	timerfd int
	evloop  netpoll.EventLoop

	// Owned by the loop:
	now    int64
	slots  []slot
	free   []uint32
	events [batch]syscall.EpollEvent
	wheel  wheel
	again  []Handler
	rerun  []Handler
	// awaited counts results that goroutines compute for this loop: see Await.
	awaited int
	hold    int   // milliseconds
	yielded int64 // when other goroutines last got this loop's processor, on Now's clock
	batches,
	handled uint64
	full bool // this batch may not hold all pending events

	// Guarded by mu:
	mu       sync.Mutex
	posted   []func()
	released bool // the descriptors are closed
	spare    []func()

	closed atomic.Bool
	done   chan struct{}
}

// Slots of every Loop's own descriptors.
const (
	slotEvent = iota
	slotTimer
	slotFirst
)

var epoch = time.Now()

// Monotonic returns nanoseconds on the clock that Loop.Now and Timer deadlines use. Safe from any
// goroutine.
func Monotonic() int64 { return int64(time.Since(epoch)) }

// New makes a Loop; Serve starts it. id is its number among its siblings, from 0.
func New(id int) (*Loop, error) {
	l := &Loop{id: id, hold: hold, done: make(chan struct{})}
	var err error
	if l.epfd, err = syscall.EpollCreate1(syscall.EPOLL_CLOEXEC); err != nil {
		return nil, fmt.Errorf("create epoll: %w", err)
	}
	r, _, e := syscall.RawSyscall(syscall.SYS_EVENTFD2, 0, syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
	if e != 0 {
		syscall.Close(l.epfd)
		return nil, fmt.Errorf("create eventfd: %w", e)
	}
	l.eventfd = int(r)
	const clockMonotonic = 1
	r, _, e = syscall.RawSyscall(syscall.SYS_TIMERFD_CREATE, clockMonotonic, syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
	if e != 0 {
		syscall.Close(l.epfd)
		syscall.Close(l.eventfd)
		return nil, fmt.Errorf("create timerfd: %w", e)
	}
	l.timerfd = int(r)
	l.slots = make([]slot, slotFirst, 64)
	for i, fd := range [...]int{slotEvent: l.eventfd, slotTimer: l.timerfd} {
		ev := syscall.EpollEvent{Events: syscall.EPOLLIN, Fd: int32(i)}
		if e := epollCtl(l.epfd, syscall.EPOLL_CTL_ADD, fd, &ev); e != 0 {
			l.release()
			return nil, fmt.Errorf("register loop descriptor: %w", e)
		}
	}
	l.now = Monotonic()
	l.wheel.init(l.now)
	if l.evloop, err = netpoll.NewEventLoop(nil); err != nil {
		l.release()
		return nil, fmt.Errorf("create netpoll event loop: %w", err)
	}
	return l, nil
}

func (l *Loop) release() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.released, l.posted = true, nil
	syscall.Close(l.epfd)
	syscall.Close(l.eventfd)
	syscall.Close(l.timerfd)
}

// ID returns the number given to New.
func (l *Loop) ID() int { return l.id }

// Now returns the time at which the current batch of events began: monotonic nanoseconds. One clock
// read serves the whole batch.
func (l *Loop) Now() int64 { return l.now }

// Batches returns how many batches and events were handled.
func (l *Loop) Batches() (batches, events uint64) { return l.batches, l.handled }

// Due takes the events of s that this batch has brought and that its handler was not called with yet. They are
// not reported again.
//
// hot: runs per request; no alloc, no lock.
func (l *Loop) Due(s *Source) Events {
	p := &l.slots[s.slot]
	ev := p.due
	p.due = 0
	return ev
}

// Batch numbers the batches of events. full means that there may have been more events than this one holds.
func (l *Loop) Batch() (number uint64, full bool) { return l.batches, l.full }

// Serve runs the Loop on a netpoll poller until Close, and then frees its own descriptors. The
// descriptors registered by others must be closed by their owners, in a function posted before.
func (l *Loop) Serve() error {
	serving.Add(1)
	err := l.evloop.Serve((*pollerListener)(l))
	<-l.done
	serving.Add(-1)
	l.release()
	return err
}

// Close ends the Loop from any goroutine, after the functions posted before have run.
func (l *Loop) Close() {
	l.Post(func() {
		if l.closed.CompareAndSwap(false, true) {
			// Not on this goroutine: netpoll's Shutdown waits for its own operator to be idle.
			go func() {
				ctx, cancel := context.WithTimeout(context.Background(), time.Second)
				defer cancel()
				_ = l.evloop.Shutdown(ctx)
				close(l.done)
			}()
		}
	})
}

// Post runs f on the loop's goroutine, soon. Safe from any goroutine; it never blocks for longer
// than another Post. f is dropped when the Loop is closed.
func (l *Loop) Post(f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.released {
		return // the number of eventfd may be another file's by now
	}
	l.posted = append(l.posted, f)
	if len(l.posted) == 1 {
		one := [8]byte{1}
		_, _ = syscall.Write(l.eventfd, one[:])
	}
}

// Register adds fd, which must be a non-blocking stream socket, for both directions. The Source
// owns fd from now on: close it there.
func (l *Loop) Register(s *Source, fd int, h Handler) error {
	l.Assign(s, fd, h)
	return l.Watch(s)
}

// Assign gives fd to s without asking for events yet: a connection that was just accepted is often
// served, or closed, before it has to wait.
func (l *Loop) Assign(s *Source, fd int, h Handler) {
	l.owner.check()
	var i uint32
	if n := len(l.free); n > 0 {
		i = l.free[n-1]
		l.free = l.free[:n-1]
	} else {
		i = uint32(len(l.slots))
		l.slots = append(l.slots, slot{})
	}
	l.slots[i].handler = h
	s.fd, s.slot = int32(fd)+1, i
}

// Watch asks for the events of an assigned socket, its present readiness included. On failure s is
// closed with its descriptor.
func (l *Loop) Watch(s *Source) error { return l.watch(s, edgeBoth&0xffffffff) }

// RegisterListener adds a listening socket, level-triggered: a handler that leaves connections in
// the queue is called again.
func (l *Loop) RegisterListener(s *Source, fd int, h Handler) error {
	l.Assign(s, fd, h)
	return l.watch(s, syscall.EPOLLIN)
}

func (l *Loop) watch(s *Source, events uint32) error {
	ev := syscall.EpollEvent{Events: events, Fd: int32(s.slot), Pad: l.slots[s.slot].generation}
	if e := epollCtl(l.epfd, syscall.EPOLL_CTL_ADD, s.FD(), &ev); e != 0 {
		l.CloseSource(s)
		return e
	}
	return nil
}

// CloseSource closes the descriptor and forgets the handler: no event of this batch reaches it any more.
// Closing twice is harmless.
func (l *Loop) CloseSource(s *Source) {
	if s.fd == 0 {
		return
	}
	CloseFD(l.forget(s))
}

// Detach takes the descriptor off the Loop and returns it, open.
func (l *Loop) Detach(s *Source) (fd int) {
	fd = l.forget(s)
	var ev syscall.EpollEvent
	epollCtl(l.epfd, syscall.EPOLL_CTL_DEL, fd, &ev)
	return fd
}

func (l *Loop) forget(s *Source) (fd int) {
	l.owner.check()
	fd = s.FD()
	p := &l.slots[s.slot]
	p.handler = nil
	p.due = 0
	p.generation++
	l.free = append(l.free, s.slot)
	*s = Source{}
	return fd
}

// Again calls h.Ready(0) once the other ready descriptors had their turn: a handler with much to move
// yields this way. h must still be valid then.
func (l *Loop) Again(h Handler) {
	l.owner.check()
	l.again = append(l.again, h)
}

// Check panics where the caller is not on the loop's goroutine, under the build tag invariants.
func (l *Loop) Check() { l.owner.check() }

// Await adds to the number of results that this loop waits for and that goroutines of the process compute.
// While there are any, the loop lets them run before it waits for events: it would otherwise have the
// runtime take its processor away for them, one context switch each way where there are no more processors
// than loops. A TLS handshake took 20 % of its time for that.
func (l *Loop) Await(n int) { l.awaited += n }

// wait waits for events, up to linger milliseconds: first with its processor, see hold, and then without.
func (l *Loop) wait() (n int, errno syscall.Errno) {
	if l.awaited > 0 {
		runtime.Gosched()
		if n, errno = epollWait(l.epfd, l.events[:]); n > 0 || errno != 0 {
			return n, errno
		}
	} else if l.hold > 0 {
		if l.now-l.yielded > yieldEvery {
			l.yielded = l.now
			runtime.Gosched()
		}
		if n, errno = epollHold(l.epfd, l.events[:], l.hold); n > 0 || errno != 0 {
			return n, errno
		}
	}
	return epollWaitFor(l.epfd, l.events[:], linger)
}

// run handles ready events until there are none. netpoll's poller calls it.
func (l *Loop) run() {
	l.owner.enter()
	for wait := false; ; wait = true {
		var n int
		var errno syscall.Errno
		if wait && len(l.again) == 0 && alone() {
			n, errno = l.wait()
		} else {
			n, errno = epollWait(l.epfd, l.events[:])
		}
		if errno == syscall.EINTR {
			continue
		}
		if errno != 0 || n == 0 {
			if len(l.again) == 0 {
				return
			}
			n = 0
		}
		l.now = Monotonic()
		l.batches++
		l.handled += uint64(n)
		l.full = n == batch
		for i := range l.events[:n] {
			ev := &l.events[i]
			if p := &l.slots[ev.Fd]; p.generation == ev.Pad {
				p.due = Events(ev.Events)
			}
		}
		tick, post := false, false
		for i := range l.events[:n] {
			ev := &l.events[i]
			if ev.Fd < slotFirst {
				tick = tick || ev.Fd == slotTimer
				post = post || ev.Fd == slotEvent
				continue
			}
			p := &l.slots[ev.Fd]
			if due := p.due; due != 0 && p.handler != nil && p.generation == ev.Pad {
				p.due = 0
				p.handler.Ready(due)
			}
		}
		if tick {
			drainCounter(l.timerfd)
			l.wheel.armed = 0
		}
		if post {
			l.runPosted()
		}
		if len(l.again) > 0 {
			l.again, l.rerun = l.rerun[:0], l.again
			for i, h := range l.rerun {
				h.Ready(0)
				l.rerun[i] = nil
			}
		}
		l.wheel.advance(l.now)
		l.arm()
		if l.closed.Load() {
			return
		}
	}
}

func (l *Loop) runPosted() {
	drainCounter(l.eventfd)
	l.mu.Lock()
	run := l.posted
	l.posted = l.spare[:0]
	l.mu.Unlock()
	for i, f := range run {
		f()
		run[i] = nil
	}
	l.spare = run
}
