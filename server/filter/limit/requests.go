package limit

import (
	"net/netip"
	"strconv"
	"unsafe"

	"github.com/sluice-gateway/sluice/routing/policy"
	"github.com/sluice-gateway/sluice/server"
)

// Requests refuses what a client asks for faster than it may: policy.RequestLimit. It is nginx's limit_req with nodelay.
type Requests struct {
	exempt exempt
	limits
	table *buckets
}

// NewRequests makes a Requests.
func NewRequests(f policy.Filter, e server.Env) (server.Filter, error) {
	p := f.(*policy.RequestLimit)
	return &Requests{
		exempt: p.Exempt, table: allBuckets(),
		limits: newLimits(p.Zone, p.PerSecond, p.PerMinute, p.Multiplier, p.Status, p.Fields),
	}, nil
}

// Name implements server.Filter.
func (*Requests) Name() string { return string(policy.KindRequestLimit) }

// Request implements server.RequestFilter.
//
// hot: runs per request; no alloc, no lock.
func (l *Requests) Request(x *server.Exchange) server.Verdict {
	client := x.Client()
	if len(l.exempt) > 0 && l.exempt.has(client) {
		return server.Continue
	}
	return l.decide(x, l.count(l.table, client, milliseconds(x), take))
}

// milliseconds is the time as buckets have it.
//
// hot: runs per request; no alloc, no lock.
func milliseconds(x *server.Exchange) uint32 { return uint32(x.Now() / 1e6) }

// limits are one or two rates, of seconds and minutes, and what clients are told of them.
type limits struct {
	list   []limited
	status int
	fields bool
}

// limited is one rate of a zone.
type limited struct {
	zone
	*rate
	requests, seconds int
}

func newLimits(zone string, second, minute, multiplier, status int, fields bool) limits {
	l := limits{status: status, fields: fields}
	add := func(name string, requests, seconds int) {
		if requests > 0 {
			l.list = append(l.list, limited{newZone(zone, name), newRate(requests, seconds, multiplier), requests, seconds})
		}
	}
	add("second", second, 1)
	add("minute", minute, 60)
	return l
}

// ruling is what the counts say of a request.
type ruling struct {
	within bool
	by     *limited // the limit that refuses, or of which least is left; nil: none was looked at
	excess int64    // of it
}

// count counts a request of a client by every limit, or, where one refuses it, by none, as nginx does.
//
// hot: runs per request; no alloc, no lock.
func (l *limits) count(t *buckets, client netip.Addr, now uint32, m mode) ruling {
	r := ruling{within: true}
	last := len(l.list) - 1
	for i := range l.list {
		by := &l.list[i]
		how := m
		if i < last {
			how = look
		}
		excess, within := t.count(by.client(client), by.rate, now, how)
		if r = r.and(by, excess, within); !within {
			return r
		}
	}
	for i := 0; i < last && m != look; i++ {
		by := &l.list[i]
		t.count(by.client(client), by.rate, now, charge)
	}
	return r
}

// and adds the word of one limit to a ruling.
//
// hot: runs per request; no alloc, no lock.
func (r ruling) and(by *limited, excess int64, within bool) ruling {
	if r.by == nil || !within || by.burst-excess < r.by.burst-r.excess {
		r.by, r.excess = by, excess
	}
	r.within = r.within && within
	return r
}

// decide refuses a request that is not within its limits, and tells the client of them where that is asked for.
//
// hot: runs per request; no alloc, no lock.
func (l *limits) decide(x *server.Exchange, r ruling) server.Verdict {
	if l.fields && r.by != nil {
		r.tell(x)
	}
	if r.within {
		return server.Continue
	}
	return x.Refuse(l.status, "the client asks faster than it may")
}

// tell adds the fields of draft-ietf-httpapi-ratelimit-headers, and Retry-After to a refusal: how many requests more may come
// at once, and in how many seconds the bucket is empty.
//
// hot: runs per request; no alloc, no lock.
func (r ruling) tell(x *server.Exchange) {
	var room [64]byte
	number := func(b []byte, n int64) []byte { return strconv.AppendInt(b, n, 10) }
	name := `"second"`
	if r.by.seconds != 1 {
		name = `"minute"`
	}
	b := number(append(append(room[:0], name...), ";q="...), int64(r.by.requests))
	b = number(append(b, ";w="...), int64(r.by.seconds))
	x.AddResponseField("RateLimit-Policy", text(b))
	b = number(append(append(room[:0], name...), ";r="...), max(r.by.burst-r.excess, 0)/unit)
	b = number(append(b, ";t="...), r.by.wait(r.excess))
	x.AddResponseField("RateLimit", text(b))
	if !r.within {
		x.AddResponseField("Retry-After", text(number(room[:0], r.by.wait(r.excess-r.by.burst))))
	}
}

// wait returns in how many whole seconds, at least one, an excess has leaked out.
//
// hot: runs per request; no alloc, no lock.
func (l *limited) wait(excess int64) int64 { return max((excess+l.perSecond-1)/l.perSecond, 1) }

// text is b as a string, for a call that copies it.
func text(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
