package down

import (
	"sync"
	"syscall"

	"github.com/sluice-gateway/sluice/server/internal/wire"
)

// Reserve is a descriptor that is kept open, to accept and close a connection with when no other is left. Made by NewReserve;
// safe for concurrent use.
type Reserve struct {
	mu sync.Mutex
	// Guarded by mu:
	fd int // -1: none
}

func NewReserve() *Reserve { return &Reserve{fd: -1} }

// Open takes the descriptor, unless that was done.
func (r *Reserve) Open() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.fd < 0 {
		r.openLocked()
	}
}

func (r *Reserve) openLocked() {
	r.fd, _ = syscall.Open("/dev/null", syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
}

// shed accepts a connection and closes it: it would wait in the queue otherwise, and its event come again and again.
func (r *Reserve) shed(listenFD int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.fd < 0 {
		return
	}
	syscall.Close(r.fd)
	if fd, _, errno := wire.Accept(listenFD); errno == 0 {
		syscall.Close(fd)
	}
	r.openLocked()
}

// Close gives the descriptor back.
func (r *Reserve) Close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.fd >= 0 {
		syscall.Close(r.fd)
		r.fd = -1
	}
}
