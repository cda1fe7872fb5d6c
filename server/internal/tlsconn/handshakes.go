package tlsconn

import (
	"container/list"
	"crypto/tls"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// Limits bounds handshakes. The zero value is the defaults.
type Limits struct {
	// UnderWay bounds the handshakes with clients at a time, and separately those with upstreams. Each
	// holds a goroutine and some 30 KiB; one that waits for its peer may be displaced by a new one, the
	// longest first, and lives on for as long as its goroutine needs to end; of these there are no more
	// than the same number. 0: 4096.
	UnderWay int
	// PerSource bounds those with clients of one source: an IPv4 address, or an IPv6 /64. 0: no bound.
	PerSource int
	// Running bounds how many compute at a time, read by NewHandshakes only. Those that wait for their
	// peer do not count. 0: half of GOMAXPROCS, at least 1.
	Running int
}

func (l Limits) underWay() int {
	if l.UnderWay <= 0 {
		return 4096
	}
	return l.UnderWay
}

// Handshakes runs the handshakes of all loops. Made by NewHandshakes; safe for concurrent use. Must
// not be copied.
type Handshakes struct {
	// Immutable after NewHandshakes:
	slots chan struct{}   // holds a token for each that computes
	rest  chan *handshake // to an idle goroutine
	ended chan struct{}   // closed by Close

	// Guarded by mu:
	mu      sync.Mutex
	limits  Limits
	clients int // under way as server
	dials   int // under way as client
	leaving int // displaced, with a goroutine that has not ended yet
	sources map[netip.Addr]*source
	waiting list.List // of those as server that wait for their peer, longest first

	// Atomic, of those as server and as client:
	served, dialed counters
}

// source counts one source's handshakes under way.
type source struct {
	key     netip.Addr
	clients int
	waiting list.List
}

type counters struct {
	started, completed, resumed, refusedBusy, refusedShare atomic.Uint64
	failed                                                 [reasons]atomic.Uint64
}

// Counts is the work of Handshakes so far with one kind of peer.
type Counts struct {
	Started, Completed uint64
	Resumed            uint64 // of Completed
	RefusedBusy        uint64 // see ErrBusy
	RefusedShare       uint64 // see ErrShare
	Failed             [reasons]uint64
	UnderWay           int
	Waiting            int // of these, for the peer; clients only
}

// NewHandshakes returns Handshakes with the given bounds.
func NewHandshakes(l Limits) *Handshakes {
	running := l.Running
	if running <= 0 {
		running = max(1, runtime.GOMAXPROCS(0)/2)
	}
	return &Handshakes{
		slots: make(chan struct{}, running), rest: make(chan *handshake), ended: make(chan struct{}),
		limits: l, sources: map[netip.Addr]*source{},
	}
}

// Close lets go of the goroutines that rest between handshakes; those under way end by themselves. To be called
// once, and a handshake that begins later costs a goroutine of its own.
func (s *Handshakes) Close() { close(s.ended) }

// SetLimits replaces the bounds for handshakes to come.
func (s *Handshakes) SetLimits(l Limits) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.limits = l
}

// Counts returns the counts so far with clients.
func (s *Handshakes) Counts() Counts {
	c := s.served.read()
	s.mu.Lock()
	defer s.mu.Unlock()
	c.UnderWay, c.Waiting = s.clients, s.waiting.Len()
	return c
}

// UpstreamCounts returns the counts so far with upstreams.
func (s *Handshakes) UpstreamCounts() Counts {
	c := s.dialed.read()
	s.mu.Lock()
	defer s.mu.Unlock()
	c.UnderWay = s.dials
	return c
}

// read copies the counters. Resumed is read first, so that it is not more than Completed.
func (c *counters) read() Counts {
	n := Counts{
		Started: c.started.Load(), Resumed: c.resumed.Load(),
		RefusedBusy: c.refusedBusy.Load(), RefusedShare: c.refusedShare.Load(),
	}
	n.Completed = c.completed.Load()
	for r := range n.Failed {
		n.Failed[r] = c.failed[r].Load()
	}
	return n
}

// Params make a Conn. Those up to Buffers are required.
type Params struct {
	Config  *tls.Config
	Remote  netip.AddrPort
	Loop    Poster
	Owner   Owner
	Buffers Buffers
	// Early, for Server, has the bytes read from the socket already, which begin with a whole ClientHello. They are copied.
	Early []byte
	// MaxBytes bounds the bytes that the peer may send in the handshake, 128 KiB if 0. crypto/tls parses all
	// certificates before their number can be checked.
	MaxBytes int
	// Check, where set, is called when the handshake has succeeded, on its goroutine and as a part of it: in its
	// turn on the processors, and counted as under way. Its writes may be read once Advance returns done.
	Check func(tls.ConnectionState)
}

// Server begins a handshake with a client. It fails with ErrBusy or ErrShare where the limits do not
// allow it and no other that waits for its peer can be displaced.
func (s *Handshakes) Server(p Params) (*Conn, error) {
	c, h := s.make(p)
	c.tls = tls.Server(&c.wire, p.Config)
	h.in = append(make([]byte, 0, max(len(p.Early), firstInput)), p.Early...)
	if n := len(h.in); recordSize(h.in) == n && fieldsOf.preload(c.tls, h.in) {
		h.in, h.given = nil, n
	}
	s.mu.Lock()
	err := s.admitLocked(h, sourceOf(p.Remote.Addr()))
	s.mu.Unlock()
	return s.start(c, h, err)
}

// Client begins a handshake with an upstream, and fails with ErrBusy where too many are under way.
func (s *Handshakes) Client(p Params) (*Conn, error) {
	c, h := s.make(p)
	h.client = true
	remote := p.Remote
	c.wire.remote = &remote
	c.tls = tls.Client(&c.wire, p.Config)
	var err error
	s.mu.Lock()
	if s.dials >= s.limits.underWay() {
		err = ErrBusy
	} else {
		s.dials++
		h.counted = true
	}
	s.mu.Unlock()
	return s.start(c, h, err)
}

func (s *Handshakes) make(p Params) (*Conn, *handshake) {
	c := &Conn{buffers: p.Buffers}
	h := &handshake{
		conn: c, set: s, remote: p.Remote, loop: p.Loop, owner: p.Owner, check: p.Check, maxBytes: maxHandshake,
	}
	if p.MaxBytes > 0 {
		h.maxBytes = min(p.MaxBytes, maxHandshake)
	}
	h.wake.L = &h.mu
	c.wire.hs = h
	return c, h
}

func (s *Handshakes) start(c *Conn, h *handshake, err error) (*Conn, error) {
	n := s.countersOf(h)
	switch err {
	case nil:
		n.started.Add(1)
		select {
		case s.rest <- h:
		default:
			go s.work(h)
		}
		return c, nil
	case ErrShare:
		n.refusedShare.Add(1)
	default:
		n.refusedBusy.Add(1)
	}
	return nil, err
}

func (s *Handshakes) countersOf(h *handshake) *counters {
	if h.client {
		return &s.dialed
	}
	return &s.served
}

// restTime is how long a goroutine waits for another handshake. By then its stack has grown to a
// handshake's size: growing a new one is 8 % of a handshake.
const restTime = time.Second

// work runs h, and then others as long as they come in time.
func (s *Handshakes) work(h *handshake) {
	h.run()
	idle := time.NewTimer(restTime)
	defer idle.Stop()
	for {
		// Free the objects that h refers to.
		h = nil
		idle.Reset(restTime)
		select {
		case h = <-s.rest:
			h.run()
		case <-idle.C:
			return
		case <-s.ended:
			return
		}
	}
}

// sourceOf is the range that one client can be taken to hold: providers hand out an IPv6 /64 or more.
func sourceOf(a netip.Addr) netip.Addr {
	a = a.Unmap().WithZone("")
	if a.Is6() {
		p, _ := a.Prefix(64)
		return p.Addr()
	}
	return a
}

// admitLocked counts h as under way. A source beyond its share displaces its own oldest that waits;
// beyond the bound of all, one of the oldest of all is displaced.
func (s *Handshakes) admitLocked(h *handshake, key netip.Addr) error {
	src := s.sources[key]
	if src == nil {
		src = &source{key: key}
	}
	if most := s.limits.PerSource; most > 0 && src.clients >= most && !s.displaceLocked(&src.waiting) {
		return ErrShare
	}
	if s.clients >= s.limits.underWay() && !s.displaceLocked(&s.waiting) {
		return ErrBusy
	}
	s.sources[key] = src
	src.clients++
	s.clients++
	h.source, h.counted = src, true
	return nil
}

// candidates is how many of the oldest are looked at for one whose source has many.
const candidates = 16

// displaceLocked displaces one handshake of a list, if it can: of its oldest, the one whose source has
// most under way, and the oldest of these. Where a flood keeps the processors busy, few get to wait, and
// the oldest may be a client that has only just had its turn.
func (s *Handshakes) displaceLocked(waiting *list.List) bool {
	// A flood can displace faster than goroutines get to end.
	if waiting.Len() == 0 || s.leaving >= s.limits.underWay() {
		return false
	}
	var h *handshake
	for e, n := waiting.Front(), 0; e != nil && n < candidates; e, n = e.Next(), n+1 {
		if o := e.Value.(*handshake); h == nil || o.source.clients > h.source.clients {
			h = o
		}
	}
	s.forgetLocked(h)
	h.displaced = true
	s.leaving++
	h.abort(ErrDisplaced)
	return true
}

// wait notes that h waits for its peer.
func (s *Handshakes) wait(h *handshake) {
	if h.client {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if h.counted {
		h.waiting, h.sibling = s.waiting.PushBack(h), h.source.waiting.PushBack(h)
	}
}

// resume notes that h waits no more.
func (s *Handshakes) resume(h *handshake) {
	if h.client {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unlistLocked(h)
}

func (s *Handshakes) unlistLocked(h *handshake) {
	if h.waiting != nil {
		s.waiting.Remove(h.waiting)
		h.source.waiting.Remove(h.sibling)
		h.waiting, h.sibling = nil, nil
	}
}

// forgetLocked counts h as under way no more.
func (s *Handshakes) forgetLocked(h *handshake) {
	if !h.counted {
		return
	}
	h.counted = false
	if h.client {
		s.dials--
		return
	}
	s.unlistLocked(h)
	s.clients--
	if h.source.clients--; h.source.clients == 0 {
		delete(s.sources, h.source.key)
	}
}

// end notes how h ended.
func (s *Handshakes) end(h *handshake, err error) {
	s.mu.Lock()
	s.forgetLocked(h)
	if h.displaced {
		s.leaving--
	}
	s.mu.Unlock()
	n := s.countersOf(h)
	switch {
	case err != nil:
		n.failed[reasonOf(err)].Add(1)
	case h.conn.tls.ConnectionState().DidResume:
		n.completed.Add(1)
		n.resumed.Add(1)
	default:
		n.completed.Add(1)
	}
}
