package server

import (
	"bufio"
	"bytes"
	"context"
	"math"
	"os"
	"path"
	"runtime/debug"
	"runtime/metrics"
	"strconv"
	"strings"
	"time"
)

// Where memory is limited, the process sheds requests before it runs out: the kernel would otherwise end all of them at once.
// What counts is the memory that is needed, without what the garbage collector, or the kernel, would give back: the live heap
// as of the last cycle, stacks and the runtime's own, against GOMEMLIMIT, which is the cgroup's limit less a tenth where it is
// not set; and, with what the kernel holds for the process (buffers of sockets), against the cgroup's.
//
// Requests are refused by the priority of their Routes. A level ends a twentieth below where it began, so that it does not
// come and go with each request.

// pressureLevels are the parts of the limit from which on the levels hold: 1 sheds requests of low priority, 2 of normal
// priority too, 3 all.
var pressureLevels = [...]float64{0.85, 0.92, 0.97}

const (
	pressureTick = 200 * time.Millisecond
	pressureEase = 0.05
)

// pressureLevel returns the level at a part of the limit, where before was the one until now.
func pressureLevel(before int, part float64) int {
	level := 0
	for i, from := range pressureLevels {
		if i < before {
			from -= pressureEase
		}
		if part >= from {
			level = i + 1
		}
	}
	return level
}

// gauge reads how much memory the process has. Made by newGauge.
type gauge struct {
	samples []metrics.Sample
	limit   int64 // of the collector; math.MaxInt64: none
	group   cgroup
}

// newGauge finds the limits. root is "/" but for tests.
func newGauge(root string) *gauge {
	g := &gauge{limit: debug.SetMemoryLimit(-1), group: findGroup(root)}
	for _, name := range []string{
		"/memory/classes/total:bytes", "/memory/classes/heap/released:bytes", "/memory/classes/heap/objects:bytes",
		"/memory/classes/heap/free:bytes", "/memory/classes/heap/unused:bytes", "/gc/heap/live:bytes",
	} {
		g.samples = append(g.samples, metrics.Sample{Name: name})
	}
	return g
}

// limited reports whether there is anything to watch.
func (g *gauge) limited() bool { return g.limit < math.MaxInt64 || g.group.limit > 0 }

// part returns the memory that is needed, as a part of the limit that is nearest.
func (g *gauge) part() (part float64) {
	metrics.Read(g.samples)
	value := func(i int) int64 { return int64(g.samples[i].Value.Uint64()) }
	resident := value(0) - value(1)
	live := min(value(5), value(2))
	needed := resident - value(2) - value(3) - value(4) + live
	if g.limit < math.MaxInt64 && g.limit > 0 {
		part = float64(needed) / float64(g.limit)
	}
	if g.group.limit > 0 {
		if used := g.group.used(); used > 0 {
			part = max(part, float64(used-(resident-needed))/float64(g.group.limit))
		}
	}
	return part
}

// cgroup is the control group that limits the memory of the process. The zero value limits nothing.
type cgroup struct {
	limit         int64
	current, stat string // files
	inactive      string // key of stat: pages of files that the kernel would give back
}

// findGroup reads where the process is. The nearest group with a limit counts.
func findGroup(root string) cgroup {
	text, err := os.ReadFile(path.Join(root, "proc/self/cgroup"))
	if err != nil {
		return cgroup{}
	}
	for line := range strings.Lines(string(text)) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) != 3 {
			continue
		}
		mount, limit, current, inactive := "sys/fs/cgroup", "memory.max", "memory.current", "inactive_file"
		switch {
		case parts[0] == "0" && parts[1] == "":
		case strings.Contains(","+parts[1]+",", ",memory,"):
			mount, limit, current, inactive = "sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"
		default:
			continue
		}
		for dir := path.Clean("/" + parts[2]); ; dir = path.Dir(dir) {
			at := path.Join(root, mount, dir)
			if n := readNumber(path.Join(at, limit)); n > 0 && n < math.MaxInt64/2 {
				return cgroup{n, path.Join(at, current), path.Join(at, "memory.stat"), inactive}
			}
			if dir == "/" {
				break
			}
		}
	}
	return cgroup{}
}

// used returns the memory that the kernel counts for the group, without what it would give back; 0: not known.
func (c *cgroup) used() int64 {
	used := readNumber(c.current)
	text, err := os.ReadFile(c.stat)
	if err != nil {
		return used
	}
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		if name, value, ok := strings.Cut(lines.Text(), " "); ok && name == c.inactive {
			n, _ := strconv.ParseInt(value, 10, 64)
			return used - min(max(n, 0), used)
		}
	}
	return used
}

// readNumber returns the number in a file; 0: none is there.
func readNumber(file string) int64 {
	text, err := os.ReadFile(file)
	if err != nil {
		return 0
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	if err != nil || n < 0 {
		return 0
	}
	return n
}

// watchMemory tells the loops of each change of the level, until ctx ends.
func (s *Server) watchMemory(ctx context.Context) {
	g := newGauge("/")
	if !g.limited() {
		return
	}
	tick := time.NewTicker(pressureTick)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			s.setPressure(pressureLevel(int(s.pressure.Load()), g.part()))
		}
	}
}

// setPressure has every loop shed by the level.
func (s *Server) setPressure(level int) {
	if before := s.pressure.Swap(int32(level)); before == int32(level) {
		return
	} else if level > int(before) {
		s.log.Warn("short of memory: requests are shed", "level", level)
	}
	for _, w := range s.workers {
		w.Post(func() { w.Pressure = int32(s.pressure.Load()) })
	}
}
