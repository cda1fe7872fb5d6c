package upstream

// SentState is how much of a request has left the gateway, and whether it could leave again.
type SentState uint8

const (
	// Unsent means that no byte of the request was written to the connection that failed. What was
	// read from the client is therefore still there.
	Unsent SentState = iota
	// SentBuffered means that some or all was written, and every byte is still held.
	SentBuffered
	// SentStreamed means that some was written, and some of that is no longer held.
	SentStreamed
)

// String names the state for logs and tests.
func (s SentState) String() string {
	return [...]string{"unsent", "sent_buffered", "sent_streamed"}[s]
}

// A request that is sent again costs its Backend again. A Backend that fails under its load must not get the same load again
// and again for it, so what is sent again is bounded by a part of what is sent first: over budgetWindow, and with
// budgetReserve beyond that, for Backends with few requests. An unsent request costs the next Endpoint what the first did
// not bear, and one that met the end of an idle connection is the gateway's own doing: both are free.
const (
	budgetWindow  = 10e9
	budgetReserve = 100
	// budgetPercent is the default part.
	budgetPercent = 20
)

// budget counts one Backend's requests on one loop. The zero value is ready.
type budget struct {
	// begun counts requests; folded are those of them that recent has.
	begun, folded uint64
	// recent and replays are the requests and replays of about the last budgetWindow, as of at.
	recent, replays float64
	at              int64
}

// take reports whether one more request may be sent again, and counts it.
func (b *budget) take(now int64, percent int32) bool {
	elapsed := max(now-b.at, 0)
	n := float64(b.begun - b.folded)
	if elapsed > budgetWindow {
		n *= budgetWindow / float64(elapsed)
	}
	keep := max(0, 1-float64(elapsed)/budgetWindow)
	b.recent, b.replays = b.recent*keep+n, b.replays*keep
	b.folded, b.at = b.begun, now
	if percent < 0 || b.replays+1 > budgetReserve+b.recent*float64(percent)/100 {
		return false
	}
	b.replays++
	return true
}

// maxAttempts is the usual value of mayReplay's max: one attempt and one replay.
const maxAttempts = 2

// mayReplay decides whether an attempt that failed is made again, on another Endpoint. It is a pure
// function. attempts counts those made, the failed one included; max is the most to make.
//
// No replay follows a response byte: the client may have seen it, and the Backend has acted. Attempt.Failed
// is not for such a request. An unsent request is safe to send again; one that was sent is only where the method
// is idempotent (RFC 9110, 9.2.2) and all of it is still held. A connection that is passed through
// is unsent until its Endpoint's connection is established, and beyond any replay afterwards.
//
// A failure on a reused connection is mostly due to the gateway, which kept the connection for too
// long; such a request gets its one replay even where max forbids replays. The replay should dial:
// when one pooled Conn was stale, the others are likely to be stale too.
func mayReplay(c Carried, attempts, max int) bool {
	if c.Reused && max < maxAttempts {
		max = maxAttempts
	}
	if attempts >= max {
		return false
	}
	switch c.Sent {
	case Unsent:
		return true
	case SentBuffered:
		return c.Idempotent
	}
	return false
}
