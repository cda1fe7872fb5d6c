package wire

import (
	"net/netip"
	"syscall"
	"unsafe"
)

// SetInt sets a socket option whose value is an int. It reports no failure: an old kernel may not know the option.
func SetInt(fd, level, name, value int) {
	v := int32(value)
	syscall.RawSyscall6(syscall.SYS_SETSOCKOPT, uintptr(fd), uintptr(level), uintptr(name), uintptr(unsafe.Pointer(&v)), 4, 0)
}

// Accept accepts one connection of a listening socket, and makes it non-blocking.
func Accept(fd int) (conn int, remote netip.AddrPort, errno syscall.Errno) {
	var raw [28]byte
	length := uint32(len(raw))
	r, _, e := syscall.RawSyscall6(syscall.SYS_ACCEPT4, uintptr(fd), uintptr(unsafe.Pointer(&raw)), uintptr(unsafe.Pointer(&length)), syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, 0, 0)
	if e != 0 {
		return -1, netip.AddrPort{}, e
	}
	port := uint16(raw[2])<<8 | uint16(raw[3])
	if raw[0] == syscall.AF_INET {
		remote = netip.AddrPortFrom(netip.AddrFrom4([4]byte(raw[4:8])), port)
	} else {
		remote = netip.AddrPortFrom(netip.AddrFrom16([16]byte(raw[8:24])).Unmap(), port)
	}
	return int(r), remote, 0
}
