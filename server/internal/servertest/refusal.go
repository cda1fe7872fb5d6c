package servertest

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// boundSocket binds a socket for the length of the test, so that nobody else gets its address.
func boundSocket(t testing.TB) (fd int, addr string) {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Close(fd) })
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	sa, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	return fd, "127.0.0.1:" + strconv.Itoa(sa.(*syscall.SockaddrInet4).Port)
}

// Refusing returns an address that refuses connections: it is bound, and nobody listens.
func Refusing(t testing.TB) string {
	_, addr := boundSocket(t)
	return addr
}

// FullListener returns an address that listens and takes no further connection: SYNs to it are dropped. Its
// queue is full when several connections in a row do not come about; one alone may be late for another
// reason.
func FullListener(t testing.TB) string {
	fd, addr := boundSocket(t)
	if err := syscall.Listen(fd, 0); err != nil {
		t.Fatal(err)
	}
	for late := 0; late < 3; {
		c, err := net.DialTimeout("tcp", addr, 100*time.Millisecond)
		if err != nil {
			late++
			continue
		}
		late = 0
		t.Cleanup(func() { c.Close() })
	}
	return addr
}

// FreeAddr returns an address for another program to listen on. Its port is below those that the kernel gives
// out by itself, so that no connection of this machine's takes it meanwhile.
func FreeAddr(t testing.TB) string {
	for range 100 {
		addr := fmt.Sprintf("127.0.0.1:%d", 12000+rand.IntN(18000))
		if ln, err := net.Listen("tcp", addr); err == nil {
			ln.Close()
			return addr
		}
	}
	t.Fatal("no port is free")
	return ""
}
