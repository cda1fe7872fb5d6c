package exchange

import (
	"encoding/binary"
	"encoding/hex"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/sluice-gateway/sluice/routing"
	"github.com/sluice-gateway/sluice/server/internal/h1"
	"github.com/sluice-gateway/sluice/server/internal/loop"
	"github.com/sluice-gateway/sluice/server/internal/message"
	"github.com/sluice-gateway/sluice/server/internal/stats"
	"github.com/sluice-gateway/sluice/server/internal/tlsconn"
	"github.com/sluice-gateway/sluice/server/internal/wire"
	"github.com/sluice-gateway/sluice/server/sink"
	"github.com/sluice-gateway/sluice/upstream"
)

// chunkRoom is for the framing of one chunk and the end of the body.
const chunkRoom = 64

// Loop is what the Exchanges of one event loop share, and both their sides with them. It belongs to the loop's goroutine.
// Made ready by init; must not be copied.
type Loop struct {
	wire.Loop

	// Immutable once the loop runs:
	Shard     *stats.Shard
	Upstreams *upstream.Set
	Dialer    Dialer
	Admission Admission

	// The same, and shared by all loops:
	Store   *routing.Store
	parking chan struct{}
	faults  *faults

	Settings *Settings // replaced as a whole by a reload
	Log      *Log      // nil when off
	janitor  wire.Janitor

	freeX  wire.FreeList[Core]
	freeH  wire.FreeList[Kept]
	freeA  wire.FreeList[altered]
	freeT  wire.FreeList[transforms]
	random *rand.ChaCha8
	Event  stats.Event

	// Scratch, valid for one call:
	chunk       []byte
	hostScratch [256]byte
	pathScratch []byte
	dateLine    []byte
	dateUntil   int64
	response    Response // on its way past the Filters; zero outside of that
	own, next   reply
}

// Dialer gets the Endpoints' sides of Exchanges. There is one for each loop.
type Dialer interface {
	// acquire gets a side to ep for x, which may still be connecting; nil where there is none to be had. reused says that an
	// earlier request used it, and short that there was no descriptor for it.
	Acquire(x *Core, ep *upstream.Endpoint, now int64) (u Up, reused, short bool)
}

// Admission says what the process can spare: descriptors of the Endpoints' side are bounded for all loops together. There is
// one for each loop.
type Admission interface {
	// TakeDescriptor counts one more as used for a request of a source, and reports whether there is one. The counterpart is
	// wire.Loop's, when the descriptor is closed.
	TakeDescriptor(of *Quota) bool
	// SparesPipe reports whether a pipe may take two.
	SparesPipe() bool
}

// Options are what a Loop is made of. All but lines are to be set.
type Options struct {
	Handshakes *tlsconn.Handshakes
	Store      *routing.Store
	Parking    chan struct{} // as long as Exchanges may be parked at a time
	Log        *slog.Logger  // of faults of Filters
	Lines      *sink.Sink    // of the access log; nil when off
	Settings   *Settings
}

// Init makes the zero value ready for Exchanges on that loop, but for the fields that are set behind it: Shard, Upstreams, Dialer and Admission.
func (w *Loop) Init(on *loop.Loop, o Options) {
	w.Loop.Init(on, o.Handshakes)
	w.Store, w.parking, w.Settings = o.Store, o.Parking, o.Settings
	w.faults, w.Log = &faults{o.Log}, newLogbook(o.Lines)
	w.chunk = make([]byte, 0, wire.ScratchSize+chunkRoom)
	w.pathScratch = make([]byte, 0, h1.DefaultMaxTarget)
	var seed [32]byte
	for i := range seed {
		seed[i] = byte(rand.Uint32())
	}
	w.random = rand.NewChaCha8(seed)
}

// New makes the Exchange of a request whose body is framed so. head holds what req indexes.
//
// hot: runs per request; no alloc, no lock.
func (w *Loop) New(c Down, req *message.Request, head []byte, from Framing) *Core {
	w.Check()
	x := w.freeX.Take()
	if x == nil {
		x = &Core{w: w}
		x.timer.OnExpire = x
	}
	x.down = c
	x.method = req.Method
	x.http10 = req.Minor == 0
	x.persists = req.KeepAlive
	x.extended = req.Extended
	x.upgrade = req.Upgrade && !req.UpgradeH2C && !req.HasBody
	x.uninvited = req.ExpectContinue && from != FrameNone
	x.started = w.Now()
	x.reqBytes = int64(req.HeadLen)
	same := FormBare
	if from == FrameChunked {
		same = FormSame // until it is known who receives it, see forward
	}
	x.reqBody.begin(from, same, req.ContentLength)
	x.reqBody.rule.Request, x.reqBody.rule.Names = true, w.Settings.Names
	if from == FrameChunked {
		x.reqBody.rule.Nominate(&req.Head, head)
	}
	if req.ContentLength == 0 && !x.upgrade {
		x.reqBody.length = 0 // which some Endpoints want to read where a method usually has a body
	}
	w.Shard.ExchangesStarted++
	return x
}

// freeExchange makes x ready for another request. Its timer may stay in the wheel, stopped.
//
// hot: runs per request; no alloc, no lock.
func (w *Loop) freeExchange(x *Core) {
	w.Check()
	x.timer.Stop()
	w.Buffers.Put(x.request)
	if x.kept != nil {
		w.FreeKept(x.kept)
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
	*x = Core{
		w:      w,
		timer:  x.timer,
		serial: x.serial + 1,
		edits:  edits{add: wire.Reuse(x.edits.add), respAdd: wire.Reuse(x.edits.respAdd)},
		logged: x.logged.reset(),
	}
	w.freeX.Put(x)
}

// date returns the Date field line, made once a second.
//
// hot: runs per response without Date; no alloc, no lock.
func (w *Loop) date() []byte {
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
func (w *Loop) appendRequestID(dst []byte) []byte {
	raw := w.draw()
	return hex.AppendEncode(dst, raw[:])
}

// draw returns random bytes that clients cannot predict.
func (w *Loop) draw() (raw [16]byte) {
	binary.LittleEndian.PutUint64(raw[:8], w.random.Uint64())
	binary.LittleEndian.PutUint64(raw[8:], w.random.Uint64())
	return raw
}

// Connect has s connect to an Endpoint for a request of a source, within the descriptors of the Endpoints' side. Events go to
// h. ok is false where that could not begin, and short says that there was no descriptor.
func (w *Loop) Connect(s *wire.Sock, to *wire.Addr, h loop.Handler, of *Quota) (ok, short bool) {
	if !w.Admission.TakeDescriptor(of) {
		return false, true
	}
	return s.Connect(to, h), false
}

// StartJanitor has look called about once a second while there is something to expire: see wire.Janitor.
func (w *Loop) StartJanitor(look func(now int64) (next int64)) { w.janitor.Start(&w.Loop, look) }

// WakeJanitor tells that there may be something to expire.
func (w *Loop) WakeJanitor() { w.janitor.Wake() }
