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

// backlog is the length of the accept queue; net.core.somaxconn bounds it further.
const backlog = 65535

// acceptBatch bounds how many connections are accepted for one event, so that a flood of new ones does not starve the open
// ones.
const acceptBatch = 8

// Listener is one loop's socket of one configured address. Each loop has a socket of its own, by SO_REUSEPORT, and the
// kernel spreads connections over them. Made by Loop.NewListener; owned by the loop.
type Listener struct {
	exchange.Listener
	w       *Loop
	src     loop.Source
	fd      int // registered by Open
	addr    string
	proxied bool // connections begin with a PROXY protocol header
}

// Bind opens a listening socket of addr, in the form "host:port", and returns its descriptor and its port, which the kernel
// chooses where addr has port 0. Connections queue from then on; a Listener accepts them.
func Bind(addr string) (fd int, port int, err error) {
	tcp, err := net.ResolveTCPAddr("tcp", addr)
	if err != nil {
		return -1, 0, fmt.Errorf("resolve listen address %q: %w", addr, err)
	}
	fd, sa, err := openSocket(tcp)
	if err != nil {
		return -1, 0, fmt.Errorf("open socket for %q: %w", addr, err)
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

// openSocket opens a socket for connections to tcp, with its options set, and returns the address to bind it to. No IP means
// every address, of both families where the kernel has IPv6.
func openSocket(tcp *net.TCPAddr) (fd int, sa syscall.Sockaddr, err error) {
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
	const kind = syscall.SOCK_STREAM | syscall.SOCK_NONBLOCK | syscall.SOCK_CLOEXEC
	fd, err = syscall.Socket(family, kind, syscall.IPPROTO_TCP)
	if err == syscall.EAFNOSUPPORT && len(tcp.IP) == 0 {
		family, sa = syscall.AF_INET, &syscall.SockaddrInet4{Port: tcp.Port}
		fd, err = syscall.Socket(family, kind, syscall.IPPROTO_TCP)
	}
	if err != nil {
		return -1, nil, err
	}
	setListenOptions(fd)
	if family == syscall.AF_INET6 {
		v6only := 1
		if len(tcp.IP) == 0 {
			v6only = 0
		}
		wire.SetInt(fd, syscall.IPPROTO_IPV6, syscall.IPV6_V6ONLY, v6only)
	}
	return fd, sa, nil
}

// setListenOptions sets the options of a listening socket; accepted sockets inherit the second half. Keepalives find a
// client that vanished after two minutes while its stream or tunnel rests: a request under way has no other bound than its
// Endpoint's.
func setListenOptions(fd int) {
	const reusePort = 15 // SO_REUSEPORT
	wire.SetInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1)
	wire.SetInt(fd, syscall.SOL_SOCKET, reusePort, 1)

	wire.SetInt(fd, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1)
	wire.SetInt(fd, syscall.SOL_SOCKET, syscall.SO_KEEPALIVE, 1)
	wire.SetInt(fd, syscall.IPPROTO_TCP, syscall.TCP_KEEPIDLE, 60)
	wire.SetInt(fd, syscall.IPPROTO_TCP, syscall.TCP_KEEPINTVL, 15)
	wire.SetInt(fd, syscall.IPPROTO_TCP, syscall.TCP_KEEPCNT, 4)
}

// Socket describes a listening socket that Bind has opened, for Loop.NewListener.
type Socket struct {
	FD, Port int
	Addr     string // as configured
	Secure   bool   // TLS is spoken
	Proxied  bool   // connections begin with a PROXY protocol header
}

// NewListener makes the Listener of a socket. It is called before the loop runs; Open has connections accepted.
func (w *Loop) NewListener(s *Socket) *Listener {
	if !s.Secure && !s.Proxied {
		// Accepted sockets inherit it: the first request is acknowledged by its response, not by a packet of its own, unless it
		// arrives in pieces (Sock.AckAtOnce). A new connection for each request: 4 % less CPU.
		wire.SetInt(s.FD, syscall.IPPROTO_TCP, syscall.TCP_QUICKACK, 0)
	}
	l := &Listener{
		Listener: exchange.NewListener(s.Secure, s.Port),
		w:        w, fd: s.FD, addr: s.Addr, proxied: s.Proxied,
	}
	w.templates = append(w.templates, l)
	return l
}

// Open runs on the loop: connections to the socket are accepted from now on.
func (l *Listener) Open() error {
	if err := l.w.RegisterListener(&l.src, l.fd, l); err != nil {
		return fmt.Errorf("register listener %s: %w", l.addr, err)
	}
	l.w.listeners = append(l.w.listeners, l)
	return nil
}

// Ready implements loop.Handler: connections wait.
func (l *Listener) Ready(loop.Events) { l.accept(acceptBatch) }

// accept accepts up to most connections, and returns their number.
func (l *Listener) accept(most int) (taken int) {
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
		if to := w.Peers.lightest(w); to != nil {
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

// admit reports whether a connection from remote may be opened, after shedding another for it where that is needed, and
// counts it for its Source. A trusted peer carries many clients and has no Source; a connection that begins with a PROXY
// protocol header gets its Source when the header has named the client.
func (w *Loop) admit(remote addrPort, l *Listener) (src *source, ok bool) {
	set := w.set
	mine := 0
	if !l.proxied && !w.Settings.Trusts(remote.Addr()) {
		var n int
		src, n = w.sources.enter(remote.Addr())
		s := &src.shares[w.ID()]
		if int64(n) > set.Capacity.perSource && !w.makeRoomInSource(s) {
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
		// Another loop may have a connection to shed.
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

// listenerFor returns this loop's Listener of the same address.
func (w *Loop) listenerFor(other *Listener) *Listener {
	for _, l := range w.templates {
		if l.addr == other.addr && l.TLS == other.TLS {
			return l
		}
	}
	return nil
}

// stopAccepting accepts every connection in the queue, which closing a listening socket would reset, and then closes the
// socket. Behind RefuseConnections none can come between the two.
func (l *Listener) stopAccepting() {
	if !l.src.Open() {
		return
	}
	const most = 1 << 16
	l.accept(most)
	l.w.CloseSource(&l.src)
}
