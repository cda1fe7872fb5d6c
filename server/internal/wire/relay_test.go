package wire

import (
	"bytes"
	"io"
	"testing"

	"github.com/sluice-gateway/sluice/server/internal/loop"
)

// TestWays: bytes go both ways, each direction ends by itself, and it is over when both have.
func TestWays(t *testing.T) {
	l := newLoop(t)
	c, client := connect(t, l)
	u, endpoint := connect(t, l)
	var w Ways
	client.Write([]byte("ask"))
	endpoint.Write([]byte("answer"))
	arrives(t, c)
	arrives(t, u)
	up, down, moved, more := w.Relay(l, c, u)
	if up != 3 || down != 6 || !moved || more {
		t.Fatalf("%d bytes up, %d down, moved: %v, more: %v", up, down, moved, more)
	}
	if a, b := full(t, endpoint, 3), full(t, client, 6); string(a) != "ask" || string(b) != "answer" {
		t.Errorf("read %q and %q", a, b)
	}
	client.CloseWrite()
	wait(t, c, loop.ReadClosed)
	c.Note(loop.Readable | loop.ReadClosed)
	w.Relay(l, c, u)
	if !w.UpEnded || w.DownEnded || w.Over(0, 1e9, false, c, u) {
		t.Errorf("up ended: %v, down ended: %v", w.UpEnded, w.DownEnded)
	}
	if n, err := endpoint.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		t.Errorf("the Endpoint read %d, %v", n, err)
	}
	endpoint.CloseWrite()
	wait(t, u, loop.ReadClosed)
	u.Note(loop.Readable | loop.ReadClosed)
	w.Relay(l, c, u)
	if !w.Over(0, 1e9, false, c, u) || w.Resets(u, c, w.DownEnded) {
		t.Error("it is not over when both have ended, or a side is to be reset")
	}
}

// TestWaysStop: a side that takes nothing stops the other, of which no more than one read is held.
func TestWaysStop(t *testing.T) {
	l := newLoop(t)
	c, client := connect(t, l)
	u, endpoint := connect(t, l)
	var w Ways
	want := body(24 << 20)
	go func() {
		client.Write(want)
		client.CloseWrite()
	}()
	var sum int64
	for idle := 0; idle < 3; {
		c.Note(loop.Readable)
		up, _, _, more := w.Relay(l, c, u)
		sum += up
		if u.Pending() > 0 {
			idle++
		}
		if !more && u.Pending() == 0 {
			arrives(t, c)
		}
		if u.Pending() > ScratchSize {
			t.Fatalf("%d bytes are held", u.Pending())
		}
	}
	got := make(chan []byte)
	go func() {
		b, _ := io.ReadAll(endpoint)
		got <- b
	}()
	for !w.UpEnded {
		c.Note(loop.Readable | loop.ReadClosed)
		u.Note(loop.Writable)
		up, _, _, more := w.Relay(l, c, u)
		sum += up
		switch {
		case more || w.UpEnded:
		case u.Pending() > 0:
			wait(t, u, loop.Writable)
		default:
			wait(t, c, loop.Readable)
		}
	}
	if sum != int64(len(want)) || !bytes.Equal(<-got, want) {
		t.Errorf("%d bytes were passed on, of %d", sum, len(want))
	}
}
