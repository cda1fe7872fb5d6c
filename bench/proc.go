package main

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unsafe"
)

// family is the process and all its descendants, found through the parent ids in /proc.
func family(pid int) ([]int, error) {
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil, err
	}
	children := map[int][]int{}
	for _, path := range stats {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // ended meanwhile
		}
		s, err := parseStat(string(text))
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", path, err)
		}
		children[s.ppid] = append(children[s.ppid], s.pid)
	}
	all := []int{pid}
	for i := 0; i < len(all); i++ {
		all = append(all, children[all[i]]...)
	}
	return all, nil
}

// stat is the content of /proc/PID/stat.
type stat struct {
	pid, ppid int
	cpu       time.Duration // user and system, in steps of the clock tick (10 ms)
}

// parseStat reads the text of a /proc/PID/stat. The command name is in parentheses and may itself hold
// spaces and parentheses, so the fields are counted from the last closing one.
func parseStat(text string) (stat, error) {
	open, end := strings.IndexByte(text, '('), strings.LastIndexByte(text, ')')
	if open < 0 || end < open {
		return stat{}, fmt.Errorf("parse stat: no command name in %q", text)
	}
	f := strings.Fields(text[end+1:])
	if len(f) < 13 {
		return stat{}, fmt.Errorf("parse stat: %d fields after the name, want 13 or more", len(f))
	}
	var numbers [4]int64
	for i, s := range []string{strings.TrimSpace(text[:open]), f[1], f[11], f[12]} {
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			return stat{}, fmt.Errorf("parse stat: %w", err)
		}
		numbers[i] = n
	}
	const tick = 10 * time.Millisecond // USER_HZ is 100 on every Linux this runs on
	return stat{pid: int(numbers[0]), ppid: int(numbers[1]), cpu: time.Duration(numbers[2]+numbers[3]) * tick}, nil
}

// cpuTime is the CPU time that the processes have used, all threads, ended ones too.
//
// The time comes from each process's CPU-time clock (clock_gettime), which the kernel brings up to date to
// the nanosecond when asked: /proc/PID/stat has the same sum in steps of 10 ms, and
// /proc/PID/task/*/schedstat is as old as the last tick and forgets threads that have ended.
func cpuTime(pids []int) (time.Duration, error) {
	var sum time.Duration
	for _, pid := range pids {
		t, err := processClock(pid)
		if err != nil {
			return 0, err
		}
		sum += t
	}
	return sum, nil
}

func processClock(pid int) (time.Duration, error) {
	// The kernel's number for the CPU clock of a process: the complement of its id, and the kind of clock
	// (2 is scheduler time, user and system) in the low bits. clock_getcpuclockid(3) computes the same.
	clock := ^pid<<3 | 2
	var ts syscall.Timespec
	if _, _, errno := syscall.Syscall(syscall.SYS_CLOCK_GETTIME, uintptr(clock), uintptr(unsafe.Pointer(&ts)), 0); errno != 0 {
		return 0, fmt.Errorf("read CPU clock of process %d: %w", pid, errno)
	}
	return time.Duration(ts.Nano()), nil
}

// memory is the proportional set size of the processes in bytes: pages that a master shares with its workers
// count once.
func memory(pids []int) (int64, error) {
	var sum int64
	for _, pid := range pids {
		path := fmt.Sprintf("/proc/%d/smaps_rollup", pid)
		text, err := os.ReadFile(path)
		if err != nil {
			return 0, fmt.Errorf("read memory: %w", err)
		}
		n, err := parseSmaps(text)
		if err != nil {
			return 0, fmt.Errorf("read %s: %w", path, err)
		}
		sum += n
	}
	return sum, nil
}

// parseSmaps is the Pss line of a smaps_rollup file, in bytes.
func parseSmaps(text []byte) (int64, error) {
	for line := range bytes.Lines(text) {
		rest, ok := bytes.CutPrefix(line, []byte("Pss:"))
		if !ok {
			continue
		}
		f := strings.Fields(string(rest))
		if len(f) != 2 || f[1] != "kB" {
			return 0, fmt.Errorf("parse smaps: odd line %q", line)
		}
		n, err := strconv.ParseInt(f[0], 10, 64)
		return n << 10, err
	}
	return 0, fmt.Errorf("parse smaps: no Pss line")
}

// busyTime is the time that all cores together were not idle since boot, in steps of the clock tick.
func busyTime() (time.Duration, error) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, fmt.Errorf("read CPU statistics: %w", err)
	}
	return parseBusy(string(text))
}

// parseBusy adds the fields of the "cpu" line of /proc/stat, without idle and iowait (4th and 5th) and
// without the guests' (9th and later), which user time already includes.
func parseBusy(text string) (time.Duration, error) {
	s := bufio.NewScanner(strings.NewReader(text))
	s.Scan()
	f := strings.Fields(s.Text())
	if len(f) < 9 || f[0] != "cpu" {
		return 0, fmt.Errorf("parse /proc/stat: odd first line %q", s.Text())
	}
	var ticks int64
	for i, field := range f[1:9] {
		if i == 3 || i == 4 {
			continue
		}
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("parse /proc/stat: %w", err)
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond, nil
}
