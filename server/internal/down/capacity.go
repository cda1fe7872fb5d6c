package down

import (
	"math"
	"runtime/debug"
	"syscall"

	"github.com/sluice-gateway/sluice/server/config"
)

// Capacity shares out the descriptors and the memory of the process: how many of each all loops together may use, and for
// what. Immutable.
//
// Descriptors are shared out before the process has none left, which would fail all of its parts at once, the probes of the
// kubelet included. Some are kept back; two thirds of the rest are for clients, and one third is for Endpoints and for the
// pipes of splice(2).
type Capacity struct {
	connections int64 // of clients
	perSource   int64 // connections of one Source
	Requests    int64 // in flight of one Source
	Descriptors int64 // on the Endpoints' side
	buffered    int64 // bytes that wait: see account.go
}

const (
	// keptDescriptors is for all other descriptors: metrics and admin plane, loops, logs, watches, resolvers.
	keptDescriptors = 512
	// connectionMemory is the memory of an idle connection with TLS and HTTP/2, and the garbage of its making; an idle one
	// of HTTP/1.1 takes a fraction. Bytes that wait on connections are counted apart.
	connectionMemory = 32 << 10
	// unlimited stands for no bound, so that comparisons need no special case.
	unlimited = int64(1) << 40
	// leastRequests is how many streams one HTTP/2 connection may have open by default.
	leastRequests = 128
	// leastBuffered lets the largest single Exchange through on the smallest machine.
	leastBuffered = 16 << 20
)

// newCapacity applies l, and derives the bounds that l leaves open from the process's limits of descriptors and memory, each
// of which may be unlimited.
func newCapacity(l config.Limits, descriptors, memory int64) Capacity {
	usable := descriptors
	if descriptors < unlimited {
		usable = max(descriptors-min(keptDescriptors, descriptors/4), 24)
	}
	c := Capacity{
		connections: int64(l.Connections), perSource: int64(l.ConnectionsPerSource),
		Requests: int64(l.RequestsPerSource), buffered: int64(l.BufferedBytes),
	}
	if c.connections <= 0 {
		// Connections are bounded even where neither limit is.
		c.connections = min(usable*2/3, max(memory/connectionMemory, 64), 1<<19)
	}
	c.Descriptors = unlimited
	if descriptors < unlimited {
		c.Descriptors = max(usable-c.connections-c.slack(), usable/3)
	}
	if c.perSource <= 0 {
		c.perSource = max(c.connections/2, 1)
	}
	if c.Requests <= 0 {
		c.Requests = max(c.connections/4, leastRequests)
	}
	if c.buffered <= 0 {
		c.buffered = max(memory/4, leastBuffered)
	}
	return c
}

// slack is how many connections beyond the bound may be open for a moment, until another loop has shed one for each.
func (c *Capacity) slack() int64 { return min(c.connections/16, keptDescriptors/2) }

// descriptorLimit returns the process's RLIMIT_NOFILE.
func descriptorLimit() int64 {
	var r syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &r) != nil || r.Cur >= 1<<30 {
		return unlimited
	}
	return int64(r.Cur)
}

// memoryLimit returns the limit that the garbage collector keeps the process below, bytes: the cgroup's or GOMEMLIMIT; where
// neither is set, the machine's memory.
func memoryLimit() int64 {
	if limit := debug.SetMemoryLimit(-1); limit < math.MaxInt64 {
		return limit
	}
	var info syscall.Sysinfo_t
	if syscall.Sysinfo(&info) != nil {
		return unlimited
	}
	return min(int64(info.Totalram)*int64(info.Unit), unlimited)
}
