package server

import (
	"math/rand/v2"

	"github.com/sluice-gateway/sluice/routing"
	"github.com/sluice-gateway/sluice/server/internal/loop"
	"github.com/sluice-gateway/sluice/server/internal/stats"
	"github.com/sluice-gateway/sluice/upstream"
)

// worker is the data plane of one event loop: what its Exchanges share, and each of their sides. All of it belongs to that
// loop. Made by newWorker; must not be copied.
type worker struct {
	coreLoop
	down *downLoop
	up   *upLoop
}

// newWorker makes the data plane of l, one of the loops of s. Its peers are to be set before it runs.
func newWorker(s *Server, l *loop.Loop, set *allSettings) *worker {
	w := &worker{}
	w.coreLoop.init(l, coreOptions{
		handshakes: s.handshakes, store: s.store, parking: s.parking, log: s.log, lines: s.logs.sink(), settings: &set.core,
	})
	w.up = newUpLoop(&w.coreLoop, &set.up, rand.Uint64())
	w.down = newDownLoop(&w.coreLoop, s.sources, s.reserve, &set.down)
	w.shard = s.registry.NewShard(l.Post, w.sample)
	w.startJanitor(w.look)
	return w
}

// reload has everything from here on go by set.
func (w *worker) reload(set *allSettings) {
	before := w.settings
	w.settings = &set.core
	w.up.reload(&set.up)
	w.down.reload(&set.down, before)
}

// look is what the janitor does: it hands over log lines, and closes idle connections to Endpoints.
func (w *worker) look(now int64) (next int64) {
	w.log.flush()
	return w.up.expire(now)
}

// sample fills the gauges at scrape time.
func (w *worker) sample(c *stats.Counters) {
	c.LoopBatches, c.LoopEvents = w.Batches()
	c.Timers = uint64(w.Timers())
	c.Buffered = uint64(max(w.Buffers.Lent(), 0))
	var idle, active, ejections uint64
	w.upstreams.Stats(func(_ routing.BackendKey, s upstream.Stats) {
		idle += uint64(s.Idle)
		active += uint64(s.Conns - s.Idle)
		ejections += s.Ejections
	})
	c.UpstreamIdle, c.UpstreamActive, c.UpstreamEjections = idle, active, ejections
}

// cut runs on the loop: it ends everything.
func (w *worker) cut() {
	w.down.cut()
	w.up.cut()
	w.log.flush()
}
