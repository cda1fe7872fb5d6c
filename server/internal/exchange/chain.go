package exchange

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"

	"github.com/sluice-gateway/sluice/routing"
	"github.com/sluice-gateway/sluice/routing/policy"
	"github.com/sluice-gateway/sluice/server/internal/stats"
)

// chain is the compiled Chain of a Route: a list for each phase, whose elements know their place. Immutable, except state.
type chain struct {
	size     uint8 // Filters in all: places count from 0
	request  []placed[RequestFilter]
	response []placed[ResponseFilter] // from the inside out
	body     []placed[BodyFilter]
	done     []placed[DoneFilter] // from the inside out
	loops    []LoopFilter         // by place; nil where there is none
	detour   DetourFilter         // nil: none of them is one
	// outer counts the Filters without a request phase that stand outside all that have one: they see what becomes of a
	// request that fails before the first request phase because it is too large.
	outer    uint8
	outcomes []outcomes // by place
	// state is by loop and place. Each loop reads and writes its own row alone.
	state [][]any
}

type placed[F Filter] struct {
	filter F
	at     uint8
	count  stats.FilterID
}

// link is a Filter that is to stand in a chain, and what counts it.
type link struct {
	filter   Filter
	count    stats.FilterID
	outcomes outcomes
}

// outcomes are the places of what a Filter counts of its own.
type outcomes struct{ first, n int }

// looksBack reports that Filters may read the request behind its request phase.
func (c *chain) looksBack() bool { return len(c.response)+len(c.body)+len(c.done) > 0 }

// maxFilters bounds a chain.
const maxFilters = 255

// noChain is the Chain of a Route without Filters.
var noChain = &chain{}

// compileChain makes the Chain of filters, which are in the order of the onion from the outside in, with state for so many
// loops.
func compileChain(filters []link, loops int) *chain {
	if len(filters) == 0 {
		return noChain
	}
	c := &chain{size: uint8(len(filters))}
	for i, l := range filters {
		c.outcomes = append(c.outcomes, l.outcomes)
		if d, ok := l.filter.(DetourFilter); ok && c.detour == nil {
			c.detour = d
		}
		if f, ok := l.filter.(RequestFilter); ok {
			c.request = append(c.request, placed[RequestFilter]{f, uint8(i), l.count})
		}
		if f, ok := l.filter.(BodyFilter); ok {
			c.body = append(c.body, placed[BodyFilter]{f, uint8(i), l.count})
		}
	}
	c.outer = c.size
	if len(c.request) > 0 {
		c.outer = c.request[0].at
	}
	for i := len(filters) - 1; i >= 0; i-- {
		l := filters[i]
		if f, ok := l.filter.(ResponseFilter); ok {
			c.response = append(c.response, placed[ResponseFilter]{f, uint8(i), l.count})
		}
		if f, ok := l.filter.(DoneFilter); ok {
			c.done = append(c.done, placed[DoneFilter]{f, uint8(i), l.count})
		}
		if f, ok := l.filter.(LoopFilter); ok {
			if c.loops == nil {
				c.loops, c.state = make([]LoopFilter, len(filters)), make([][]any, loops)
			}
			c.loops[i] = f
		}
	}
	for i := range c.state {
		c.state[i] = make([]any, len(filters))
	}
	return c
}

// Policy is an object's Policy, compiled for the request path: its limits, where 0 leaves the limit to the Settings, and its
// Chain. Immutable, and shared by the Routes of the object.
type Policy struct {
	chain                      *chain
	bodyLimit                  int64
	connect, read, send, total int64
	retry                      retry
	priority                   int32
	upstreamHost               []byte
	connection                 string // what Connection tells a Backend of HTTP/1.1: one of policy's values, or ""
	transport                  []byte // line of Strict-Transport-Security; nil: nothing is said of it, empty: none
	closed                     bool   // every Route answers 503
}

// routeAttachment is the Attachment of a Route with a Split, or whose object has a Policy. The Attachment of any other Route is its Series
// alone: requests that are spread over 100,000 Routes find neither in a cache, and a Series is not read before Shard.Record
// has gathered a batch of them.
type routeAttachment struct {
	policy *Policy
	series *stats.Series
	split  *routing.Split // nil for most
	canary *stats.Series  // of the requests that a canary serves; nil where split is none
}

// Compiler makes the Attachments of Routes, and compiles the Policies of their objects, each once. Made by NewCompiler; it
// must not be copied once used. It belongs to the goroutine that builds Snapshots, except Plain, which is immutable.
type Compiler struct {
	registry *stats.Registry
	log      *slog.Logger
	filters  []link // of every Route
	makers   []Maker
	counts   []stats.FilterID // of makers
	onion    policy.Onion     // of makers
	loops    int
	Plain    *Policy // of a Route whose object has no Policy
}

// policyAttachment is the Attachment of a Policy. One that another Server's Compiler has made is replaced.
type policyAttachment struct {
	by       *Compiler
	compiled *Policy
}

// NewCompiler makes the Compiler of a Server with so many loops. filters are those of every Route; makers make the Filters
// of Policies. Policies that cannot be compiled are logged to log.
func NewCompiler(registry *stats.Registry, log *slog.Logger, filters []Filter, makers []Maker, loops int) Compiler {
	a := Compiler{registry: registry, log: log, makers: Sorted(makers), loops: loops}
	for _, f := range filters {
		a.filters = append(a.filters, link{filter: f, count: registry.AddFilter(f.Name(), nil)})
	}
	for _, m := range a.makers {
		a.counts = append(a.counts, registry.AddFilter(string(m.Kind), m.Outcomes))
	}
	a.onion = OnionOf(a.makers)
	a.Plain = &Policy{chain: compileChain(a.filters, loops), retry: newRetry(policy.Retry{})}
	return a
}

// Attachment returns the Attachment of r, and compiles the Policy of its object at first use.
func (a *Compiler) Attachment(r *routing.Route) any {
	series := a.registry.Attach(r)
	if r.Source == nil || r.Source.Policy == nil {
		if split := r.Split(); split != nil {
			return &routeAttachment{a.Plain, series, split, a.canary(r)}
		}
		return series
	}
	p := r.Source.Policy
	made, ok := p.Attachment.(*policyAttachment)
	if !ok || made.by != a {
		made = &policyAttachment{a, a.compile(p)}
		p.Attachment = made
	}
	return &routeAttachment{made.compiled, series, r.Source.Split, a.canary(r)}
}

// canary returns the Series of the requests of r that its canary serves, nil where it has none.
func (a *Compiler) canary(r *routing.Route) *stats.Series {
	if split := r.Split(); split != nil && split.Canary && len(split.Shares) > 1 {
		return a.registry.AttachCanary(r, split.Shares[1].Backend)
	}
	return nil
}

// compile compiles p. A Filter that cannot be made closes the Routes of p.
func (a *Compiler) compile(p *policy.Policy) *Policy {
	c := &Policy{
		chain: a.Plain.chain, bodyLimit: p.Limits.BodyBytes,
		connect: p.Limits.Connect, read: p.Limits.Read, send: p.Limits.Send, total: p.Limits.Request,
		retry: newRetry(p.Retry), priority: p.Priority,
		closed: p.Closed != "",
	}
	if p.UpstreamHost != "" {
		c.upstreamHost = []byte(p.UpstreamHost)
	}
	switch p.Connection {
	case policy.ConnectionClose, policy.ConnectionKeep:
		c.connection = p.Connection
	}
	switch p.StrictTransport {
	case "":
	case policy.NoTransport:
		c.transport = []byte{}
	default:
		c.transport = []byte(fieldTransport + ": " + p.StrictTransport + "\r\n")
	}
	if len(p.Filters) == 0 {
		return c
	}
	filters, err := a.make(p)
	if err != nil {
		a.log.Error("closed the routes of a policy", "error", err)
		c.closed = true
		return c
	}
	c.chain = compileChain(filters, a.loops)
	return c
}

// make returns the Filters of every Route, and behind them those of p.
func (a *Compiler) make(p *policy.Policy) ([]link, error) {
	filters := a.filters[:len(a.filters):len(a.filters)]
	var last policy.Kind
	for i, f := range p.Filters {
		if i > 0 && f.Kind() == last {
			return nil, fmt.Errorf("filter %s occurs twice", last)
		}
		last = f.Kind()
	}
	for i, m := range a.makers {
		if p.Filter(m.Kind) != nil && slices.ContainsFunc(a.makers[:i], func(o Maker) bool { return o.Kind == m.Kind }) {
			return nil, fmt.Errorf("filter %s has two makers", m.Kind)
		}
	}
	for _, l := range a.onion.Layers(p) {
		kind := l.Filter.Kind()
		if l.Place < 0 {
			return nil, fmt.Errorf("no filter of kind %s is registered", kind)
		}
		f, err := a.makers[l.Place].safely(l.Filter, Env{Slot: len(filters), Log: a.log})
		if err != nil {
			return nil, fmt.Errorf("make filter %s: %w", kind, err)
		}
		made := link{filter: f, count: a.counts[l.Place]}
		made.outcomes.first, made.outcomes.n = a.registry.Outcomes(made.count)
		filters = append(filters, made)
	}
	if len(filters) > maxFilters {
		return nil, fmt.Errorf("%d filters, at most %d can be", len(filters), maxFilters)
	}
	return filters, nil
}

// safely calls Make. A panic is an error, and so is a Filter without a phase, which would do nothing.
func (m *Maker) safely(config policy.Filter, e Env) (f Filter, err error) {
	defer func() {
		if reason := recover(); reason != nil {
			f, err = nil, fmt.Errorf("panic: %v", reason)
		}
	}()
	if f, err = m.Make(config, e); err != nil {
		return nil, err
	}
	switch f.(type) {
	case RequestFilter, ResponseFilter, BodyFilter, DoneFilter:
		return f, nil
	}
	return nil, errors.New("it has no phase")
}

// runFilters runs the request phases that are still to come, and then forwards the request. Where a Filter has parked x, it
// returns with the head copied; x may have ended, too.
//
// hot: runs per request; no alloc, no lock.
func (x *Core) runFilters() {
	c, serial := x.policy.chain, x.serial
	for _, f := range c.request[x.passed:] {
		x.passed++
		x.depth = f.at + 1
		verdict := x.askRequest(f.filter)
		n := x.w.Shard.Filter(f.count)
		switch {
		case x.serial != serial: // the Filter has answered
			n.Responded++
			return
		case x.parked:
			n.Parked++
			x.keepHead()
			return
		case x.filterFailed || verdict != Continue:
			n.Failed++
			x.w.faults.misused(f.filter, "request phase")
			x.Fail(failInternal)
			return
		}
		n.Continued++
	}
	if x.route.Backend == routing.Elsewhere {
		x.elsewhere()
		return
	}
	x.depth = c.size
	x.forward(x.req, x.head, x.early)
	if x.serial != serial || x.kept == nil {
		x.req, x.head, x.early = nil, nil, nil
		return
	}
	x.req, x.head, x.early = &x.kept.Request, x.kept.Head, nil
}

// runDone calls the DoneFilters among those that have seen the request.
func (x *Core) runDone(e *Event) {
	for _, f := range x.policy.chain.done {
		if f.at < x.depth {
			x.tellDone(f, e)
		}
	}
}
