package wire

import (
	"net/netip"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// SetInt sets a socket option whose value is an int. It reports no failure: an old kernel may not know the option.
func SetInt(fd, level, name, value int) {
	v := int32(value)
	syscall.RawSyscall6(syscall.SYS_SETSOCKOPT, uintptr(fd), uintptr(level), uintptr(name), uintptr(unsafe.Pointer(&v)), 4, 0)
}

// RefuseConnections has the kernel drop the SYN of every connection to a listening socket that has not begun: those that have
// can still be accepted, and no other is added to them. Connections that are accepted inherit the filter, which means nothing
// to them. It reports no failure: without the filter, what comes between the last accept and the close is reset.
func RefuseConnections(fd int) {
	const flags, syn, ack = 13, 0x02, 0x10 // RFC 9293 section 3.1; the kernel filters from the TCP header on
	filter := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_B | unix.BPF_ABS, K: flags},
		{Code: unix.BPF_ALU | unix.BPF_AND | unix.BPF_K, K: syn | ack},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: syn, Jt: 0, Jf: 1},
		{Code: unix.BPF_RET | unix.BPF_K, K: 0},
		{Code: unix.BPF_RET | unix.BPF_K, K: 1<<32 - 1},
	}
	unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]})
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
