package down

import (
	"fmt"
	"net"
	"net/netip"
	"syscall"

	"github.com/sluice-gateway/sluice/server/internal/exchange"
	"github.com/sluice-gateway/sluice/server/internal/loop"
	"github.com/sluice-gateway/sluice/server/internal/wire"
)

type addrPort = netip.AddrPort

// backlog is the accept queue's length, bounded by net.core.somaxconn.
const backlog = 65535

// acceptBatch bounds how many connections one event takes, so that a flood of them does not starve
// those that are open.
const acceptBatch = 8

// listener is one loop's socket of one configured address. Each loop has its own, by SO_REUSEPORT,
// and the kernel spreads connections over them.
type listener struct {
	exchange.Listener
	w       *Loop
	src     loop.Source
	addr    string
	proxied bool // connections begin with a PROXY protocol header
}

// Bind opens a listening socket. It is registered later, on its loop.
func Bind(addr string) (fd int, port int, err error) {
	tcp, err := net.ResolveTCPAddr("tcp", addr)
	if err != nil {
		return -1, 0, fmt.Errorf("resolve listen address %q: %w", addr, err)
	}
	var sa syscall.Sockaddr
	family := syscall.AF_INET6
	switch ip4 := tcp.IP.To4(); {
	case ip4 != nil:
		family = syscall.AF_INET
		sa = &syscall.SockaddrInet4{Port: tcp.Port, Addr: [4]byte(ip4)}
	case len(tcp.IP) == 0:
		sa = &syscall.SockaddrInet6{Port: tcp.Port}
	default:
		sa = &syscall.SockaddrInet6{Port: tcp.Port, Addr: [16]byte(tcp.IP.To16())}
	}
	fd, err = syscall.Socket(family, syscall.SOCK_STREAM|syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, syscall.IPPROTO_TCP)
	if err == syscall.EAFNOSUPPORT && len(tcp.IP) == 0 {
		// A kernel without IPv6: every address means every IPv4 address.
		sa = &syscall.SockaddrInet4{Port: tcp.Port}
		fd, err = syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, syscall.IPPROTO_TCP)
		family = syscall.AF_INET
	}
	if err != nil {
		return -1, 0, fmt.Errorf("open socket for %q: %w", addr, err)
	}
	const reusePort = 15 // SO_REUSEPORT
	wire.SetInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1)
	wire.SetInt(fd, syscall.SOL_SOCKET, reusePort, 1)
	// Accepted sockets inherit these. A client that vanished while a stream or a tunnel of its rests is known
	// to be gone after two minutes: a request that is under way has no other bound than its Endpoint's.
	wire.SetInt(fd, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1)
	wire.SetInt(fd, syscall.SOL_SOCKET, syscall.SO_KEEPALIVE, 1)
	wire.SetInt(fd, syscall.IPPROTO_TCP, syscall.TCP_KEEPIDLE, 60)
	wire.SetInt(fd, syscall.IPPROTO_TCP, syscall.TCP_KEEPINTVL, 15)
	wire.SetInt(fd, syscall.IPPROTO_TCP, syscall.TCP_KEEPCNT, 4)
	if family == syscall.AF_INET6 {
		v6only := 1
		if len(tcp.IP) == 0 {
			v6only = 0
		}
		wire.SetInt(fd, syscall.IPPROTO_IPV6, syscall.IPV6_V6ONLY, v6only)
	}
	if err := syscall.Bind(fd, sa); err != nil {
		syscall.Close(fd)
		return -1, 0, fmt.Errorf("bind %q: %w", addr, err)
	}
	if err := syscall.Listen(fd, backlog); err != nil {
		syscall.Close(fd)
		return -1, 0, fmt.Errorf("listen on %q: %w", addr, err)
	}
	port = tcp.Port
	if bound, err := syscall.Getsockname(fd); err == nil {
		switch b := bound.(type) {
		case *syscall.SockaddrInet4:
			port = b.Port
		case *syscall.SockaddrInet6:
			port = b.Port
		}
	}
	return fd, port, nil
}

// Socket is a listening socket that no loop serves yet.
type Socket struct {
	FD, Port int
	Addr     string // as configured
	Secure   bool   // TLS is spoken
	Proxied  bool   // connections begin with a PROXY protocol header
}

// Prepare makes the listener of a socket, before the loop runs; listen has it accept.
func (w *Loop) Prepare(b *Socket) *listener {
	l := &listener{
		Listener: exchange.NewListener(b.Secure, b.Port),
		w:        w, addr: b.Addr, proxied: b.Proxied,
	}
	w.templates = append(w.templates, l)
	return l
}

// Listen runs on the loop: connections of the socket of l are accepted from now on.
func (w *Loop) Listen(l *listener, fd int) error {
	if err := w.RegisterListener(&l.src, fd, l); err != nil {
		return fmt.Errorf("register listener %s: %w", l.addr, err)
	}
	w.listeners = append(w.listeners, l)
	return nil
}

// Ready implements loop.Handler: connections wait.
func (l *listener) Ready(loop.Events) { l.accept(acceptBatch) }

// accept takes up to most connections, and returns how many there were.
func (l *listener) accept(most int) (taken int) {
	w := l.w
	for taken < most && l.src.Open() {
		fd, remote, errno := wire.Accept(l.src.FD())
		switch errno {
		case 0:
		case syscall.EINTR, syscall.ECONNABORTED:
			continue
		case syscall.EMFILE, syscall.ENFILE:
			w.spareDescriptors()
			if w.makeRoom(0) {
				continue
			}
			w.reserve.shed(l.src.FD())
			w.Shard.ConnectionsRefused++
			taken++
			continue
		default:
			return taken
		}
		taken++
		src, ok := w.admit(remote, l)
		if !ok {
			w.Shard.ConnectionsRefused++
			loop.CloseFD(fd)
			continue
		}
		if to := w.Peers.lighter(w); to != nil {
			to.conns.Add(1)
			w.Shard.ConnectionsHandedOver++
			peer := to.listenerFor(l)
			to.Post(func() { to.accepted(fd, remote, peer, src) })
			continue
		}
		w.conns.Add(1)
		w.accepted(fd, remote, l, src)
	}
	return taken
}

// admit reports whether a connection from remote may be opened, for which another may have been closed, and
// counts it as its source's. A trusted peer speaks for many clients, and so does one that is to say by the
// PROXY protocol who its client is: the former has no source, and the latter's connection none before it
// has said so.
func (w *Loop) admit(remote addrPort, l *listener) (src *source, ok bool) {
	set := w.set
	mine := 0
	if !l.proxied && !w.Settings.Trusts(remote.Addr()) {
		var n int
		src, n = w.sources.enter(remote.Addr())
		s := &src.shares[w.ID()]
		if int64(n) > set.Capacity.perSource && !w.makeShare(s) {
			w.sources.leave(src)
			return nil, false
		}
		mine = s.n
	}
	open := w.Peers.Connections()
	if open < set.Capacity.connections || w.makeRoom(mine) {
		return src, true
	}
	if open < set.Capacity.connections+set.Capacity.slack() {
		// What can be closed may be on another loop.
		for _, o := range w.Peers {
			if o != w {
				o.Post(o.makeRoomLater)
			}
		}
		return src, true
	}
	if src != nil {
		w.sources.leave(src)
	}
	return nil, false
}

func (w *Loop) listenerFor(other *listener) *listener {
	for _, l := range w.templates {
		if l.addr == other.addr && l.TLS == other.TLS {
			return l
		}
	}
	return nil
}

// stopAccepting empties the accept queue, because closing a listening socket resets what waits in it,
// and then closes it.
func (l *listener) stopAccepting() {
	if !l.src.Open() {
		return
	}
	const most = 1 << 16
	l.accept(most)
	l.w.CloseSource(&l.src)
}
