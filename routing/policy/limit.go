package policy

import (
	"net/netip"
	"strconv"
)

// The Kinds of limits.
const (
	KindRequestLimit     Kind = "limit-requests"
	KindClusterLimit     Kind = "limit-cluster"
	KindConnectionLimit  Kind = "limit-connections"
	KindConcurrencyLimit Kind = "limit-concurrency"
	KindThrottle         Kind = "limit-rate"
)

// RequestLimit bounds how fast one client may ask (nginx.ingress.kubernetes.io/limit-rps and limit-rpm): a leaky bucket as
// nginx has it.
type RequestLimit struct {
	// Zone names who counts together: all Routes of one object.
	Zone string
	// PerSecond and PerMinute are rates; 0: no such limit. Both hold where both are given.
	PerSecond, PerMinute int
	// Multiplier times the rate is how many requests may come at once, beside the first.
	Multiplier int
	// Status of refusals.
	Status int
	// Fields tells clients of the limit, in Retry-After and RateLimit.
	Fields bool
	// Exempt are clients that are not counted, as Disjoint returns them.
	Exempt []netip.Prefix
}

// Kind implements Filter.
func (*RequestLimit) Kind() Kind { return KindRequestLimit }

// Equal implements Filter.
func (l *RequestLimit) Equal(f Filter) bool {
	return string(l.AppendText(nil)) == string(f.AppendText(nil))
}

// AppendText implements Filter.
func (l *RequestLimit) AppendText(b []byte) []byte {
	return appendRates(b, l.PerSecond, l.PerMinute, l.Multiplier, l.Status, l.Fields, l.Exempt, l.Zone)
}

// Unavailable says what becomes of requests while the counts of all gateways cannot be had.
type Unavailable string

// The values of Unavailable.
const (
	CountAlone Unavailable = "local"  // each gateway counts by itself
	PassAll    Unavailable = "open"   // no request is refused
	RefuseAll  Unavailable = "closed" // every request is refused
)

// ClusterLimit is a RequestLimit that all gateways count together (sluice-gateway.io/cluster-limit-rps and -rpm).
type ClusterLimit struct {
	// As those of RequestLimit:

	Zone                 string
	PerSecond, PerMinute int
	Multiplier           int
	Status               int
	Fields               bool
	Exempt               []netip.Prefix

	Unavailable Unavailable
}

// Kind implements Filter.
func (*ClusterLimit) Kind() Kind { return KindClusterLimit }

// Equal implements Filter.
func (l *ClusterLimit) Equal(f Filter) bool {
	return string(l.AppendText(nil)) == string(f.AppendText(nil))
}

// AppendText implements Filter.
func (l *ClusterLimit) AppendText(b []byte) []byte {
	b = appendRates(b, l.PerSecond, l.PerMinute, l.Multiplier, l.Status, l.Fields, l.Exempt, l.Zone)
	return append(append(b, " unavailable "...), Word(string(l.Unavailable))...)
}

func appendRates(b []byte, second, minute, multiplier, status int, fields bool, exempt []netip.Prefix, zone string) []byte {
	if second != 0 {
		b = append(strconv.AppendInt(b, int64(second), 10), "/s "...)
	}
	if minute != 0 {
		b = append(strconv.AppendInt(b, int64(minute), 10), "/min "...)
	}
	b = strconv.AppendInt(append(b, "burst x"...), int64(multiplier), 10)
	b = strconv.AppendInt(append(b, " status "...), int64(status), 10)
	if fields {
		b = append(b, " with fields"...)
	}
	return appendZone(b, exempt, zone)
}

func appendZone(b []byte, exempt []netip.Prefix, zone string) []byte {
	for i, p := range exempt {
		b = p.AppendTo(append(b, [...]string{" exempt ", ","}[min(i, 1)]...))
	}
	return append(append(b, " zone "...), Word(zone)...)
}

// ConnectionLimit bounds the requests that one client has under way at once (nginx.ingress.kubernetes.io/limit-connections).
type ConnectionLimit struct {
	// Zone and Exempt are as those of RequestLimit.
	Zone   string
	Most   int
	Status int
	Exempt []netip.Prefix
}

// Kind implements Filter.
func (*ConnectionLimit) Kind() Kind { return KindConnectionLimit }

// Equal implements Filter.
func (l *ConnectionLimit) Equal(f Filter) bool {
	return string(l.AppendText(nil)) == string(f.AppendText(nil))
}

// AppendText implements Filter.
func (l *ConnectionLimit) AppendText(b []byte) []byte {
	b = strconv.AppendInt(append(b, "at most "...), int64(l.Most), 10)
	b = strconv.AppendInt(append(b, " of a client, status "...), int64(l.Status), 10)
	return appendZone(b, l.Exempt, l.Zone)
}

// ConcurrencyLimit bounds the requests that are under way at once on each Route (sluice-gateway.io/limit-concurrency).
type ConcurrencyLimit struct {
	Zone   string
	Most   int
	Status int
}

// Kind implements Filter.
func (*ConcurrencyLimit) Kind() Kind { return KindConcurrencyLimit }

// Equal implements Filter.
func (l *ConcurrencyLimit) Equal(f Filter) bool { return *l == *f.(*ConcurrencyLimit) }

// AppendText implements Filter.
func (l *ConcurrencyLimit) AppendText(b []byte) []byte {
	b = strconv.AppendInt(append(b, "at most "...), int64(l.Most), 10)
	b = strconv.AppendInt(append(b, " of a route, status "...), int64(l.Status), 10)
	return appendZone(b, nil, l.Zone)
}

// Throttle bounds how fast each response goes to its client (nginx.ingress.kubernetes.io/limit-rate and limit-rate-after).
type Throttle struct {
	PerSecond int64 // bytes
	After     int64 // bytes that go as fast as the client takes them
}

// Kind implements Filter.
func (*Throttle) Kind() Kind { return KindThrottle }

// Equal implements Filter.
func (l *Throttle) Equal(f Filter) bool { return *l == *f.(*Throttle) }

// AppendText implements Filter.
func (l *Throttle) AppendText(b []byte) []byte {
	b = append(strconv.AppendInt(b, l.PerSecond, 10), " bytes/s after "...)
	return strconv.AppendInt(b, l.After, 10)
}
