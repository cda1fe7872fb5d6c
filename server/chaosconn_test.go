package server

import (
	"errors"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// fickleConn reads and writes in pieces and with pauses, and may break off after a number of bytes.
type fickleConn struct {
	*net.TCPConn
	slow    bool
	steady  bool         // it does not break off
	reset   bool         // how it breaks off
	left    atomic.Int64 // bytes until then, both ways together; negative: it never does
	aborted atomic.Bool

	rmu, wmu   sync.Mutex
	rrng, wrng *rand.Rand
}

var errAborted = errors.New("broken off by the script")

func newFickleConn(c *net.TCPConn, rng *rand.Rand, slow bool) *fickleConn {
	f := &fickleConn{TCPConn: c, slow: slow, steady: true}
	f.left.Store(1 << 40)
	f.rrng = rand.New(rand.NewPCG(rng.Uint64(), 0))
	f.wrng = rand.New(rand.NewPCG(rng.Uint64(), 0))
	if slow && rng.IntN(2) == 0 {
		_ = c.SetReadBuffer(64 << 10)
	}
	return f
}

// spend counts n bytes, and breaks off where they are too many.
func (f *fickleConn) spend(n int) bool {
	if f.left.Add(-int64(n)) > 0 {
		return true
	}
	f.abort()
	return false
}

func (f *fickleConn) abort() {
	if f.aborted.Swap(true) {
		return
	}
	if f.reset {
		_ = f.SetLinger(0)
	}
	f.TCPConn.Close()
}

func (f *fickleConn) Read(p []byte) (int, error) {
	f.rmu.Lock()
	if f.slow && len(p) > 0 {
		p = p[:1+f.rrng.IntN(min(len(p), 8<<10))]
		if f.rrng.IntN(20) == 0 {
			time.Sleep(time.Duration(f.rrng.IntN(1000)) * time.Microsecond) // plays a slow peer
		}
	}
	f.rmu.Unlock()
	n, err := f.TCPConn.Read(p)
	if n > 0 && !f.spend(n) {
		return 0, errAborted
	}
	return n, err
}

func (f *fickleConn) Write(p []byte) (n int, err error) {
	for len(p) > 0 {
		piece := p
		if f.slow {
			f.wmu.Lock()
			most := 8 << 10
			if f.wrng.IntN(3) == 0 {
				most = 20
			}
			piece = p[:1+f.wrng.IntN(min(len(p), most))]
			if f.wrng.IntN(20) == 0 {
				time.Sleep(time.Duration(f.wrng.IntN(1000)) * time.Microsecond) // plays a slow peer
			}
			f.wmu.Unlock()
		}
		if !f.spend(len(piece)) {
			return n, errAborted
		}
		m, err := f.TCPConn.Write(piece)
		n += m
		if err != nil {
			return n, err
		}
		p = p[m:]
	}
	return n, nil
}
