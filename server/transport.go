package server

import (
	"context"
	"sync"

	"github.com/cloudwego/hertz/pkg/network"
)

// transporter is the data plane as the network library of a Hertz engine: the engine's Run serves the loops, and its
// Shutdown drains them. Hertz's own HTTP/1.1 codec sees no byte of a client; Hertz's handlers run as Filters, see
// HertzFilter.
type transporter struct{ s *Server }

var _ network.Transporter = transporter{}

// ListenAndServe runs every loop on its netpoll poller, until all have ended.
func (t transporter) ListenAndServe(network.OnData) error {
	var wg sync.WaitGroup
	errs := make(chan error, len(t.s.workers))
	for _, w := range t.s.workers {
		wg.Go(func() {
			if err := w.Serve(); err != nil {
				errs <- err
			}
		})
	}
	wg.Wait()
	close(t.s.ended)
	select {
	case err := <-errs:
		return err
	default:
		return nil
	}
}

// Shutdown drains until ctx ends.
func (t transporter) Shutdown(ctx context.Context) error { return t.s.drain(ctx) }

// Close ends every loop at once.
func (t transporter) Close() error {
	t.s.stop()
	return nil
}
