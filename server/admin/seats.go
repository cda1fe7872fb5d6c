package admin

import (
	"net"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

// Places at one address. The kubelet, Prometheus and a person need a handful, and any host that reaches
// the node's address can ask for more: so the node's own connections have places that no other can
// take, no source has all of the rest, and a connection without a request gives way to a newcomer.
const (
	// maxConns bounds the connections of others than the node itself.
	maxConns = 64
	// maxOwn bounds the node's own connections, which are counted apart: over loopback, or from an address
	// of its own, as the kubelet's probes come.
	maxOwn = 64
	// maxPerSource bounds the connections of one IPv4 address or IPv6 /64: a Prometheus needs one or two.
	maxPerSource = 16
	// seated is how long the node's own connections keep their place at least.
	seated = 100 * time.Millisecond
)

// visitor is the origin of a connection. Comparable.
type visitor struct {
	source netip.Addr // an IPv4 address, or the first of an IPv6 /64
	own    bool       // the node itself
}

func newVisitor(remote netip.Addr, own bool) visitor {
	remote = remote.Unmap().WithZone("")
	if remote.Is6() {
		p, _ := remote.Prefix(64)
		remote = p.Addr()
	}
	return visitor{source: remote, own: own}
}

// bound returns how many connections may be open of those that share places with v, and how many of v's.
func (v visitor) bound() (all, each int) {
	if v.own {
		return maxOwn, maxOwn
	}
	return maxConns, maxPerSource
}

// giveWay returns the connection to close for a newcomer of v, nil where none needs to be; ok is false where
// none can be, and the newcomer is refused. conns are the open connections.
func giveWay(conns map[*guardedConn]struct{}, v visitor) (victim *guardedConn, ok bool) {
	all, each := 0, map[netip.Addr]int{}
	for c := range conns {
		if c.visitor.own == v.own {
			all++
			each[c.visitor.source]++
		}
	}
	most, share := v.bound()
	switch {
	case each[v.source] >= share:
		return longest(conns, func(c *guardedConn) bool { return c.visitor == v })
	case all < most:
		return nil, true
	}
	// All together are too many. One source that has most of the places gives way itself, if there is one. Else a
	// connection that has not asked yet gives way first, of the source with most of those: a probe, which sends its
	// request while it connects, is not the longest of them, but a busy machine may let it become that before its request
	// is read. Then one that is being answered, of the source with most, unless the newcomer's has as many.
	for source, has := range each {
		if has > most/2 {
			return longest(conns, func(c *guardedConn) bool { return c.visitor.own == v.own && c.visitor.source == source })
		}
	}
	if victim := unasked(conns, v.own); victim != nil {
		return victim, true
	}
	greediest, n := v.source, each[v.source]+1
	for source, has := range each {
		if has > n || has == n && source.Less(greediest) && greediest != v.source {
			greediest, n = source, has
		}
	}
	if greediest == v.source && !v.own {
		return nil, false
	}
	return longest(conns, func(c *guardedConn) bool { return c.visitor.own == v.own && c.visitor.source == greediest })
}

// unasked returns the connection that gives way among those of own that have not asked, nil where all have.
func unasked(conns map[*guardedConn]struct{}, own bool) (victim *guardedConn) {
	waiting, most := map[netip.Addr]int{}, 0
	for c := range conns {
		if c.visitor.own == own && !c.asked {
			waiting[c.visitor.source]++
			most = max(most, waiting[c.visitor.source])
		}
	}
	victim, _ = longest(conns, func(c *guardedConn) bool {
		return c.visitor.own == own && !c.asked && waiting[c.visitor.source] == most
	})
	return victim
}

// longest returns the oldest connection of a selection: of those that have not asked, where there are any.
func longest(conns map[*guardedConn]struct{}, of func(*guardedConn) bool) (victim *guardedConn, ok bool) {
	for c := range conns {
		if of(c) && (victim == nil || c.before(victim)) {
			victim = c
		}
	}
	return victim, victim != nil
}

// before reports that c gives way before d: one that has not asked before one that has, and then the older.
// A connection whose request has arrived and waits for its goroutine to read it, on a busy machine, has not
// asked yet and must not suffer for it.
func (c *guardedConn) before(d *guardedConn) bool {
	if rc, rd := c.rank(), d.rank(); rc != rd {
		return rc < rd
	}
	return c.opened.Before(d.opened)
}

func (c *guardedConn) rank() int {
	switch {
	case c.asked:
		return 2
	case c.received():
		return 1
	}
	return 0
}

// received reports that bytes wait at the socket.
func (c *guardedConn) received() (some bool) {
	tcp, ok := c.Conn.(*net.TCPConn)
	if !ok {
		return false
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return false
	}
	err = raw.Control(func(fd uintptr) {
		var b [1]byte
		n, _, err := unix.Recvfrom(int(fd), b[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
		some = err == nil && n > 0
	})
	return some && err == nil
}

// ownAddresses remembers the node's addresses for a while: they change, and asking the kernel costs more
// than a connection. Guarded by guard.mu.
type ownAddresses struct {
	list func() []netip.Addr // from the kernel
	have map[netip.Addr]bool
	read time.Time
}

// ownFor is how long an address list is used.
const ownFor = 10 * time.Second

// has reports whether a is the node's own. local is where the connection arrived, which is one of them.
func (o *ownAddresses) has(a, local netip.Addr, now time.Time) bool {
	a, local = a.Unmap(), local.Unmap()
	if a.IsLoopback() || a == local {
		return true
	}
	if o.have == nil || now.Sub(o.read) > ownFor {
		o.have, o.read = map[netip.Addr]bool{}, now
		for _, own := range o.list() {
			o.have[own.Unmap().WithZone("")] = true
		}
	}
	return o.have[a.WithZone("")]
}
