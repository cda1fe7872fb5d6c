package wire

import "github.com/sluice-gateway/sluice/server/internal/loop"

// Wait is the reason why a side waits for its client. A deadline moves only when the reason changes or bytes moved.
type Wait uint8

const (
	WaitNothing   Wait = iota
	WaitIdle           // next request of a keep-alive connection
	WaitHead           // rest of a head
	WaitBody           // rest of a request body
	WaitSend           // client to read the pending bytes
	WaitLinger         // client to close
	WaitHandshake      // TLS to be ready
	WaitWatch          // answer to a connection of one request, on which no events are asked for until then
	WaitProxy          // PROXY protocol header
)

// WaitTimer is the timer of a client's side, and the reason for which it is armed. Owned by its loop; its owner sets
// Timer.OnExpire.
type WaitTimer struct {
	Timer loop.Timer
	Wait  Wait
}

// Guard arms the timer, unless it already guards the same wait. A timeout of 0 is none.
//
// hot: runs per request; no alloc, no lock.
func (t *WaitTimer) Guard(l *Loop, what Wait, timeout int64) {
	if t.Wait == what {
		return
	}
	t.Wait = what
	if timeout <= 0 {
		t.Timer.Stop()
		return
	}
	l.Set(&t.Timer, l.Now()+timeout)
}

// Restart has the next Guard start afresh.
func (t *WaitTimer) Restart() { t.Wait = WaitNothing }

// Rest stops the timer, except on WaitWatch: such a connection has no events yet.
func (t *WaitTimer) Rest() {
	if t.Wait != WaitWatch {
		t.Timer.Stop()
		t.Wait = WaitNothing
	}
}
