package h2

// Budgets against floods.
//
// HTTP/2 lets a peer cause work with frames that carry nothing: resets, acknowledged frames, empty
// frames, headers in crumbs. Each kind has an allowance, large enough for any client that means to
// get something done. An exhausted allowance is replenished by time and by useful work, and when that is
// not enough the connection ends with ENHANCE_YOUR_CALM. Charging is one increment; what has been
// earned is only looked at when an allowance is exhausted.
//
// CVE-2023-44487 (rapid reset) is FloodReset; being made to reset instead (CVE-2025-8671, MadeYouReset) is
// FloodFault; CVE-2019-9511 to 9518 and CVE-2024-27316 are the others.

// Flood is a kind of frame that is worth nothing by itself.
type Flood uint8

const (
	FloodNone         Flood = iota
	FloodReset              // RST_STREAM of a stream that had not been answered
	FloodFault              // stream errors, refused streams
	FloodContinuation       // CONTINUATION, header blocks too long to be kept
	FloodSettings           // SETTINGS
	FloodPing               // PING
	FloodEmpty              // DATA without data, unless it ends the stream
	FloodWindowUpdate       // WINDOW_UPDATE
	FloodPriority           // PRIORITY and frames of an unknown type
	FloodClosed             // frames on streams that are closed
	FloodTinyWindow         // windows that let us send a few bytes at a time
	FloodOutput             // answers that the peer makes us queue and does not read

	FloodCount
)

var floodNames = [FloodCount]string{"none", "reset", "fault", "continuation", "settings", "ping", "empty", "window_update",
	"priority", "closed", "tiny_window", "output"}

// String returns the name as a metric's label has it.
func (f Flood) String() string { return floodNames[f] }

// floodLimits are the allowances: what a peer may do at once.
var floodLimits = [FloodCount]uint16{
	FloodReset:        300, // a browser that leaves a page resets all its streams, and may do so again
	FloodFault:        200,
	FloodContinuation: 200,
	FloodSettings:     50,
	FloodPing:         200,
	FloodEmpty:        200,
	FloodWindowUpdate: 4000, // some send two for each frame they read
	FloodPriority:     1000, // a browser of RFC 7540's days reprioritises
	FloodClosed:       2000, // what was on its way when we reset: DATA up to a window, in small frames
	FloodTinyWindow:   500,
	FloodOutput:       0,
}

const (
	// floodPerSecond is what time gives back of every allowance.
	floodPerSecond = 50
	// workPerExchange is what a completed Exchange gives back of every allowance.
	workPerExchange = 4
	// workUnit is how many bytes of DATA, either way, give back one: net/http's client answers each 4 KiB
	// with two updates, of the stream and of the connection.
	workUnit = 2 << 10
	// maxWork is what can be kept of it: 128 MiB of DATA.
	maxWork = 64 << 10
	// maxHasty is how many streams a peer may open and reset in what one read brings, whatever its allowance.
	// It bounds what others wait for one turn of a rapid reset; who leaves a page has opened its streams before.
	maxHasty = 100
)

var floodErrors = buildFloodErrors()

func buildFloodErrors() (errs [FloodCount]*ConnError) {
	for f := range errs {
		errs[f] = &ConnError{Code: EnhanceYourCalm, Flood: Flood(f), Reason: "too much of: " + Flood(f).String()}
	}
	return errs
}

// budget counts what was spent of each allowance. The zero value with since set is full.
type budget struct {
	since int64  // nanoseconds: when time was last counted
	work  uint32 // earned since, in units
	bytes uint32 // of DATA, not yet a unit
	spent [FloodCount]uint16
}

// charge counts one frame of the kind f, and reports an error when its allowance is used up.
func (b *budget) charge(f Flood, now int64) error {
	b.spent[f]++
	if b.spent[f] > floodLimits[f] && !b.replenish(f, now) {
		return floodErrors[f]
	}
	return nil
}

// replenish turns time and work into allowance. Work that is not needed yet is kept, up to maxWork: windows
// let us send long before the peer's updates tell that it has read.
func (b *budget) replenish(f Flood, now int64) bool {
	relief := int64(b.work)
	if ticks := (now - b.since) / (1e9 / floodPerSecond); ticks > 0 {
		relief += ticks
		b.since = now // the rest of a tick is lost, at most once a charge beyond the limit
	}
	used := int64(0)
	for i := range b.spent {
		back := min(relief, int64(b.spent[i]))
		b.spent[i] -= uint16(back)
		used = max(used, back)
	}
	b.work = uint32(min(relief-used, maxWork))
	return b.spent[f] <= floodLimits[f]
}

// earn counts n bytes of DATA.
func (b *budget) earn(n int) {
	b.bytes += uint32(n)
	if b.bytes >= workUnit {
		b.work += b.bytes / workUnit
		b.bytes %= workUnit
	}
}
