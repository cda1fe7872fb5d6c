package policy

import (
	"cmp"
	"iter"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// Policy is the configuration of the request path that the Routes of one object share. The zero value asks for nothing.
type Policy struct {
	Limits Limits
	Retry  Retry
	// Priority says which requests go first when the gateway is short of memory: those with the least; 0 is usual.
	Priority int32
	// UpstreamHost replaces the Host sent to the Backend; "" keeps the client's.
	UpstreamHost string
	// Connection is what Backends of HTTP/1.1 are told of their connection: ConnectionClose, ConnectionKeep, or "" for nothing.
	Connection string
	// StrictTransport is the value of Strict-Transport-Security in responses over TLS, instead of a Backend's; NoTransport for no
	// field of the gateway's, and "" for DefaultTransport in those of Anonymous Routes alone.
	StrictTransport string
	// Filters are sorted by Kind, with one of each at most.
	Filters []Filter
	// Closed is why every Route of the object answers 503, in the gateway's words; "" where they do not. Such Routes
	// have no Backend either, so that code which overlooks Closed forwards nothing.
	Closed string
	// Attachment is the data plane's compiled form. Set by the goroutine that builds Snapshots before the first one
	// with this Policy is published; opaque here, and ignored by Equal.
	Attachment any
}

// The values of Policy.Connection.
const (
	ConnectionClose = "close"
	ConnectionKeep  = "keep-alive"
)

// Filter is the configuration of one filter: an immutable plain value.
type Filter interface {
	// Kind names the filter, and with that its place in the onion.
	Kind() Kind
	// Equal reports whether another Filter asks for the same. It is given Filters of its own Kind.
	Equal(Filter) bool
	// AppendText appends the configuration as one line, without its Kind, and nothing that a Secret holds. Text from
	// a manifest is quoted (see Word), so that it cannot forge another line. Texts differ where Filters do.
	AppendText([]byte) []byte
}

// Kind is the name of a filter in dumps, in explain and in metrics: lower-case letters, digits and hyphens. The
// gateway's own Kinds stand beside their configurations; other programs may have theirs.
type Kind string

// Limits bound one exchange. Zero stands for the gateway's own limit. Times are nanoseconds.
type Limits struct {
	// BodyBytes bounds a request's body; negative: unlimited.
	BodyBytes int64
	// Connect bounds the wait for a connection to an Endpoint, Read and Send the waits between two reads and two
	// writes.
	Connect, Read, Send int64
	// Request bounds the whole exchange.
	Request int64
}

// Equal reports whether p and o ask for the same; nil is the Policy that asks for nothing.
func (p *Policy) Equal(o *Policy) bool {
	if p == o {
		return true
	}
	var zero Policy
	if p == nil {
		p = &zero
	}
	if o == nil {
		o = &zero
	}
	return p.Limits == o.Limits && p.Retry == o.Retry && p.Priority == o.Priority && p.UpstreamHost == o.UpstreamHost &&
		p.Connection == o.Connection && p.StrictTransport == o.StrictTransport && p.Closed == o.Closed &&
		slices.EqualFunc(p.Filters, o.Filters, func(a, b Filter) bool { return a.Kind() == b.Kind() && a.Equal(b) })
}

// Empty reports whether p asks for nothing.
func (p *Policy) Empty() bool { return p.Equal(nil) }

// Filter returns the Filter of a Kind, nil where there is none.
func (p *Policy) Filter(k Kind) Filter {
	if p != nil {
		for _, f := range p.Filters {
			if f.Kind() == k {
				return f
			}
		}
	}
	return nil
}

// Set puts f in its place, instead of one of the same Kind. Only before p is published.
func (p *Policy) Set(f Filter) {
	i, found := slices.BinarySearchFunc(p.Filters, f.Kind(), func(f Filter, k Kind) int { return cmp.Compare(f.Kind(), k) })
	if found {
		p.Filters[i] = f
		return
	}
	p.Filters = slices.Insert(p.Filters, i, f)
}

// Remove takes the Filter of a Kind away. Only before p is published.
func (p *Policy) Remove(k Kind) {
	p.Filters = slices.DeleteFunc(p.Filters, func(f Filter) bool { return f.Kind() == k })
}

// Lines is p for people, a line a thing: the only place that knows what there is to show. The text of /debug/routes, of
// explain and of goldens comes from here.
func (p *Policy) Lines() iter.Seq[string] { return p.lines(true) }

// Asks is Lines without the Filters, which Onion.Layers has in the order in which requests pass them.
func (p *Policy) Asks() iter.Seq[string] { return p.lines(false) }

func (p *Policy) lines(filters bool) iter.Seq[string] {
	return func(yield func(string) bool) {
		if p == nil {
			return
		}
		l := &p.Limits
		switch {
		case l.BodyBytes < 0 && !yield("request body unlimited"),
			l.BodyBytes > 0 && !yield("request body at most "+strconv.FormatInt(l.BodyBytes, 10)+" bytes"):
			return
		}
		for _, t := range []struct {
			name  string
			value int64
		}{{"connect timeout ", l.Connect}, {"read timeout ", l.Read}, {"send timeout ", l.Send}, {"request timeout ", l.Request}} {
			if t.value != 0 && !yield(t.name+time.Duration(t.value).String()) {
				return
			}
		}
		if p.Retry != (Retry{}) && !yield(p.Retry.String()) {
			return
		}
		if p.Priority != 0 && !yield("priority "+strconv.Itoa(int(p.Priority))) {
			return
		}
		if p.UpstreamHost != "" && !yield("Host sent to the backend "+Word(p.UpstreamHost)) {
			return
		}
		if p.Connection != "" && !yield("connection to the backend "+Word(p.Connection)) {
			return
		}
		if p.StrictTransport != "" && !yield("Strict-Transport-Security "+Word(p.StrictTransport)) {
			return
		}
		for _, f := range p.Filters {
			if filters && !yield(Line(f)) {
				return
			}
		}
		if p.Closed != "" {
			yield("closed: " + p.Closed)
		}
	}
}

// Line is f for people: its Kind, and what it is to do.
func Line(f Filter) string {
	line := strings.TrimSuffix(string(f.AppendText(append([]byte(f.Kind()), ' '))), " ")
	if strings.ContainsFunc(line, unicode.IsControl) {
		// A line break of a Filter that does not quote must forge no line either.
		line = strconv.Quote(line)
	}
	return line
}
