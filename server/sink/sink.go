package sink

import (
	"bytes"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// maxPending bounds the bytes that wait to be written. A loop hands over 32 KiB at a time, so this is some
	// hundred chunks: a writer that hangs for a second at 20,000 requests a second loses nothing.
	maxPending = 4 << 20
	// maxChunks bounds the number of those chunks: lines of the error log come one by one.
	maxChunks = 4096
	// maxLine is where Write cuts a line.
	maxLine = 16 << 10
	// closing is how long Close waits for the offered chunks to be written.
	closing = time.Second
	// quiet is the least time between two calls of Options.Report.
	quiet = 10 * time.Second
)

// Options configure a Sink.
type Options struct {
	// Path is a file or a FIFO, which is opened for appending; "" writes to Std.
	Path string
	// Std is the destination of a Sink without a Path. It is never closed.
	Std io.Writer
	// Report, which may be nil, is called on the writer's goroutine with the number of lines lost since its last
	// call, and the error of the last failed write, if there was one: once writing works again, and not more often
	// than every ten seconds. It may offer to the same Sink.
	Report func(lost uint64, err error)
}

// Sink is a destination of log lines. Made by Open. Safe for concurrent use. Must not be copied.
type Sink struct {
	// Immutable after Open:
	std    io.Writer
	report func(lost uint64, err error)

	queue chan []byte
	spare chan []byte // written chunks, to be used again
	ended chan struct{}

	// Atomic:
	pending  atomic.Int64  // bytes in queue and under way
	lost     atomic.Uint64 // lines
	reported atomic.Uint64 // of lost
	spoke    atomic.Int64  // when the last report was made, Unix nanoseconds

	mu sync.Mutex
	// Guarded by mu:
	current *writer
	closed  bool
}

// writer is one open destination and the goroutine that writes to it.
type writer struct {
	to      io.Writer
	file    *os.File      // to, where it has to be closed
	retired chan struct{} // closed when the next writer takes over
	done    chan struct{} // closed when the goroutine has ended

	// Owned by the goroutine:
	torn    bool  // the last write ended within a line
	failure error // of the last write that failed
}

// Open opens the destination and starts to write. It fails where the path cannot be opened, and never blocks.
func Open(o Options) (*Sink, error) {
	s := &Sink{
		std:    o.Std,
		report: o.Report,
		queue:  make(chan []byte, maxChunks),
		spare:  make(chan []byte, 16),
		ended:  make(chan struct{}),
	}
	if err := s.Reopen(o.Path); err != nil {
		return nil, err
	}
	return s, nil
}

// Reopen writes to path from now on, "" for Std: opened anew where it is the same, so that a file can be rotated. After
// an error the Sink goes on as it was. A writer that hangs keeps the chunk that it is writing, and no other.
func (s *Sink) Reopen(path string) error {
	next := &writer{to: s.std, retired: make(chan struct{}), done: make(chan struct{})}
	if path != "" {
		file, err := openFile(path)
		if err != nil {
			return err
		}
		next.to, next.file = file, file
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		if next.file != nil {
			next.file.Close()
		}
		return os.ErrClosed
	}
	if s.current != nil {
		close(s.current.retired)
	}
	s.current = next
	go s.run(next)
	return nil
}

// Offer hands over a chunk of whole lines, which belongs to the Sink from then on. It returns false where
// the queue is full: the lines are counted as lost and the chunk stays the caller's.
func (s *Sink) Offer(chunk []byte) bool {
	if s.pending.Add(int64(len(chunk))) > maxPending {
		s.giveUp(chunk)
		return false
	}
	select {
	case s.queue <- chunk:
		return true
	default:
		s.giveUp(chunk)
		return false
	}
}

func (s *Sink) giveUp(chunk []byte) {
	s.pending.Add(-int64(len(chunk)))
	s.lost.Add(uint64(max(1, bytes.Count(chunk, newline))))
}

// Spare returns an empty buffer that was written, or nil.
func (s *Sink) Spare() []byte {
	select {
	case b := <-s.spare:
		return b
	default:
		return nil
	}
}

// Write offers a copy of one line, cut at 16 KiB. It reports success also where the line is lost, because a logger
// could report that nowhere; Lost counts it.
func (s *Sink) Write(line []byte) (int, error) {
	kept := bytes.Clone(line)
	if len(kept) > maxLine {
		kept = append(kept[:maxLine], " [cut]\n"...)
	}
	s.Offer(kept)
	return len(line), nil
}

// Lost counts the lines that were not written.
func (s *Sink) Lost() uint64 { return s.lost.Load() }

// Close writes the chunks offered before, for a second at most; later ones may be lost. It may be called more
// than once.
func (s *Sink) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.closed = true
		close(s.ended)
	}
	late := time.NewTimer(closing)
	defer late.Stop()
	select {
	case <-s.current.done:
	case <-late.C:
		if s.current.file != nil {
			s.current.file.Close() // ends the wait of a writer in the poller
		}
	}
}

// run writes until w is retired or the Sink is closed.
func (s *Sink) run(w *writer) {
	defer close(w.done)
	if w.file != nil {
		defer w.file.Close()
	}
	for {
		select {
		case <-w.retired:
			return
		default:
		}
		select {
		case <-w.retired:
			return
		case chunk := <-s.queue:
			s.put(w, chunk)
		case <-s.ended:
			for {
				select {
				case chunk := <-s.queue:
					s.put(w, chunk)
				default:
					return
				}
			}
		}
	}
}

var newline = []byte{'\n'}

// put writes one chunk and counts the lines of it that were lost.
func (s *Sink) put(w *writer, chunk []byte) {
	var err error
	if w.torn {
		_, err = w.to.Write(newline)
		w.torn = err != nil
	}
	n := 0
	if err == nil {
		n, err = w.to.Write(chunk)
	}
	s.pending.Add(-int64(len(chunk)))
	if err != nil {
		w.failure = err
		w.torn = w.torn || n > 0 && chunk[n-1] != '\n'
		s.lost.Add(uint64(max(1, bytes.Count(chunk[n:], newline))))
	}
	select {
	case s.spare <- chunk[:0]:
	default:
	}
	if err == nil && s.report != nil && s.lost.Load() > s.reported.Load() {
		s.tell(w)
	}
}

// tell reports lost lines, unless it did so a moment ago.
func (s *Sink) tell(w *writer) {
	now, spoke := time.Now().UnixNano(), s.spoke.Load()
	if now-spoke < int64(quiet) || !s.spoke.CompareAndSwap(spoke, now) {
		return
	}
	lost := s.lost.Load()
	s.report(lost-s.reported.Swap(lost), w.failure)
	w.failure = nil
}
