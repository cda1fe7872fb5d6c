package sink

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience is how long a test waits for what is to come; nothing takes as long.
const patience = time.Minute

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	limit := time.After(patience)
	for !is() {
		select {
		case <-tick.C:
		case <-limit:
			t.Fatalf("%s did not come", what)
		}
	}
}

// within fails where f does not return.
func within(t *testing.T, what string, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() { defer close(done); f() }()
	select {
	case <-done:
	case <-time.After(patience):
		t.Fatalf("%s does not return", what)
	}
}

func fifo(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "log")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func open(t *testing.T, o Options) (s *Sink) {
	t.Helper()
	within(t, "Open", func() {
		var err error
		if s, err = Open(o); err != nil {
			t.Error(err)
		}
	})
	if s == nil {
		t.FailNow()
	}
	t.Cleanup(s.Close)
	return s
}

// line is the i-th, of 1,000 bytes.
func line(i int) []byte { return fmt.Appendf(nil, "%0999d\n", i) }

// offerUntilLost fills the queue and returns how many lines were offered.
func offerUntilLost(t *testing.T, s *Sink) (lines int) {
	t.Helper()
	within(t, "Write", func() {
		for ; s.Lost() == 0; lines++ {
			s.Write(line(lines))
		}
	})
	return lines
}

func TestStalledReader(t *testing.T) {
	path := fifo(t)
	reader, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	s := open(t, Options{Path: path})
	offered := offerUntilLost(t, s)
	if held := maxPending/1000 - 100; offered < held {
		t.Errorf("the first line was lost behind %d, want %d to be held", offered, held)
	}
	// The reader goes on: all that was taken comes, in order and whole.
	lost := int(s.Lost())
	lines := bufio.NewReader(reader)
	for i := range offered - lost {
		got, err := lines.ReadBytes('\n')
		if err != nil || !bytes.Equal(got, line(i)) {
			t.Fatalf("line %d: %.40q..., %v", i, got, err)
		}
	}
	// The reader stalls again, for good.
	lost = int(s.Lost())
	within(t, "Write", func() {
		for int(s.Lost()) == lost {
			s.Write(line(0))
		}
	})
	within(t, "Close", s.Close)
}

func TestNoReader(t *testing.T) {
	path := fifo(t)
	s := open(t, Options{Path: path})
	s.Write([]byte("early\n"))
	eventually(t, "the writer", func() bool { return s.pending.Load() == 0 })
	reader, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	if got, err := bufio.NewReader(reader).ReadString('\n'); got != "early\n" {
		t.Errorf("a reader that came late read %q, %v", got, err)
	}
}

// A pipe that was inherited, such as a container's stderr, is not in non-blocking mode: a write to it hangs in the kernel.
func TestStalledStd(t *testing.T) {
	var ends [2]int
	if err := syscall.Pipe2(ends[:], syscall.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	reader, std := os.NewFile(uintptr(ends[0]), "reader"), os.NewFile(uintptr(ends[1]), "std")
	defer std.Close()
	s := open(t, Options{Std: std})
	offered := offerUntilLost(t, s)
	within(t, "Close", s.Close)
	// Chunks offered before Close are written once there is a reader.
	lines := bufio.NewScanner(reader)
	within(t, "reading", func() {
		for i := range offered - int(s.Lost()) {
			if !lines.Scan() || lines.Text() != strings.TrimSuffix(string(line(i)), "\n") {
				t.Errorf("line %d is missing", i)
				return
			}
		}
	})
	reader.Close()
}

func TestFullDisk(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	full.Close()
	s := open(t, Options{Path: "/dev/full"})
	s.Offer([]byte("one\ntwo\n"))
	s.Write([]byte("three\n"))
	eventually(t, "the count of lost lines", func() bool { return s.Lost() == 3 })
}

// scripted takes as many bytes of each write as it is told, and fails where that is not all.
type scripted struct {
	mu    sync.Mutex
	takes []int
	got   bytes.Buffer
}

var errFull = errors.New("full")

func (w *scripted) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := len(p)
	if len(w.takes) > 0 {
		n, w.takes = min(n, w.takes[0]), w.takes[1:]
	}
	w.got.Write(p[:n])
	if n < len(p) {
		return n, errFull
	}
	return n, nil
}

func TestTornWrite(t *testing.T) {
	type report struct {
		lost uint64
		err  error
	}
	reports := make(chan report, 4)
	//                          "one\ntw"  nothing  "\n" fails  "\n" and the rest
	w := &scripted{takes: []int{6, 0}}
	s := open(t, Options{Std: w, Report: func(lost uint64, err error) { reports <- report{lost, err} }})
	s.Offer([]byte("one\ntwo\nthree\n"))
	s.Offer([]byte("four\n"))
	s.Offer([]byte("five\n"))
	got := <-reports
	if got.lost != 3 || got.err != errFull {
		t.Errorf("reported %d lost, %v, want 3: two, three and four", got.lost, got.err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if want := "one\ntw\nfive\n"; w.got.String() != want {
		t.Errorf("written %q, want %q", w.got.String(), want)
	}
}

func TestReopenFromStalled(t *testing.T) {
	s := open(t, Options{Path: fifo(t)})
	offerUntilLost(t, s)
	file := filepath.Join(t.TempDir(), "log")
	within(t, "Reopen", func() {
		if err := s.Reopen(file); err != nil {
			t.Error(err)
		}
	})
	eventually(t, "the queue", func() bool {
		s.Write([]byte("late\n"))
		text, err := os.ReadFile(file)
		return err == nil && bytes.Contains(text, []byte("late\n"))
	})
}

func TestReopenRotates(t *testing.T) {
	file := filepath.Join(t.TempDir(), "log")
	s := open(t, Options{Path: file})
	s.Write([]byte("before\n"))
	eventually(t, "the first line", func() bool { return s.pending.Load() == 0 })
	if err := os.Rename(file, file+".1"); err != nil {
		t.Fatal(err)
	}
	if err := s.Reopen(file); err != nil {
		t.Fatal(err)
	}
	if err := s.Reopen(filepath.Dir(file)); err == nil {
		t.Error("a folder was opened")
	}
	s.Write([]byte("after\n"))
	s.Close()
	for name, want := range map[string]string{file + ".1": "before\n", file: "after\n"} {
		if got, err := os.ReadFile(name); string(got) != want {
			t.Errorf("%s: %q, %v, want %q", name, got, err, want)
		}
	}
}

func TestLongLine(t *testing.T) {
	var w scripted
	s := open(t, Options{Std: &w})
	s.Write(bytes.Repeat([]byte("x"), 2*maxLine))
	s.Close()
	if got := w.got.String(); len(got) > maxLine+16 || !strings.HasSuffix(got, "x [cut]\n") {
		t.Errorf("%d bytes, ending in %.20q", len(got), got[len(got)-20:])
	}
}
