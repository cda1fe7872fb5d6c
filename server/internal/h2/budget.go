package h2

// Budgets against floods.
//
// HTTP/2 lets a peer cause work with frames that carry nothing: resets, acknowledged frames, empty frames,
// headers in crumbs. Each kind has an allowance, large enough for any client with real work. An exhausted
// allowance is replenished by time and by useful work, and when that is not enough the connection ends with
// ENHANCE_YOUR_CALM. Charging is one increment; earnings are only looked at when an allowance is exhausted.
//
// Three things are no flood, because something else bounds them:
//
//   - frames on their way when we reset a stream, see amnesty: the windows that we granted bound them;
//   - a header block in pieces of a frame's size: its own limit bounds it;
//   - in the client's role, frames that end a stream: each of these is a request of ours.
//
// An Endpoint that floods is worse than none, but many clients share its connection: the handler is
// told once (ClientHandler.Flooded), so that no more requests come, and the connection is cut only when
// the flood goes on for long.
//
// CVE-2023-44487 (rapid reset) is FloodReset; being made to reset instead (CVE-2025-8671, MadeYouReset) is
// FloodFault; CVE-2019-9511 to 9518 and CVE-2024-27316 are the others.

// Flood is a kind of frame that carries nothing by itself.
type Flood uint8

const (
	FloodNone         Flood = iota
	FloodReset              // RST_STREAM of a stream that had not been answered
	FloodFault              // stream errors, refused streams
	FloodContinuation       // header blocks in crumbs, and blocks too long to be kept
	FloodSettings           // SETTINGS
	FloodPing               // PING
	FloodEmpty              // DATA without data, unless it ends the stream
	FloodWindowUpdate       // WINDOW_UPDATE
	FloodPriority           // PRIORITY and frames of an unknown type
	FloodClosed             // frames on streams that are closed, beyond those that were on their way
	FloodTinyWindow         // windows that let us send a few bytes at a time
	FloodOutput             // answers that the peer makes us queue and does not read

	FloodCount
)

var floodNames = [FloodCount]string{"none", "reset", "fault", "continuation", "settings", "ping", "empty", "window_update",
	"priority", "closed", "tiny_window", "output"}

// String returns the name as a metric's label has it.
func (f Flood) String() string { return floodNames[f] }

// floodLimits are the allowances: how much a peer may do at once.
var floodLimits = [FloodCount]uint16{
	FloodReset:        300, // a browser that leaves a page resets all its streams, and may do so again
	FloodFault:        200,
	FloodContinuation: 200,
	FloodSettings:     50,
	FloodPing:         200,
	FloodEmpty:        200,
	FloodWindowUpdate: 4000, // some send two for each frame they read
	FloodPriority:     1000, // a browser of RFC 7540's days reprioritises
	FloodClosed:       2000,
	FloodTinyWindow:   500,
	FloodOutput:       0,
}

// floodRates are how much of each allowance time gives back, for every floodTick.
var floodRates = [FloodCount]uint8{
	FloodReset: 4, // 200 a second: calls that time out, or that the first of several answers makes needless
	FloodFault: 1, FloodContinuation: 1, FloodSettings: 1, FloodPing: 1, FloodEmpty: 1, FloodWindowUpdate: 1,
	FloodPriority: 1, FloodClosed: 1, FloodTinyWindow: 1,
}

const (
	floodTick = int64(1e9 / 50)
	// workPerExchange is the part of every allowance that a completed Exchange gives back, and maxServed
	// the most of it that is kept.
	workPerExchange = 4
	maxServed       = 4 << 10
	// workUnit is how many bytes of DATA, either way, give back one of the kinds that go with DATA: net/http's
	// client answers each 4 KiB with two updates, of the stream and of the connection.
	workUnit = 2 << 10
	// maxWork is the most that is kept of it: 128 MiB of DATA.
	maxWork = 64 << 10
	// maxHasty is how many streams a peer may open and reset within one read, whatever its allowance. It bounds how
	// long others wait for one turn of a rapid reset; a client that leaves a page has opened its streams before.
	maxHasty = 100
	// crumb is the length below which a piece of a header block, or of data without a stream, counts: longer ones
	// cost the peer more than us.
	crumb = 1 << 10
	// maxLapses is how many times an Endpoint may use up an allowance before it is cut off.
	maxLapses = 16
)

// withData are the kinds of frames that go with DATA. A long body earns nothing for any other: a download of a
// minute would pay for a rapid reset of seconds.
const withData = 1<<FloodPing | 1<<FloodEmpty | 1<<FloodWindowUpdate | 1<<FloodClosed | 1<<FloodTinyWindow

var floodErrors = buildFloodErrors()

func buildFloodErrors() (errs [FloodCount]*ConnError) {
	for f := range errs {
		errs[f] = &ConnError{Code: EnhanceYourCalm, Flood: Flood(f), Reason: "too much of: " + Flood(f).String()}
	}
	return errs
}

// budget counts what was spent of each allowance. The zero value with since set is full.
type budget struct {
	since  int64  // nanoseconds: when time was last counted
	served uint32 // earned since by Exchanges
	work   uint32 // and by DATA, in units
	bytes  uint32 // of DATA, not yet a unit
	lapses uint8  // times that an allowance was used up and given anew
	spent  [FloodCount]uint16
}

// charge counts one frame of the kind f, and reports whether its allowance holds.
func (b *budget) charge(f Flood, now int64) bool {
	b.spent[f]++
	return b.spent[f] <= floodLimits[f] || b.replenish(f, now)
}

// replenish turns time and work into allowance. Work that is not needed yet is kept, up to a bound: windows let us
// send long before the peer's updates show that it has read. Time is not kept: an hour of silence must not pay for
// a minute of flood.
func (b *budget) replenish(f Flood, now int64) bool {
	ticks := max(0, (now-b.since)/floodTick)
	b.since += ticks * floodTick
	var served, work uint32
	for i := range b.spent {
		spent := uint32(b.spent[i])
		spent -= uint32(min(int64(spent), ticks*int64(floodRates[i])))
		if withData>>i&1 != 0 {
			n := min(spent, b.work)
			spent -= n
			work = max(work, n)
		}
		n := min(spent, b.served)
		spent -= n
		served = max(served, n)
		b.spent[i] = uint16(spent)
	}
	b.served -= served
	b.work -= work
	return b.spent[f] <= floodLimits[f]
}

// lapse gives all allowances anew, and reports whether the Endpoint's lapses are still within maxLapses.
func (b *budget) lapse() bool {
	if b.lapses == maxLapses {
		return false
	}
	b.lapses++
	b.spent = [FloodCount]uint16{}
	return true
}

// earn counts n bytes of DATA.
func (b *budget) earn(n int) {
	b.bytes += uint32(n)
	if b.bytes >= workUnit {
		b.earnFrames(b.bytes / workUnit)
		b.bytes %= workUnit
	}
}

// earnFrames counts work that accounts for n of the peer's frames.
func (b *budget) earnFrames(n uint32) { b.work = min(b.work+n, maxWork) }

// earnExchange counts a completed Exchange.
func (b *budget) earnExchange() { b.served = min(b.served+workPerExchange, maxServed) }
