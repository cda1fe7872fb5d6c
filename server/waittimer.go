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
	waitWatch             // answer to a connection of one request, see oneShot
	waitProxy             // PROXY protocol header
)

// waitTimer is the timer of a client's side. Its owner sets OnExpire.
type waitTimer struct {
	timer loop.Timer
	wait  waiting
}

// guard arms the timer, unless it already guards the same wait. A timeout of 0 is none.
//
// hot: runs per request; no alloc, no lock.
func (t *waitTimer) guard(l *wireLoop, what waiting, timeout int64) {
	if t.wait == what {
		return
	}
	t.wait = what
	if timeout <= 0 {
		t.timer.Stop()
		return
	}
	l.Set(&t.timer, l.Now()+timeout)
}

// restart has the next guard start afresh.
func (t *waitTimer) restart() { t.wait = waitNothing }

// rest stops the timer, except of a connection that is not watched yet.
func (t *waitTimer) rest() {
	if t.wait != waitWatch {
		t.timer.Stop()
		t.wait = waitNothing
	}
}
