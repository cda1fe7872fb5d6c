package loop

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The wrappers below use RawSyscall: the descriptors are non-blocking, so the calls return at once
// and the scheduler need not be told, which saves about 40 ns a call. They return a raw Errno (0 is
// success), because boxing an Errno in an error interface is a comparison away from an allocation.

// Read reads into p once. n is 0 with errno 0 at end of stream.
func Read(fd int, p []byte) (n int, errno syscall.Errno) {
	// recvfrom rather than read: it skips the file layer in front of the socket. The loop's eventfd
	// and timerfd are no sockets, see drainCounter.
	r, _, e := syscall.RawSyscall6(syscall.SYS_RECVFROM, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)), 0, 0, 0)
	if e != 0 {
		return 0, e
	}
	return int(r), 0
}

// drainCounter empties an eventfd or a timerfd.
func drainCounter(fd int) {
	var b [8]byte
	syscall.RawSyscall(syscall.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(&b)), 8)
}

// Write sends p once, without raising SIGPIPE. More keeps the last packet back until the next write, or the FIN of a close or a
// shutdown, which goes with it; the kernel waits 200 ms at most (tcp(7), TCP_CORK).
func Write(fd int, p []byte, more bool) (n int, errno syscall.Errno) {
	r, _, e := syscall.RawSyscall6(syscall.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)), sendFlags(more), 0, 0)
	if e != 0 {
		return 0, e
	}
	return int(r), 0
}

// Unacknowledged returns how many sent bytes the peer's kernel has not acknowledged (SIOCOUTQ, tcp(7)); 0
// where that is unknown.
func Unacknowledged(fd int) int {
	n, err := unix.IoctlGetInt(fd, unix.TIOCOUTQ)
	if err != nil {
		return 0
	}
	return n
}

func sendFlags(more bool) uintptr {
	if more {
		return syscall.MSG_NOSIGNAL | unix.MSG_MORE
	}
	return syscall.MSG_NOSIGNAL
}

// Writev sends a and then b in one call, as Write sends one.
func Writev(fd int, a, b []byte, more bool) (n int, errno syscall.Errno) {
	var iov [2]syscall.Iovec
	iov[0] = syscall.Iovec{Base: unsafe.SliceData(a), Len: uint64(len(a))}
	iov[1] = syscall.Iovec{Base: unsafe.SliceData(b), Len: uint64(len(b))}
	var msg syscall.Msghdr
	msg.Iov = &iov[0]
	msg.Iovlen = 2
	r, _, e := syscall.RawSyscall(syscall.SYS_SENDMSG, uintptr(fd), uintptr(unsafe.Pointer(&msg)), sendFlags(more))
	if e != 0 {
		return 0, e
	}
	return int(r), 0
}

const (
	spliceMove     = 1
	spliceNonblock = 2
	spliceMore     = 4
)

// Splice moves up to n bytes from one descriptor to another without copying them through this
// process; one of the two must be a pipe. More hints that further bytes follow.
func Splice(from, to, n int, more bool) (moved int, errno syscall.Errno) {
	flags := uintptr(spliceMove | spliceNonblock)
	if more {
		flags |= spliceMore
	}
	r, _, e := syscall.RawSyscall6(syscall.SYS_SPLICE, uintptr(from), 0, uintptr(to), 0, uintptr(n), flags)
	if e != 0 {
		return 0, e
	}
	return int(r), 0
}

// CloseFD closes fd. Closing also removes it from the epoll set, so no epoll_ctl is needed.
func CloseFD(fd int) {
	syscall.RawSyscall(syscall.SYS_CLOSE, uintptr(fd), 0, 0)
}

func epollWait(epfd int, events []syscall.EpollEvent) (n int, errno syscall.Errno) {
	r, _, e := syscall.RawSyscall6(syscall.SYS_EPOLL_PWAIT, uintptr(epfd), uintptr(unsafe.Pointer(unsafe.SliceData(events))), uintptr(len(events)), 0, 0, 0)
	if e != 0 {
		return 0, e
	}
	return int(r), 0
}

// epollHold is epollWait that blocks for up to ms milliseconds, and keeps the scheduler's processor meanwhile: see hold. A
// signal of the runtime, which wants to stop the world or to run another goroutine, ends it with EINTR.
func epollHold(epfd int, events []syscall.EpollEvent, ms int) (n int, errno syscall.Errno) {
	r, _, e := syscall.RawSyscall6(syscall.SYS_EPOLL_PWAIT, uintptr(epfd), uintptr(unsafe.Pointer(unsafe.SliceData(events))), uintptr(len(events)), uintptr(ms), 0, 0)
	if e != 0 {
		return 0, e
	}
	return int(r), 0
}

// epollWaitFor is epollWait that blocks for up to ms milliseconds, and tells the scheduler.
func epollWaitFor(epfd int, events []syscall.EpollEvent, ms int) (n int, errno syscall.Errno) {
	r, _, e := syscall.Syscall6(syscall.SYS_EPOLL_PWAIT, uintptr(epfd), uintptr(unsafe.Pointer(unsafe.SliceData(events))), uintptr(len(events)), uintptr(ms), 0, 0)
	if e != 0 {
		return 0, e
	}
	return int(r), 0
}

func epollCtl(epfd, op, fd int, ev *syscall.EpollEvent) syscall.Errno {
	_, _, e := syscall.RawSyscall6(syscall.SYS_EPOLL_CTL, uintptr(epfd), uintptr(op), uintptr(fd), uintptr(unsafe.Pointer(ev)), 0, 0)
	return e
}
