package server

import (
	"sync"
	"syscall"

	"github.com/sluice-gateway/sluice/server/internal/wire"
)

// reserve is a descriptor that is kept open, to accept and close a connection with when no other is left. Made by newReserve;
// safe for concurrent use.
type reserve struct {
	mu sync.Mutex
	// Guarded by mu:
	fd int // -1: none
}

func newReserve() *reserve { return &reserve{fd: -1} }

// open takes the descriptor, unless that was done.
func (r *reserve) open() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.fd < 0 {
		r.openLocked()
	}
}

func (r *reserve) openLocked() {
	r.fd, _ = syscall.Open("/dev/null", syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
}

// shed accepts a connection and closes it: it would wait in the queue otherwise, and its event come again and again.
func (r *reserve) shed(listenFD int) {
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

// close gives the descriptor back.
func (r *reserve) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.fd >= 0 {
		syscall.Close(r.fd)
		r.fd = -1
	}
}
