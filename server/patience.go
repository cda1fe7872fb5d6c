package server

import "github.com/sluice-gateway/sluice/server/internal/loop"

// waiting says what a client is waited for, so that a deadline moves only when the reason changes or
// bytes did.
type waiting uint8

const (
	waitNothing   waiting = iota
	waitIdle              // next request of a keep-alive connection
	waitHead              // rest of a head
	waitBody              // rest of a request body
	waitSend              // client to read what waits in out
	waitLinger            // client to close
	waitHandshake         // TLS to be ready
	waitWatch             // answer to a brief connection, see brief
	waitProxy             // PROXY protocol header
)

// patience is the timer of a client's side. Its owner sets OnExpire.
type patience struct {
	timer loop.Timer
	wait  waiting
}

// guard arms the timer, unless it already guards the same wait. A timeout of 0 is none.
//
// hot: runs per request; no alloc, no lock.
func (p *patience) guard(l *loop.Loop, what waiting, timeout int64) {
	if p.wait == what {
		return
	}
	p.wait = what
	if timeout <= 0 {
		p.timer.Stop()
		return
	}
	l.Set(&p.timer, l.Now()+timeout)
}

// progress has the next guard start afresh.
func (p *patience) progress() { p.wait = waitNothing }

// rest stops the timer, except of a connection that is not watched yet.
func (p *patience) rest() {
	if p.wait != waitWatch {
		p.timer.Stop()
		p.wait = waitNothing
	}
}
