package down

import (
	"math"
	"runtime/debug"
	"syscall"

	"github.com/sluice-gateway/sluice/server/config"
)

// Capacity is how much of the process's descriptors and memory each thing may take, the whole process
// together. Immutable.
//
// Descriptors are shared out before there are none left, because that would fail at once for
// everybody, the probes of the kubelet included: some are kept back, two thirds of the rest are for clients
// and one third is for Endpoints and for the pipes of splice(2).
type Capacity struct {
	connections int64 // of clients
	perSource   int64 // of one source, see source
	Requests    int64 // in flight of one source
	Descriptors int64 // on the Endpoints' side
	buffered    int64 // bytes that wait, see account
}

const (
	// keptDescriptors is for what is neither: metrics and admin plane, loops, logs, watches, resolvers.
	keptDescriptors = 512
	// connectionMemory is what an idle connection with TLS and HTTP/2 takes, with the garbage that making it
	// left; idle HTTP/1.1 takes a fraction. What waits on connections is counted by itself.
	connectionMemory = 32 << 10
	// unlimited stands for no bound, so that comparisons need no special case.
	unlimited = int64(1) << 40
	// leastRequests is what one HTTP/2 connection may have under way by default.
	leastRequests = 128
	// leastBuffered lets the largest single exchange through on the smallest machine.
	leastBuffered = 16 << 20
)

// newCapacity derives what l leaves open from the process's limits of descriptors and memory; unlimited
// says that there is none.
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
		// What no limit bounds is still bounded.
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

// slack is how many connections beyond the bound may be open for a moment, until another loop has closed one
// in exchange.
func (c *Capacity) slack() int64 { return min(c.connections/16, keptDescriptors/2) }

// descriptorLimit returns what RLIMIT_NOFILE allows.
func descriptorLimit() int64 {
	var r syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &r) != nil || r.Cur >= 1<<30 {
		return unlimited
	}
	return int64(r.Cur)
}

// memoryLimit returns what the garbage collector is to keep the process below: the cgroup's limit or
// GOMEMLIMIT; where there is neither, the machine's memory.
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
