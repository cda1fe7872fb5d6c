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

// chunkRoom is the room for the framing of one chunk and the end of the body, bytes.
const chunkRoom = 64

// Loop holds everything that the Exchanges of one event loop and their sides share. It belongs to the loop's goroutine. Made
// ready by Init; must not be copied.
type Loop struct {
	wire.Loop

	// Immutable once the loop runs. Set behind Init, by the packages that own them:
	Shard     *stats.Shard
	Upstreams *upstream.Set
	Dialer    Dialer
	Admission Admission

	// Immutable, and shared by all loops:
	Store   *routing.Store
	parking chan struct{}
	faults  *faults

	Settings *Settings // replaced as a whole by a reload
	Log      *Log      // nil when off
	Pressure int32     // of memory, from 0: requests of Routes whose priority is below it by two or more are shed
	janitor  wire.Janitor

	freeCores       wire.FreeList[Core]
	freeRequests    wire.FreeList[KeptRequest]
	freeAlterations wire.FreeList[altered]
	freeLists       wire.FreeList[transforms]
	queues          map[*upstream.Gate]*queue // those that are not empty; made at first use
	random          *rand.ChaCha8
	event           stats.Event

	// Scratch, valid for one call:
	chunk       []byte
	hostScratch [256]byte
	pathScratch []byte
	dateLine    []byte
	dateUntil   int64
	response    Response // in the response phase; zero otherwise
	own, next   answer
	changed     []byte // by a FieldChange
}

// Dialer gets the Endpoints' sides of Exchanges. Each loop has one of its own.
type Dialer interface {
	// Acquire gets x a side to ep, which may still be connecting; nil: it could not. reused says that an earlier request
	// used the connection, and short that the process had no descriptor to spare for one.
	Acquire(x *Core, ep *upstream.Endpoint, now int64) (u Up, reused, short bool)
}

// Admission grants descriptors of the Endpoints' side, which are bounded for all loops together. Each loop has one of its
// own.
type Admission interface {
	// TakeDescriptor counts one descriptor more as used, for a request that counts against of (nil: none), and reports
	// whether it may be opened. wire.Sock counts it as closed.
	TakeDescriptor(of *Quota) bool
	// AllowsPipe reports whether a pipe may take two descriptors.
	AllowsPipe() bool
}

// LoopOptions are the parts of a Loop. All are required, except AccessLog.
type LoopOptions struct {
	Handshakes *tlsconn.Handshakes
	Store      *routing.Store
	Parking    chan struct{} // its capacity is how many Exchanges may be parked at a time, in all loops
	FaultLog   *slog.Logger  // for faults of Filters
	AccessLog  *sink.Sink    // nil: the access log is off
	Settings   *Settings
}

// Init makes the zero value ready for Exchanges on the loop on. Shard, Upstreams, Dialer and Admission are set behind it.
func (w *Loop) Init(on *loop.Loop, o LoopOptions) {
	w.Loop.Init(on, o.Handshakes)
	w.Store, w.parking, w.Settings = o.Store, o.Parking, o.Settings
	w.faults, w.Log = &faults{o.FaultLog}, newLog(o.AccessLog)
	w.chunk = make([]byte, 0, wire.ScratchSize+chunkRoom)
	w.pathScratch = make([]byte, 0, h1.DefaultMaxTarget)
	var seed [32]byte
	for i := range seed {
		seed[i] = byte(rand.Uint32())
	}
	w.random = rand.NewChaCha8(seed)
}

// NewExchange makes the Exchange of a request that came by c, with a body in the framing from. head holds the bytes that req
// indexes; both are read during the call alone. The caller goes on with TakeEarly, where body bytes came, and Start.
//
// hot: runs per request; no alloc, no lock.
func (w *Loop) NewExchange(c Down, req *message.Request, head []byte, from Framing) *Core {
	w.Check()
	x := w.freeCores.Take()
	if x == nil {
		x = &Core{w: w}
		x.timer.OnExpire = x
	}
	x.down = c
	x.method = req.Method
	x.http10 = req.Minor == 0
	x.keepAlive = req.KeepAlive
	x.extended = req.Extended
	x.upgrade = req.Upgrade && !req.UpgradeH2C && !req.HasBody
	x.awaits100 = req.ExpectContinue && from != FrameNone
	x.started = w.Now()
	x.reqBytes = int64(req.HeadLen)
	same := FormBare
	if from == FrameChunked {
		same = FormSame // until the Backend's protocol is known, see convertBody
	}
	x.reqBody.reset(from, same, req.ContentLength)
	x.reqBody.rule.Request, x.reqBody.rule.Names = true, w.Settings.Names
	if from == FrameChunked {
		x.reqBody.rule.Nominate(&req.Head, head)
	}
	if req.ContentLength == 0 && !x.upgrade {
		x.reqBody.length = 0 // some Endpoints require the field with methods that usually have a body
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
		w.FreeRequest(x.kept)
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
	if w.freeCores.Full() {
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
		logged: x.logged.reused(),
	}
	w.freeCores.Put(x)
}

// RecordRefused counts a request whose head was refused before it became an Exchange.
func (w *Loop) RecordRefused(status int, reason stats.Reason) {
	w.Shard.ExchangesStarted++
	w.event = stats.Event{Reason: reason, Status: uint16(status)}
	w.Shard.Record(nil, &w.event)
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

// Connect begins to connect s to an Endpoint, for a request that counts against of, within the descriptors of the Endpoints'
// side. Events of s go to h. ok is false where it could not begin; short says that no descriptor was granted.
func (w *Loop) Connect(s *wire.Sock, to *wire.Addr, h loop.Handler, of *Quota) (ok, short bool) {
	if !w.Admission.TakeDescriptor(of) {
		return false, true
	}
	return s.Connect(to, h), false
}

// StartJanitor has look called about once a second while there is something to expire: see wire.Janitor.
func (w *Loop) StartJanitor(look func(now int64) (next int64)) { w.janitor.Start(&w.Loop, look) }

// WakeJanitor ends the janitor's rest: there may be something to expire.
func (w *Loop) WakeJanitor() { w.janitor.Wake() }
