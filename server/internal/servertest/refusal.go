package servertest

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"sync"
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
// out by itself, so that no connection of this machine's takes it meanwhile, and none that another test takes before that
// program listens: those of one process are told apart by given, those of processes by parts of the range. Many programs set
// SO_REUSEPORT, and share a port with each other without a word.
func FreeAddr(t testing.TB) string {
	given.Lock()
	defer given.Unlock()
	const first, parts, part = 12000, 36, 500
	from := first + os.Getpid()%parts*part
	for range 1000 {
		port := from + rand.IntN(part)
		addr := fmt.Sprintf("127.0.0.1:%d", port)
		if ln, err := net.Listen("tcp", addr); err == nil && !given.ports[port] {
			ln.Close()
			given.ports[port] = true
			return addr
		} else if err == nil {
			ln.Close()
		}
	}
	t.Fatal("no port is free")
	return ""
}

// given are the ports that FreeAddr has returned.
var given = struct {
	sync.Mutex
	ports map[int]bool
}{ports: map[int]bool{}}
