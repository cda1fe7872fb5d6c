package wire

import (
	"syscall"

	"github.com/sluice-gateway/sluice/server/internal/loop"
)

// pipeSize bounds the bytes in one pipe, and so the memory that a peer which does not read can pin; an unprivileged process
// may ask for no more. 1 MiB bodies cost 335 us through 256 KiB, 310 through 1 MiB.
//
// A user without CAP_SYS_RESOURCE gets 64 such pipes (fs.pipe-user-pages-soft), and smaller ones beyond that. Below
// smallPipe a copy is cheaper than many small splices.
const (
	pipeSize  = 1 << 20
	smallPipe = 64 << 10
)

// keepPipes bounds the idle pipes of a loop.
const keepPipes = 64

// Pipe moves bytes of known number from one plain socket to another by splice(2): their pages are handed over inside the
// kernel, and this process never maps them. It belongs to the caller that took it from its Loop until that puts it back,
// empty or not. Its descriptors are counted in Loop.Use.
type Pipe struct {
	loop *Loop
	r, w int // descriptors of its ends
	Held int // bytes in it
	from *Sock
	user loop.Handler // nil: idle

	// The source is asked to report readiness only when a splice pays, see Coarsen.
	lowat   int // SO_RCVLOWAT of from; 0 = untouched
	trickle bool
	timer   loop.Timer
}

// SetSource makes from the source. If from turns out to be slow, user is called with Ready(0), to go on with fewer bytes.
func (p *Pipe) SetSource(from *Sock, user loop.Handler) { p.from, p.user = from, user }

// Fill moves up to left bytes from the source into the pipe, and returns their number. drained means that the source has no
// more for now, or that the pipe has no slot. Bytes that arrived before a reset are moved too.
func (p *Pipe) Fill(left int64) (n int64, drained bool) {
	from := p.from
	drained = !from.Readable
	for left > n && from.Readable && !from.EOF && p.Held < pipeSize {
		want := int(min(left-n, int64(pipeSize-p.Held)))
		m, errno := loop.Splice(from.Src.FD(), p.w, want, false)
		if errno == syscall.EAGAIN {
			// Either the socket is empty or the pipe has no slot: with bytes in the pipe it may be the latter, so the socket
			// stays readable until an empty pipe says the same.
			if p.Held == 0 {
				from.Readable = false
			}
			return n, true
		}
		if errno != 0 {
			from.Broken, from.Readable = true, false
			return n, drained
		}
		if m == 0 {
			from.EOF = true
			return n, drained
		}
		p.Held += m
		n += int64(m)
		if m < want {
			return n, true // the socket is empty, or the pipe has no slot: the next call, behind a drain, finds out which
		}
	}
	return n, drained
}

// Drain moves bytes from the pipe into to, as many as it takes, and returns their number. more means that further bytes are
// certainly at hand: only then may the kernel hold a partial segment back for them, because it would wait 200 ms.
func (p *Pipe) Drain(to *Sock, more bool) (n int64) {
	for p.Held > 0 && to.Writable && !to.Broken {
		m, errno := loop.Splice(p.r, to.Src.FD(), p.Held, more)
		if errno == syscall.EAGAIN {
			to.Writable = false
			break
		}
		if errno != 0 {
			to.Broken, to.Readable = true, true
			break
		}
		p.Held -= m
		n += int64(m)
	}
	return n
}

// lowWater is how many bytes a source should have before it is reported. Reported segment by segment, 1 MiB wakes the loop
// some twenty times, each for one 64 KiB splice: 310 to 355 us of CPU where HAProxy takes 325. Reported at 1 MiB, or at the
// end of the body, it is 290 us; at 256 KiB 307.
const lowWater = 1 << 20

// lowDelay is how long a source may take to collect lowWater bytes, nanoseconds, plus up to two ticks of the wheel. The
// bytes of a slower source are delayed once by lowDelay, and reported as they come from then on. The end of a body is never
// delayed.
const lowDelay = int64(20e6)

// Coarsen asks the kernel to report the source only once it holds a good part of the left bytes, unless it was slow before
// or the pipe is not empty.
func (p *Pipe) Coarsen(left int64) {
	if p.Held > 0 || p.trickle {
		return
	}
	if want := int(min(left, lowWater)); p.lowat != want {
		p.setLowat(want)
	}
	p.loop.Set(&p.timer, p.loop.Now()+lowDelay)
}

// setLowat has the source reported from n bytes on.
func (p *Pipe) setLowat(n int) {
	p.lowat = n
	SetInt(p.from.Src.FD(), syscall.SOL_SOCKET, syscall.SO_RCVLOWAT, n)
}

// Moved stops the timer of Coarsen: bytes moved in time.
func (p *Pipe) Moved() { p.timer.Stop() }

// refine undoes Coarsen. A connection must not return to its pool, or to reading heads, without it.
func (p *Pipe) refine() {
	p.timer.Stop()
	if p.lowat > 1 && p.from.Src.Open() {
		p.setLowat(1)
	}
}

// Expired implements loop.Expirer: the source is slow, and its bytes are moved as they come from here on.
func (p *Pipe) Expired(*loop.Timer, int64) {
	if p.user == nil {
		return
	}
	p.trickle = true
	p.refine()
	p.from.Readable = true
	p.user.Ready(0)
}

// IdlePipes returns how many pipes are kept for their next use.
func (l *Loop) IdlePipes() int { return len(l.pipes) }

// TakePipe returns one of the pipes that are kept, or nil.
func (l *Loop) TakePipe() *Pipe {
	n := len(l.pipes)
	if n == 0 {
		return nil
	}
	p := l.pipes[n-1]
	l.pipes = l.pipes[:n-1]
	return p
}

// OpenPipe opens a pipe and counts its descriptors, or returns nil if the system has none that is large enough.
func (l *Loop) OpenPipe() *Pipe {
	var fds [2]int
	if err := syscall.Pipe2(fds[:], syscall.O_NONBLOCK|syscall.O_CLOEXEC); err != nil {
		return nil
	}
	const setPipeSize, getPipeSize = 1031, 1032 // F_SETPIPE_SZ, F_GETPIPE_SZ
	size, _, errno := syscall.RawSyscall(syscall.SYS_FCNTL, uintptr(fds[1]), setPipeSize, pipeSize)
	if errno != 0 {
		size, _, errno = syscall.RawSyscall(syscall.SYS_FCNTL, uintptr(fds[1]), getPipeSize, 0)
	}
	if errno != 0 || size < smallPipe {
		loop.CloseFD(fds[0])
		loop.CloseFD(fds[1])
		return nil
	}
	l.Use.Descriptors.Add(2)
	p := &Pipe{loop: l, r: fds[0], w: fds[1]}
	p.timer.OnExpire = p
	return p
}

// PutPipe takes a pipe back. One that still holds bytes is closed, never reused.
func (l *Loop) PutPipe(p *Pipe) {
	p.refine()
	if p.Held > 0 || len(l.pipes) >= keepPipes {
		l.closePipe(p)
		return
	}
	*p = Pipe{loop: l, r: p.r, w: p.w, timer: p.timer}
	l.pipes = append(l.pipes, p)
}

// closePipe closes a pipe and counts its descriptors as closed.
func (l *Loop) closePipe(p *Pipe) {
	p.user = nil
	loop.CloseFD(p.r)
	loop.CloseFD(p.w)
	l.Unlink(&p.timer)
	l.giveDescriptors(2)
}

// ClosePipes closes up to n idle pipes, and returns how many it closed.
func (l *Loop) ClosePipes(n int) (closed int) {
	for ; closed < n && len(l.pipes) > 0; closed++ {
		last := len(l.pipes) - 1
		l.closePipe(l.pipes[last])
		l.pipes[last] = nil
		l.pipes = l.pipes[:last]
	}
	return closed
}
