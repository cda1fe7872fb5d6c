package server

import (
	"syscall"

	"github.com/sluice-gateway/sluice/server/internal/loop"
)

// A body of known length, or one that lasts until the close, between two plain TCP sockets moves
// through a pipe by splice(2): its pages are handed over inside the kernel, and this process never
// maps them. It pays from some 64 KiB on (http.splice_threshold).

// pipeSize bounds what one pipe holds, and so what a peer that does not read can pin; it is the most
// that an unprivileged process may ask for. 1 MiB bodies cost 335 us through 256 KiB, 310 through 1 MiB.
//
// A user without CAP_SYS_RESOURCE gets 64 such pipes (fs.pipe-user-pages-soft). Beyond that a smaller
// one must do, and below smallPipe copying is cheaper than many small splices.
const (
	pipeSize  = 1 << 20
	smallPipe = 64 << 10
)

// keepPipes bounds the idle pipes of a loop.
const keepPipes = 64

// pipe is the passage of one body. Owned by one Exchange at a time; empty when it returns to the
// worker.
type pipe struct {
	r, w int
	held int
	up   bool // towards the Endpoint

	// The source is asked to report only what is worth a splice, see coarsen.
	x       *Exchange
	from    *sock
	lowat   int // SO_RCVLOWAT of from; 0 = untouched
	trickle bool
	timer   loop.Timer
}

// lowWater is how much a source should have before it is reported. Reported segment by segment, 1 MiB
// wakes the loop some twenty times, each for one 64 KiB splice: 310 to 355 us of CPU where HAProxy takes
// 325. Reported at 1 MiB, or at the end of the body, it is 290 us; at 256 KiB 307.
const lowWater = 1 << 20

// lowDelay is how long a source may take to collect lowWater bytes, plus up to two ticks of the wheel. A slower source
// delays its client once by that much, and is reported as its bytes come from then on. The end of a body is never delayed.
const lowDelay = int64(20e6)

// coarsen asks the kernel to report p.from only once it holds a good part of the left bytes.
func (p *pipe) coarsen(left int64) {
	w := p.x.w
	if want := int(min(left, lowWater)); p.lowat != want {
		p.setLowat(want)
	}
	w.loop.Set(&p.timer, w.loop.Now()+lowDelay)
}

func (p *pipe) setLowat(n int) {
	p.lowat = n
	setInt(p.from.src.FD(), syscall.SOL_SOCKET, syscall.SO_RCVLOWAT, n)
}

// refine undoes coarsen. A connection must not return to its pool, or to reading heads, without it.
func (p *pipe) refine() {
	p.timer.Stop()
	if p.lowat > 1 && p.from.src.Open() {
		p.setLowat(1)
	}
}

// Expired implements loop.Expirer: the source is slow, so that what it has is moved as it comes.
func (p *pipe) Expired(*loop.Timer, int64) {
	x := p.x
	if x == nil || x.pipe != p {
		return
	}
	p.trickle = true
	p.refine()
	p.from.readable = true
	x.c.pump()
}

// spliceable reports whether a body with so much to come should move by splice.
func (x *Exchange) spliceable(f *flow) bool {
	threshold := x.w.set.splice
	if threshold <= 0 || x.pipe != nil || x.noPipe {
		return false
	}
	return f.from == frameLength && f.by == nil && f.left >= threshold && x.c.plain() != nil && x.u.plain() != nil
}

// startSplice gets a pipe; without one (descriptors are short) the body is copied.
func (x *Exchange) startSplice(up bool) bool {
	p := x.w.getPipe()
	if p == nil {
		x.noPipe = true
		return false
	}
	p.up = up
	p.x, p.from = x, x.u.plain()
	if up {
		p.from = x.c.plain()
	}
	x.pipe = p
	return true
}

// spliceResponse moves what can move, and reports whether the caller should go on: the body is
// through, or a reason to copy came up.
func (x *Exchange) spliceResponse() bool {
	if !x.moveSplice(x.u.plain(), x.c.plain(), &x.down.left, &x.sentBytes) {
		return false
	}
	x.down.done = x.down.left == 0
	return true
}

// spliceRequest is spliceResponse for the request body.
func (x *Exchange) spliceRequest() bool {
	x.streamed = true
	if !x.moveSplice(x.c.plain(), x.u.plain(), &x.up.left, &x.reqBytes) {
		return false // x may have ended, and may serve another request
	}
	x.up.done = x.up.left == 0
	return true
}

// moveSplice fills the pipe from one socket and empties it into the other. left counts down what is
// still to be taken from the first; moved counts what the second took. It returns true when the pipe
// is given back: everything moved, or the source ended and the caller's read will find that.
func (x *Exchange) moveSplice(from, to *sock, left, moved *int64) bool {
	w, p := x.w, x.pipe
	if to.out.len() > 0 && !to.flush() {
		return false
	}
	for round := 0; ; round++ {
		progress, drained := false, !from.readable
		// What came before a reset is taken like anything else: only a read that finds nothing ends it.
		for *left > 0 && from.readable && !from.eof && p.held < pipeSize {
			want := int(min(*left, int64(pipeSize-p.held)))
			n, errno := loop.Splice(from.src.FD(), p.w, want, false)
			if errno == syscall.EAGAIN {
				// Either the socket is empty or the pipe has no slot: with bytes in the pipe it may be
				// the latter, so the socket stays readable until an empty pipe says the same.
				if p.held == 0 {
					from.readable = false
				}
				drained = true
				break
			}
			if errno != 0 {
				from.broken, from.readable = true, false
				break
			}
			if n == 0 {
				from.eof = true
				break
			}
			p.held += n
			*left -= int64(n)
			progress = true
			if n < want {
				drained = true
				break // empty, or no slot: what is held goes out first, and the next round tells
			}
		}
		for p.held > 0 && to.writable && !to.broken {
			// Only where more is certainly at hand may the kernel hold a part of a segment back for it:
			// it would wait 200 ms.
			n, errno := loop.Splice(p.r, to.src.FD(), p.held, *left > 0 && !drained)
			if errno == syscall.EAGAIN {
				to.writable = false
				break
			}
			if errno != 0 {
				to.broken, to.readable = true, true
				break
			}
			p.held -= n
			*moved += int64(n)
			w.shard.SplicedBytes += uint64(n)
			progress = true
		}
		if progress {
			p.timer.Stop()
			x.c.progress()
			x.await(x.timeout(x.policy.read, w.set.read))
		}
		switch {
		case to.broken:
			if !p.up {
				x.cancel(failAborted)
			}
			return false
		case p.held == 0 && (*left == 0 || from.eof || from.broken && !from.readable):
			x.pipe = nil
			p.refine()
			w.putPipe(p)
			if *left > 0 && !p.up {
				x.upstreamEnds()
				return false
			}
			if *left > 0 {
				x.cancel(failAborted)
				return false
			}
			return true
		case !progress:
			if p.held == 0 && !p.trickle {
				p.coarsen(*left)
			}
			return false
		case round == rounds:
			w.loop.Again(x.c)
			return false
		}
	}
}

func (w *worker) getPipe() *pipe {
	if n := len(w.pipes); n > 0 {
		p := w.pipes[n-1]
		w.pipes = w.pipes[:n-1]
		return p
	}
	if w.peers.descriptors()+2 > w.set.capacity.descriptors*7/8 {
		return nil
	}
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
	w.use.descriptors.Add(2)
	p := &pipe{r: fds[0], w: fds[1]}
	p.timer.OnExpire = p
	return p
}

// putPipe takes a pipe back. One that holds another client's bytes is closed, never reused.
func (w *worker) putPipe(p *pipe) {
	if p.held > 0 || len(w.pipes) >= keepPipes {
		w.closePipe(p)
		return
	}
	*p = pipe{r: p.r, w: p.w, timer: p.timer}
	w.pipes = append(w.pipes, p)
}

func (w *worker) closePipe(p *pipe) {
	loop.CloseFD(p.r)
	loop.CloseFD(p.w)
	w.loop.Unlink(&p.timer)
	w.giveDescriptors(2)
}
