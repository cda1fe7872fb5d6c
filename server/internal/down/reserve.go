package down

import (
	"sync"
	"syscall"

	"github.com/sluice-gateway/sluice/server/internal/wire"
)

// Reserve is a descriptor that is kept open for the time when no other is left: a connection is then accepted in its place,
// and closed. Made by NewReserve; safe for concurrent use.
type Reserve struct {
	mu sync.Mutex
	// Guarded by mu:
	fd int // -1: none
}

// NewReserve returns a Reserve without a descriptor, which Open takes.
func NewReserve() *Reserve { return &Reserve{fd: -1} }

// Open takes the descriptor, unless the Reserve has it already.
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

// shed accepts a connection and closes it. It would wait in the queue of listenFD otherwise, and be reported again and
// again.
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

// Close closes the descriptor.
func (r *Reserve) Close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.fd >= 0 {
		syscall.Close(r.fd)
		r.fd = -1
	}
}
