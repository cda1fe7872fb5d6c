package upstream

// The pool of an Endpoint is an intrusive list of its idle Conns, newest first: the newest is the
// likeliest to be alive, and the oldest can age out when the load falls.
//
// Ageing costs the hot path one comparison. An Endpoint with an idle Conn stands in the Set's
// expiry queue with a time at which to look at it: a quarter of IdleTimeout after it was queued.
// That is the same for all, so the queue is in order of time without sorting. Expire looks at those
// that are due, takes the Conns past their limit from the old end, and queues the Endpoint again
// while it has idle ones left. So a Conn is closed at most a quarter late, and Acquire never hands
// one out late.

// idleList is the pool of one Endpoint. Its limit must be set; otherwise the zero value is ready.
type idleList struct {
	newest, oldest *Conn
	n              int32
	// limit is the age at which an idle Conn of this Endpoint is no longer used: IdleTimeout, or
	// less where the Endpoint is known to close earlier.
	limit int64
	// lastClose is the age of the last idle Conn that the peer closed.
	lastClose int64

	// queued and check, and after are the Endpoint's place in the Set's expiry queue.
	queued bool
	check  int64
	after  *Endpoint
}

// push adds c as the newest.
func (l *idleList) push(c *Conn) {
	c.prev, c.next = nil, l.newest
	if l.newest != nil {
		l.newest.prev = c
	} else {
		l.oldest = c
	}
	l.newest = c
	l.n++
}

// unlink takes c, which must be in the list, out of it.
func (l *idleList) unlink(c *Conn) {
	if c.prev != nil {
		c.prev.next = c.next
	} else {
		l.newest = c.next
	}
	if c.next != nil {
		c.next.prev = c.prev
	} else {
		l.oldest = c.prev
	}
	c.prev, c.next = nil, nil
	l.n--
}

// Full reports that MaxConnsPerEndpoint forbids another dial.
func (e *Endpoint) Full() bool {
	limit := e.backend.set.options.MaxConnsPerEndpoint
	return limit > 0 && int(e.Conns) >= limit
}

// Crowded reports that another Conn would be beyond half of what MaxConnsPerEndpoint allows.
func (e *Endpoint) Crowded() bool {
	limit := e.backend.set.options.MaxConnsPerEndpoint
	return limit > 0 && 2*(int(e.Conns)+1) > limit
}

// Add counts a connection that the loop starts to dial, for a request, on e. c is busy until
// Release or Remove. c must be new or removed.
//
// hot: runs per dial; no alloc, no lock.
func (e *Endpoint) Add(c *Conn) {
	if c.state != connUnknown {
		panic("BUG: upstream: Add of a Conn that an Endpoint holds")
	}
	c.Endpoint, c.state, c.Requests = e, connBusy, 1
	e.Conns++
	e.backend.conns++
}

// Acquire returns the newest idle Conn, now busy, or nil: then the caller dials, unless Full. A
// Conn past its limit is discarded; Expire discards the older ones.
//
// hot: runs per request; no alloc, no lock.
func (e *Endpoint) Acquire(now int64) *Conn {
	c := e.idle.newest
	if c == nil {
		return nil
	}
	if now-c.IdleSince >= e.idle.limit {
		// One discard makes room for the dial; Expire takes the rest, a bounded number at a time.
		e.discard(c)
		return nil
	}
	e.idle.unlink(c)
	e.backend.idle--
	c.state = connBusy
	c.Requests++
	return c
}

// Release puts c, which must be busy and clean (no byte outstanding either way), back into the
// pool. It returns false when e is Gone, its pool is full, or c has carried MaxRequestsPerConn
// requests: the caller then closes c and calls Remove.
//
// hot: runs per request; no alloc, no lock.
func (e *Endpoint) Release(c *Conn, now int64) bool {
	if c.state != connBusy || c.Endpoint != e {
		// Going on would hand one connection to two requests.
		panic("BUG: upstream: Release of a Conn that is not busy on this Endpoint")
	}
	s := e.backend.set
	if e.Gone || int(e.idle.n) >= s.options.MaxIdlePerEndpoint ||
		s.options.MaxRequestsPerConn > 0 && c.Requests >= s.options.MaxRequestsPerConn {
		return false
	}
	c.state = connIdle
	c.IdleSince = now
	e.idle.push(c)
	e.backend.idle++
	if !e.idle.queued {
		s.enqueue(e, now)
	}
	return true
}

// Remove forgets c, idle or busy, because the loop has closed it or is about to. Forgetting it
// twice, or after Discard, does no harm, so that every close can call it.
func (e *Endpoint) Remove(c *Conn) {
	if c.state == connUnknown || c.Endpoint != e {
		return
	}
	if c.state == connIdle {
		e.idle.unlink(c)
		e.backend.idle--
	}
	c.state = connUnknown
	e.Conns--
	e.backend.conns--
}

// PeerClosed is Remove for a Conn that the peer closed. Where c was idle, e learns from it: two
// closes in a row after the same time mean that the peer has a keep-alive limit, and idle Conns are
// then closed at seven eighths of it.
func (e *Endpoint) PeerClosed(c *Conn, now int64) {
	if c.state == connIdle && c.Endpoint == e {
		age := now - c.IdleSince
		if off := age - e.idle.lastClose; age >= minLearntIdle && max(off, -off) <= age/16 {
			e.LimitIdle(age - age/8)
		}
		e.idle.lastClose = age
	}
	e.Remove(c)
}

// minLearntIdle is the least age at a peer's close that counts as a keep-alive limit, in
// nanoseconds; closes of younger Conns are more likely those of a restart, which closes all at once.
const minLearntIdle = 1e9

// LimitIdle lowers the age up to which e's idle Conns are used, in nanoseconds, to the one at which
// the peer closes them, announced (Keep-Alive: timeout) or observed. The limit is never raised.
func (e *Endpoint) LimitIdle(limit int64) {
	if limit < e.idle.limit {
		e.idle.limit = limit
	}
}

// discard forgets the idle Conn c and hands it to the loop to close.
func (e *Endpoint) discard(c *Conn) {
	e.Remove(c)
	if s := e.backend.set; s.Discard != nil {
		s.Discard(c)
	}
}

// leave marks e Gone and discards its idle Conns.
func (e *Endpoint) leave() {
	e.Gone = true
	// Discard may remove other Conns; start at the newest each time.
	for e.idle.newest != nil {
		e.discard(e.idle.newest)
	}
}

// enqueue puts e, which must not be queued, at the end of the expiry queue.
func (s *Set) enqueue(e *Endpoint, now int64) {
	e.idle.queued = true
	e.idle.check = now + s.options.IdleTimeout/4
	e.idle.after = nil
	if s.lastQueued != nil {
		s.lastQueued.idle.after = e
	} else {
		s.firstQueued = e
	}
	s.lastQueued = e
}

// Shed discards up to max idle Conns, whatever their age, because descriptors are short: those idle longest
// of the Endpoints that were looked at least recently. It returns how many.
func (s *Set) Shed(max int) (n int) {
	for e := s.firstQueued; e != nil && n < max; e = e.idle.after {
		for ; e.idle.oldest != nil && n < max; n++ {
			e.discard(e.idle.oldest)
		}
	}
	return n
}

// Expire discards idle Conns past their limit, looking at no more than max Conns and Endpoints
// together. It returns when to call it again: 0 when nothing is idle, and now or earlier when max
// cut it short.
func (s *Set) Expire(now int64, max int) int64 {
	for ; max > 0; max-- {
		e := s.firstQueued
		if e == nil || e.idle.check > now {
			break
		}
		if c := e.idle.oldest; c != nil && now-c.IdleSince >= e.idle.limit {
			e.discard(c)
			continue
		}
		if s.firstQueued = e.idle.after; s.firstQueued == nil {
			s.lastQueued = nil
		}
		e.idle.after, e.idle.queued = nil, false
		if e.idle.n > 0 {
			s.enqueue(e, now)
		}
	}
	if s.firstQueued == nil {
		return 0
	}
	return s.firstQueued.idle.check
}
