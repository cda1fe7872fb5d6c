package server

import (
	"math/rand/v2"

	"github.com/sluice-gateway/sluice/routing"
	"github.com/sluice-gateway/sluice/server/internal/down"
	"github.com/sluice-gateway/sluice/server/internal/exchange"
	"github.com/sluice-gateway/sluice/server/internal/loop"
	"github.com/sluice-gateway/sluice/server/internal/stats"
	"github.com/sluice-gateway/sluice/server/internal/up"
	"github.com/sluice-gateway/sluice/upstream"
)

// worker is the data plane of one event loop: its part of each of the packages exchange, down and up. It belongs to that
// loop. Made by newWorker; must not be copied.
type worker struct {
	exchange.Loop
	down *down.Loop
	up   *up.Loop
}

// newWorker makes the data plane of l, one of the loops of s. down.Peers is set before l runs.
func newWorker(s *Server, l *loop.Loop, set *settings) *worker {
	w := &worker{}
	w.Loop.Init(l, exchange.LoopOptions{
		Handshakes: s.handshakes, Store: s.store, Parking: s.parking, FaultLog: s.log, AccessLog: s.logs.sink(), Settings: &set.core,
	})
	w.up = up.NewLoop(&w.Loop, &set.up, &s.gates, rand.Uint64())
	w.down = down.NewLoop(&w.Loop, s.sources, s.reserve, &set.down)
	w.Shard = s.registry.NewShard(l.Post, w.sample)
	w.StartJanitor(w.look)
	return w
}

// reload applies set. It runs on the loop.
func (w *worker) reload(set *settings) {
	before := w.Settings
	w.Settings = &set.core
	w.up.Reload(&set.up)
	w.down.Reload(&set.down, before)
}

// look is called by the janitor: it hands log lines over, and closes idle connections to Endpoints. It returns when it is to
// be called next; 0: when the janitor is woken.
func (w *worker) look(now int64) (next int64) {
	w.Log.Flush()
	return w.up.Expire(now)
}

// sample fills the gauges at scrape time.
func (w *worker) sample(c *stats.Counters) {
	c.LoopBatches, c.LoopEvents = w.Batches()
	c.Timers = uint64(w.Timers())
	c.Buffered = uint64(max(w.Buffers.Lent(), 0))
	var idle, active, ejections uint64
	c.RetriesDenied, c.Breaks, c.Broken = 0, 0, 0
	w.Upstreams.Stats(func(_ routing.BackendKey, s upstream.Stats) {
		idle += uint64(s.Idle)
		active += uint64(s.Conns - s.Idle)
		ejections += s.Ejections
		c.RetriesDenied += s.Denied
		c.Breaks += s.Breaks
		if s.Broken {
			c.Broken++
		}
	})
	c.UpstreamIdle, c.UpstreamActive, c.UpstreamEjections = idle, active, ejections
}

// cut closes every connection of the loop, and hands its log lines over. It runs on the loop.
func (w *worker) cut() {
	w.down.Cut()
	w.up.Cut()
	w.Log.Flush()
}
