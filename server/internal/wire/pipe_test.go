package wire

import (
	"bytes"
	"testing"

	"github.com/sluice-gateway/sluice/server/internal/loop"
)

// calls counts how often it is told to go on.
type calls int

func (c *calls) Ready(loop.Events) { *c++ }

// openPipe gets a pipe, where the machine has one.
func openPipe(t *testing.T, l *Loop) *Pipe {
	t.Helper()
	p := l.OpenPipe()
	if p == nil {
		t.Skip("no pipe to be had that is large enough")
	}
	return p
}

// TestPipe: as many bytes as were asked for go from one socket to another, and an empty pipe is kept.
func TestPipe(t *testing.T) {
	l := newLoop(t)
	from, source := connect(t, l)
	to, sink := connect(t, l)
	p := openPipe(t, l)
	p.SetSource(from, nobody{})
	want := body(3 << 20)
	go source.Write(append(bytes.Clone(want), "the next request"...))
	got := make(chan []byte)
	go func() { got <- full(t, sink, len(want)) }()
	for left := int64(len(want)); left > 0 || p.Held > 0; {
		from.Note(loop.Readable)
		to.Note(loop.Writable)
		in, drained := p.Fill(left)
		left -= in
		p.Drain(to, left > 0 && !drained)
		switch {
		case p.Held > 0:
			wait(t, to, loop.Writable)
		case left > 0:
			wait(t, from, loop.Readable)
		}
	}
	if !bytes.Equal(<-got, want) {
		t.Error("something else arrived")
	}
	arrives(t, from)
	var b [64]byte
	if n := from.Read(b[:]); string(b[:n]) != "the next request" {
		t.Errorf("behind the body %q was left", b[:n])
	}
	l.PutPipe(p)
	if l.IdlePipes() != 1 || l.TakePipe() != p || l.TakePipe() != nil {
		t.Error("the pipe is not kept for its next use")
	}
	l.PutPipe(p)
}

// TestPipeWithBytes: a pipe that holds a body's bytes serves no other.
func TestPipeWithBytes(t *testing.T) {
	l := newLoop(t)
	from, source := connect(t, l)
	p := openPipe(t, l)
	p.SetSource(from, nobody{})
	source.Write([]byte("secret"))
	arrives(t, from)
	if n, drained := p.Fill(100); n != 6 || !drained || p.Held != 6 {
		t.Fatalf("%d bytes; drained: %v, held: %d", n, drained, p.Held)
	}
	l.PutPipe(p)
	if l.IdlePipes() != 0 {
		t.Error("it is kept")
	}
}

// TestPipeSlow: a source that does not fill the mark in time is moved as its bytes come, and its socket is as it was when
// the pipe is given back.
func TestPipeSlow(t *testing.T) {
	l := newLoop(t)
	from, _ := connect(t, l)
	p := openPipe(t, l)
	var told calls
	p.SetSource(from, &told)
	from.Readable = false
	p.Coarsen(lowWater)
	if p.lowat != lowWater || p.timer.Deadline() != l.Now()+lowDelay {
		t.Fatalf("the mark is %d", p.lowat)
	}
	p.Expired(&p.timer, 0)
	if told != 1 || !from.Readable || p.lowat != 1 || p.timer.Deadline() == l.Now()+lowDelay {
		t.Errorf("told %d times; readable: %v, mark: %d", told, from.Readable, p.lowat)
	}
	if p.Coarsen(lowWater); p.lowat != 1 {
		t.Error("it waits for the mark again")
	}
	l.PutPipe(p)
	p.Expired(&p.timer, 0)
	if told != 1 {
		t.Error("an idle pipe tells its last user to go on")
	}
}
