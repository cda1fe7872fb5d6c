package wire

import (
	"net/netip"
	"syscall"
	"unsafe"

	"github.com/sluice-gateway/sluice/server/internal/loop"
)

// Addr is an address to connect to, in the form that connect(2) takes: made once by NewAddr, used for every connection.
// Immutable.
type Addr struct {
	raw    [28]byte
	length uintptr
	family int
}

// NewAddr returns a as an Addr.
func NewAddr(a netip.AddrPort) (s Addr) {
	port := a.Port()
	s.raw[2], s.raw[3] = byte(port>>8), byte(port)
	if ip := a.Addr().Unmap(); ip.Is4() {
		s.family, s.length = syscall.AF_INET, syscall.SizeofSockaddrInet4
		b := ip.As4()
		copy(s.raw[4:], b[:])
	} else {
		s.family, s.length = syscall.AF_INET6, syscall.SizeofSockaddrInet6
		b := ip.As16()
		copy(s.raw[8:], b[:])
	}
	// sa_family is in the machine's byte order; the machines that this runs on are little-endian.
	s.raw[0], s.raw[1] = byte(s.family), 0
	return s
}

// connect opens a socket and begins to connect it. fd is negative when the kernel refuses at once.
func (s *Addr) connect() (fd int, connected bool) {
	fd, errno := s.socket()
	if errno != 0 {
		return -1, false
	}
	errno = s.startConnect(fd)
	if errno != 0 && errno != syscall.EINPROGRESS {
		loop.CloseFD(fd)
		return -1, false
	}
	return fd, errno == 0
}

// socket opens a non-blocking TCP socket with Nagle's algorithm off: the gateway's writes are as large as they can be.
func (s *Addr) socket() (fd int, errno syscall.Errno) {
	r, _, e := syscall.RawSyscall(syscall.SYS_SOCKET, uintptr(s.family), syscall.SOCK_STREAM|syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, syscall.IPPROTO_TCP)
	if e != 0 {
		return -1, e
	}
	SetInt(int(r), syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1)
	return int(r), 0
}

// startConnect calls connect(2), which goes on behind the call: EINPROGRESS.
func (s *Addr) startConnect(fd int) syscall.Errno {
	for {
		_, _, e := syscall.RawSyscall(syscall.SYS_CONNECT, uintptr(fd), uintptr(unsafe.Pointer(&s.raw)), s.length)
		if e != syscall.EINTR {
			return e
		}
	}
}
