package upstream

// connState is where a Conn stands with its Endpoint.
type connState uint8

const (
	// connUnknown: never added, or removed, or discarded.
	connUnknown connState = iota
	// connBusy: counted by its Endpoint, in the hands of the loop.
	connBusy
	// connIdle: counted, and linked in the idle list.
	connIdle
)

// Conn is the pool's part of one upstream connection. The loop's own connection struct embeds a Conn
// and sets Owner to itself once, so that Acquire and Discard lead to the struct without a search or an
// allocation. The zero value is ready for Endpoint.Add. Must not be copied, and belongs to one loop.
type Conn struct {
	// Owner is the struct that embeds this Conn; the pool never reads the field.
	Owner any
	// Endpoint is set by Add, and stays set after Remove.
	Endpoint *Endpoint

	// IdleSince is when the Conn was last released.
	IdleSince int64
	// Requests counts the requests given to this Conn: the one it was dialled for, and each Acquire.
	Requests uint32

	state connState
	// prev is the next newer idle Conn, next the next older one.
	prev, next *Conn
}

// Idle reports whether c waits in its Endpoint's pool: bytes that arrive on it now are unsolicited.
func (c *Conn) Idle() bool { return c.state == connIdle }

// Reused reports whether c has carried an earlier request.
func (c *Conn) Reused() bool { return c.Requests > 1 }
