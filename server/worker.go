package server

import (
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"time"

	"github.com/sluice-gateway/sluice/routing"
	"github.com/sluice-gateway/sluice/server/internal/h1"
	"github.com/sluice-gateway/sluice/server/internal/h2"
	"github.com/sluice-gateway/sluice/server/internal/loop"
	"github.com/sluice-gateway/sluice/server/internal/message"
	"github.com/sluice-gateway/sluice/server/internal/stats"
	"github.com/sluice-gateway/sluice/server/internal/wire"
	"github.com/sluice-gateway/sluice/upstream"
)

// chunkRoom is for the framing of one chunk and the end of the body.
const chunkRoom = 64

// worker is the data plane of one loop. All of it belongs to that loop, but for conns, which other
// loops read to balance new connections.
type worker struct {
	wire.Loop

	// Immutable once the loop runs:
	id        int // of the loop, from 0
	shard     *stats.Shard
	upstreams *upstream.Set
	templates []*listener // of every address, for connections that other loops hand over

	// The same, and shared by all loops:
	peers   peers // all loops, this one among them
	store   *routing.Store
	sources *sources
	reserve *reserve
	parking chan struct{}
	faults  *faults

	// Owned by the loop:
	set       *settings // replaced as a whole by a reload
	listeners []*listener
	downs     downConn // head of the list of all connections
	freeX     wire.FreeList[Exchange]
	freeC     wire.FreeList[downConn]
	freeU     wire.FreeList[upConn]
	freeD     wire.FreeList[downStream]
	freeS     wire.FreeList[upStream]
	freeH     wire.FreeList[keptHead]
	freeA     wire.FreeList[altered]
	freeT     wire.FreeList[transforms]
	h2, h2up  *h2.Shared // of clients' Sessions, and of Endpoints'
	sessions  []*upSession
	dead      []*downConn // closed in this batch, to be reused in the next
	random    *rand.ChaCha8
	draining  bool
	janitor   wire.Janitor
	relieving bool // see relieve
	crowd     crowd
	sparing   bool // see spareDescriptors
	short     bool // an attempt to connect found no descriptor
	event     stats.Event
	log       *logbook // nil when off

	// Scratch, valid for one call:
	req         h1.Request
	resp        h1.Response
	out         []byte
	refusal     []byte
	frames      []byte // what a client's HTTP/2 connection read
	upFrames    []byte // what an Endpoint's did
	chunk       []byte
	hostScratch [256]byte
	one         [1]byte
	pathScratch []byte
	dateLine    []byte
	dateUntil   int64
	response    Response // on its way past the Filters; zero outside of that
	own, next   reply

	// Atomic, read by other loops:
	conns atomic.Int64
}

// newWorker makes the data plane of l, the loop of s with that number. Its peers are to be set before it runs.
func newWorker(s *Server, l *loop.Loop, id int, set *settings) *worker {
	w := &worker{
		id:          id,
		store:       s.store,
		log:         newLogbook(s.logs.sink()),
		sources:     s.sources,
		reserve:     s.reserve,
		parking:     s.parking,
		faults:      &faults{s.log},
		set:         set,
		out:         make([]byte, 0, wire.ScratchSize),
		frames:      make([]byte, wire.ScratchSize),
		upFrames:    make([]byte, wire.ScratchSize),
		chunk:       make([]byte, 0, wire.ScratchSize+chunkRoom),
		pathScratch: make([]byte, 0, h1.DefaultMaxTarget),
	}
	var seed [32]byte
	for i := range seed {
		seed[i] = byte(rand.Uint32())
	}
	w.random = rand.NewChaCha8(seed)
	w.downs.next, w.downs.prev = &w.downs, &w.downs
	w.Loop.Init(l, s.handshakes)
	w.Buffers.OnGrowth = w.grown
	o := set.upstream
	o.Seed = rand.Uint64()
	o.Live = s.store.Load
	w.upstreams = upstream.NewSet(o)
	w.upstreams.Discard = func(c *upstream.Conn) {
		u := c.Owner.(*upConn)
		u.Close()
		w.freeUp(u)
	}
	w.h2, w.h2up = h2.NewShared(set.h2), h2.NewShared(set.h2up)
	w.shard = s.registry.NewShard(l.Post, w.sample)
	w.janitor.Start(&w.Loop, w.look)
	return w
}

// reload has everything from here on go by set: new connections, and new requests on those that are open.
func (w *worker) reload(set *settings) {
	old := w.set
	w.set = set
	w.h2.SetLimits(set.h2)
	w.h2up.SetLimits(set.h2up)
	if !slices.Equal(old.trusted, set.trusted) {
		// A proxy keeps its connections for days, and its fields are believed or not by what is said now. What
		// its connections count for was settled as they were accepted.
		for c := w.downs.next; c != &w.downs; c = c.next {
			c.trusted = set.trusts(c.remote.Addr())
		}
	}
	if set.capacity.requests < old.capacity.requests {
		w.crowd.giveBack() // what was permitted under the old bound
	}
	if set.capacity.buffered < old.capacity.buffered {
		w.relieve()
	}
}

// janitorWork is how many idle connections to Endpoints the janitor looks at in one go.
const janitorWork = 256

// look is what the janitor does: it hands over log lines, and closes idle connections to Endpoints.
func (w *worker) look(now int64) (next int64) {
	w.log.flush()
	next = w.upstreams.Expire(now, janitorWork)
	for i := len(w.sessions) - 1; i >= 0; i-- {
		if i < len(w.sessions) {
			w.sessions[i].check(now, w.set.upstream.IdleTimeout)
		}
	}
	if next == 0 && len(w.sessions) > 0 {
		next = now + wire.JanitorPeriod
	}
	return next
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

// newExchange starts an Exchange for a request whose body is framed so.
//
// hot: runs per request; no alloc, no lock.
func (w *worker) newExchange(c downSide, req *message.Request, from framing) *Exchange {
	w.Check()
	x := w.freeX.Take()
	if x == nil {
		x = &Exchange{w: w}
		x.timer.OnExpire = x
	}
	x.down = c
	x.method = req.Method
	x.oldClient = req.Minor == 0
	x.keepAlive = req.KeepAlive
	x.extended = req.Extended
	x.upgrade = req.Upgrade && !req.UpgradeH2C && !req.HasBody
	x.uninvited = req.ExpectContinue && from != frameNone
	x.started = w.Now()
	x.reqBytes = int64(req.HeadLen)
	same := formBare
	if from == frameChunked {
		same = formSame // until it is known who receives it, see forward
	}
	x.reqBody.begin(from, same, req.ContentLength)
	x.reqBody.rule.Request, x.reqBody.rule.Names = true, w.set.names
	if req.ContentLength == 0 && !x.upgrade {
		x.reqBody.length = 0 // which some Endpoints want to read where a method usually has a body
	}
	w.shard.ExchangesStarted++
	return x
}

// freeExchange makes x ready for another request. Its timer may stay in the wheel, stopped.
//
// hot: runs per request; no alloc, no lock.
func (w *worker) freeExchange(x *Exchange) {
	w.Check()
	x.timer.Stop()
	w.Buffers.Put(x.request)
	if x.kept != nil {
		w.freeKept(x.kept)
	}
	if x.altered != nil {
		w.freeAltered(x.altered)
		x.altered = nil
	}
	if x.reqBody.by != nil {
		w.freeTransforms(x.reqBody.by)
		x.reqBody.by = nil
	}
	if x.respBody.by != nil {
		w.freeTransforms(x.respBody.by)
		x.respBody.by = nil
	}
	if w.freeX.Full() {
		w.Unlink(&x.timer)
		x.serial++
		x.parked = false
		x.down = nil
		return
	}
	*x = Exchange{
		w:      w,
		timer:  x.timer,
		serial: x.serial + 1,
		edits:  edits{add: wire.Reuse(x.edits.add), respAdd: wire.Reuse(x.edits.respAdd)},
		logged: x.logged.reset(),
	}
	w.freeX.Put(x)
}

func (w *worker) newUp() *upConn {
	u := w.freeU.Take()
	if u == nil {
		u = &upConn{}
	}
	u.Sock, u.w = wire.NewSock(&w.Loop), w
	u.Owner = u
	return u
}

// freeUp takes u back. Its events of this batch are void, because its Source is closed.
func (w *worker) freeUp(u *upConn) {
	if !w.freeU.Full() {
		*u = upConn{}
		w.freeU.Put(u)
	}
}

// open takes over an accepted descriptor. src is its source, nil where that is not bounded, or not known yet.
func (w *worker) open(fd int, remote addrPort, ln *listener, src *source) {
	c := w.freeC.Take()
	if c == nil {
		c = &downConn{}
	}
	*c = downConn{Sock: wire.NewSock(&w.Loop), w: w, client: client{remote: remote, listener: &ln.inlet}}
	c.Timer.OnExpire = c
	w.Assign(&c.Src, fd, c)
	c.trusted = w.set.trusts(remote.Addr())
	c.next, c.prev = w.downs.next, &w.downs
	c.next.prev, w.downs.next = c, c
	if src != nil {
		w.join(c, src)
	}
	w.shard.ConnectionsAccepted++
	// Most clients have sent their request by now, so it is read before events are asked for: an
	// event for bytes that are already read would cost a read that finds nothing.
	c.Readable, c.Writable = true, true
	if ln.proxied {
		c.beginProxy()
	} else {
		c.begins()
	}
	c.pump()
}

// forget takes a closed connection out of the list. It is reused only after this batch, because
// the caller may still look at it.
func (w *worker) forget(c *downConn) {
	c.next.prev, c.prev.next = c.prev, c.next
	c.next, c.prev = nil, nil
	w.leave(c)
	w.conns.Add(-1)
	w.shard.ConnectionsClosed[c.why]++
	if w.freeC.Len()+len(w.dead) < wire.KeepFree {
		w.dead = append(w.dead, c)
		if len(w.dead) == 1 {
			w.Again((*reaper)(w))
		}
	}
}

// reaper frees the connections that closed in the batch before.
type reaper worker

func (r *reaper) Ready(loop.Events) {
	w := (*worker)(r)
	for _, c := range w.dead {
		c.TLS, c.certificate, c.hello = nil, nil, nil // a certificate may be of some KiB
		w.freeC.Put(c)
	}
	clear(w.dead)
	w.dead = w.dead[:0]
}

// startDrain runs on the loop.
func (w *worker) startDrain() {
	w.draining = true
	for _, l := range w.listeners {
		l.stopAccepting()
	}
	w.listeners = nil
	for c := w.downs.next; c != &w.downs; c = c.next {
		if c.phase == phaseSession {
			c.session.drain()
		}
		if c.phase == phaseHead && c.In.Len() == 0 && c.Out.Len() == 0 {
			c.Restart()
			c.guard(wire.WaitIdle, int64(idleGrace))
		}
	}
}

// cut runs on the loop: it ends everything.
func (w *worker) cut() {
	for _, l := range w.listeners {
		w.CloseSource(&l.src)
	}
	for c := w.downs.next; c != &w.downs; {
		next := c.next
		c.why = stats.ClosedDraining
		if c.x != nil {
			c.x.cancel(failDraining)
		}
		if c.passthrough != nil {
			c.passthrough.end(stats.Draining, upstream.Canceled)
		}
		c.shut()
		c = next
	}
	for len(w.sessions) > 0 {
		w.sessions[0].end(upstream.Canceled)
	}
	w.upstreams.Sweep(nil)
	for len(w.sessions) > 0 {
		w.sessions[len(w.sessions)-1].end(upstream.Canceled)
	}
	w.ClosePipes(w.IdlePipes())
	w.log.flush()
}

// recordRefused counts a request whose head was refused before it became an Exchange.
func (w *worker) recordRefused(status int, reason stats.Reason) {
	w.shard.ExchangesStarted++
	w.event = stats.Event{Reason: reason, Status: uint16(status)}
	w.shard.Record(nil, &w.event)
}

// date returns the Date field line, made once a second.
//
// hot: runs per response without Date; no alloc, no lock.
func (w *worker) date() []byte {
	if now := w.Now(); now >= w.dateUntil {
		t := time.Now()
		w.dateLine = append(w.dateLine[:0], "Date: "...)
		w.dateLine = t.UTC().AppendFormat(w.dateLine, "Mon, 02 Jan 2006 15:04:05 GMT")
		w.dateLine = append(w.dateLine, '\r', '\n')
		w.dateUntil = now + 1e9 - int64(t.Nanosecond())
	}
	return w.dateLine
}

// appendRequestID appends 32 hexadecimal digits that clients cannot predict.
//
// hot: runs per request; no alloc, no lock.
func (w *worker) appendRequestID(dst []byte) []byte {
	raw := w.draw()
	return hex.AppendEncode(dst, raw[:])
}

// draw returns random bytes that clients cannot predict.
func (w *worker) draw() (raw [16]byte) {
	binary.LittleEndian.PutUint64(raw[:8], w.random.Uint64())
	binary.LittleEndian.PutUint64(raw[8:], w.random.Uint64())
	return raw
}
