package main

import (
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestParseStat(t *testing.T) {
	const tail = " S 41 42 42 0 -1 4194560 100 0 0 0 250 130 7 8 20 0 1 0 99 1 1 1 1"
	tests := []struct {
		text string
		want stat
		ok   bool
	}{
		{"42 (nginx)" + tail, stat{42, 41, 3800 * time.Millisecond}, true},
		{"42 (odd) name (x)" + tail, stat{42, 41, 3800 * time.Millisecond}, true}, // parentheses and spaces in the name
		{"42 (nginx) S 41", stat{}, false},
		{"42 nginx S 41", stat{}, false},
		{"", stat{}, false},
	}
	for _, tt := range tests {
		got, err := parseStat(tt.text)
		if got != tt.want || (err == nil) != tt.ok {
			t.Errorf("parseStat(%q) = %v, %v", tt.text, got, err)
		}
	}
}

func TestParseSmaps(t *testing.T) {
	got, err := parseSmaps([]byte("5607-7ffc ---p 0 [rollup]\nRss:  1624 kB\nPss:   312 kB\nPss_Dirty: 112 kB\n"))
	if got != 312<<10 || err != nil {
		t.Errorf("parseSmaps = %d, %v", got, err)
	}
	if _, err := parseSmaps([]byte("Rss: 1 kB\n")); err == nil {
		t.Error("parseSmaps accepted a text without a Pss line")
	}
}

func TestParseBusy(t *testing.T) {
	got, err := parseBusy("cpu  10 20 30 4000 500 6 7 8 900 1000\ncpu0 1 1 1 1 1 1 1 1 1 1\n")
	if want := 810 * time.Millisecond; got != want || err != nil { // idle, iowait and guests do not count
		t.Errorf("parseBusy = %v, %v, want %v", got, err, want)
	}
	if _, err := parseBusy("intr 1 2 3\n"); err == nil {
		t.Error("parseBusy accepted a text without a cpu line")
	}
}

// The CPU clock and /proc/PID/stat are two views of one number.
func TestCPUTimeAgreesWithStat(t *testing.T) {
	pid := os.Getpid()
	for start := time.Now(); time.Since(start) < 30*time.Millisecond; {
	}
	text, err := os.ReadFile("/proc/self/stat")
	if err != nil {
		t.Fatal(err)
	}
	s, err := parseStat(string(text))
	if err != nil {
		t.Fatal(err)
	}
	clock, err := cpuTime([]int{pid})
	if err != nil {
		t.Fatal(err)
	}
	if d := clock - s.cpu; d < -50*time.Millisecond || d > 50*time.Millisecond {
		t.Errorf("CPU clock says %v, stat %v", clock, s.cpu)
	}
	// The kernel gives out no number above 1<<22.
	if _, err := cpuTime([]int{1<<22 + 1}); err == nil {
		t.Error("cpuTime of no process is no error")
	}
}

func TestFamilyAndMemory(t *testing.T) {
	p, err := startProcess(t.Context(), "sh", "", []string{"sh", "-c", "sleep 60 & echo ready; wait"})
	if err != nil {
		t.Fatal(err)
	}
	defer p.stop()
	waitFor(t, "the child", func() bool { return p.output.String() != "" })
	pids, err := family(p.pid())
	if err != nil || len(pids) != 2 || !slices.Contains(pids, p.pid()) {
		t.Errorf("family = %v, %v, want the shell and its child", pids, err)
	}
	if n, err := memory(pids); n <= 0 || err != nil {
		t.Errorf("memory = %d, %v", n, err)
	}
}

// stop takes the children along, also where their parent ignores a polite signal.
func TestStopEndsTheGroup(t *testing.T) {
	p, err := startProcess(t.Context(), "sh", "", []string{"sh", "-c", "trap '' TERM; sleep 60 & echo ready; wait; wait"})
	if err != nil {
		t.Fatal(err)
	}
	defer p.stop()
	waitFor(t, "the child", func() bool { return p.output.String() != "" })
	pids, err := family(p.pid())
	if err != nil || len(pids) != 2 {
		t.Fatalf("family = %v, %v", pids, err)
	}
	p.stop()
	p.stop() // again is fine
	if !p.exited() {
		t.Error("process lives on after stop")
	}
	// The child is killed but reaped by another process, in its own time: a zombie is as good as gone.
	waitFor(t, "the child's end", func() bool {
		text, err := os.ReadFile("/proc/" + strconv.Itoa(pids[1]) + "/stat")
		return err != nil || strings.Contains(string(text), ") Z ")
	})
}

func waitFor(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited too long for %s", what)
		}
	}
}
