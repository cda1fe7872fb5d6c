package wire

import (
	"syscall"
	"testing"
	"unsafe"

	"github.com/sluice-gateway/sluice/server/internal/loop"
)

// wait blocks until the socket is ready for ev, as poll(2) says.
func wait(t testing.TB, s *Sock, ev loop.Events) {
	t.Helper()
	p := struct {
		fd              int32
		events, revents int16
	}{fd: int32(s.Src.FD()), events: int16(ev)}
	limit := syscall.Timespec{Sec: 10}
	for {
		n, _, errno := syscall.Syscall6(syscall.SYS_PPOLL, uintptr(unsafe.Pointer(&p)), 1, uintptr(unsafe.Pointer(&limit)), 0, 0, 0)
		switch {
		case errno == syscall.EINTR:
		case errno != 0:
			t.Fatal(errno)
		case n == 0:
			t.Fatalf("the socket is not ready for %#x", uint32(ev))
		default:
			return
		}
	}
}
