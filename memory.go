package sluice

import (
	"math"
	"os"
	"path"
	"runtime/debug"
	"strconv"
	"strings"
)

// limitMemory sets the garbage collector's memory limit to that of the cgroup, less a tenth for memory that
// the collector does not manage (sockets' buffers count too), so that it works harder before the kernel
// kills. It returns the limit set, 0 = none. GOMEMLIMIT, where set, wins; GOGC stays as it is, because the
// request path allocates nothing, and the garbage of builds and scrapes is collected soon enough. That of TLS handshakes
// is not little: with GOGC=400, a full one took 7 % less processor time beside a heap of 4 MB (310 us for 333), and the
// heap grew to 20 MB instead of 8.
func limitMemory(root string) int64 {
	if os.Getenv("GOMEMLIMIT") != "" {
		return 0
	}
	limit := cgroupMemory(root)
	if limit == 0 {
		return 0
	}
	limit -= limit / 10
	debug.SetMemoryLimit(limit)
	return limit
}

// cgroupMemory returns the smallest memory limit, in bytes, of this process's cgroup and those above
// it, 0 = none. root is "/" but for tests.
func cgroupMemory(root string) int64 {
	text, err := os.ReadFile(path.Join(root, "proc/self/cgroup"))
	if err != nil {
		return 0
	}
	limit := int64(math.MaxInt64)
	for line := range strings.Lines(string(text)) {
		// "0::/a/b" in version 2, "4:memory:/a/b" among others in version 1.
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) != 3 {
			continue
		}
		mount, file := "", ""
		switch {
		case parts[0] == "0" && parts[1] == "":
			mount, file = "sys/fs/cgroup", "memory.max"
		case strings.Contains(","+parts[1]+",", ",memory,"):
			mount, file = "sys/fs/cgroup/memory", "memory.limit_in_bytes"
		default:
			continue
		}
		for group := path.Clean("/" + parts[2]); ; group = path.Dir(group) {
			limit = min(limit, readLimit(path.Join(root, mount, group, file)))
			if group == "/" {
				break
			}
		}
	}
	// Version 1 writes "unlimited" as a number close to the largest.
	if limit > math.MaxInt64/2 {
		return 0
	}
	return limit
}

func readLimit(file string) int64 {
	text, err := os.ReadFile(file)
	if err != nil {
		return math.MaxInt64
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	if err != nil || n <= 0 { // "max"
		return math.MaxInt64
	}
	return n
}
