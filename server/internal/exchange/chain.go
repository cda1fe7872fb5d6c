package exchange

import (
	"errors"
	"fmt"
	"log/slog"

	"github.com/sluice-gateway/sluice/routing"
	"github.com/sluice-gateway/sluice/routing/policy"
	"github.com/sluice-gateway/sluice/server/internal/stats"
)

// chain is the compiled onion of a Route: a list for each phase, whose elements know their place. Immutable, but for state.
type chain struct {
	size     uint8 // Filters in all: places count from 0
	request  []placed[RequestFilter]
	response []placed[ResponseFilter] // from the inside out
	body     []placed[BodyFilter]
	done     []placed[DoneFilter] // from the inside out
	loops    []LoopFilter         // by place; nil where there is none
	// state is by loop and place. Each loop reads and writes its own row alone.
	state [][]any
}

type placed[F Filter] struct {
	filter F
	at     uint8
}

// looksBack reports that the request may be asked for behind its request phase.
func (c *chain) looksBack() bool { return len(c.response)+len(c.body)+len(c.done) > 0 }

// maxFilters bounds a chain.
const maxFilters = 255

// noChain is that of a Route without Filters.
var noChain = &chain{}

func compileChain(filters []Filter, loops int) *chain {
	if len(filters) == 0 {
		return noChain
	}
	c := &chain{size: uint8(len(filters))}
	for i, f := range filters {
		if f, ok := f.(RequestFilter); ok {
			c.request = append(c.request, placed[RequestFilter]{f, uint8(i)})
		}
		if f, ok := f.(BodyFilter); ok {
			c.body = append(c.body, placed[BodyFilter]{f, uint8(i)})
		}
	}
	for i := len(filters) - 1; i >= 0; i-- {
		if f, ok := filters[i].(ResponseFilter); ok {
			c.response = append(c.response, placed[ResponseFilter]{f, uint8(i)})
		}
		if f, ok := filters[i].(DoneFilter); ok {
			c.done = append(c.done, placed[DoneFilter]{f, uint8(i)})
		}
		if f, ok := filters[i].(LoopFilter); ok {
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

// Policy is a Policy as the request path reads it (0 = as the settings say), with its onion. Immutable, and shared by the
// Routes that have the Policy.
type Policy struct {
	chain                      *chain
	bodyLimit                  int64
	connect, read, send, total int64
	upstreamHost               []byte
	closed                     bool // every Route answers 503
}

// attached is what the data plane hangs on a Route of an object with a Policy, before it is published.
// On all others it hangs the Series alone: requests spread over 100,000 Routes find none of this in a
// cache, and a Series is not looked at before Shard.Record has gathered a batch of them.
type attached struct {
	policy *Policy
	series *stats.Series
}

// Attacher makes what hangs on Routes. Used by the goroutine that builds Snapshots.
type Attacher struct {
	registry *stats.Registry
	log      *slog.Logger
	filters  []Filter // of every Route
	makers   []Maker
	loops    int
	Standard *Policy // of a Route whose object has no Policy
}

// attachment is what the data plane hangs on a Policy: what it has compiled, and for which Server.
type attachment struct {
	by       *Attacher
	compiled *Policy
}

func NewAttacher(registry *stats.Registry, log *slog.Logger, filters []Filter, makers []Maker, loops int) Attacher {
	return Attacher{
		registry: registry, log: log, filters: filters, makers: makers, loops: loops,
		Standard: &Policy{chain: compileChain(filters, loops)},
	}
}

func (a *Attacher) Attach(r *routing.Route) any {
	series := a.registry.Attach(r)
	if r.Source == nil || r.Source.Policy == nil {
		return series
	}
	p := r.Source.Policy
	hung, ok := p.Attachment.(*attachment)
	if !ok || hung.by != a {
		hung = &attachment{a, a.compile(p)}
		p.Attachment = hung
	}
	return &attached{hung.compiled, series}
}

// compile makes what the Policy asks for. What cannot be made closes its Routes.
func (a *Attacher) compile(p *policy.Policy) *Policy {
	c := &Policy{
		chain: a.Standard.chain, bodyLimit: p.Limits.BodyBytes,
		connect: p.Limits.Connect, read: p.Limits.Read, send: p.Limits.Send, total: p.Limits.Request,
		closed: p.Closed != "",
	}
	if p.UpstreamHost != "" {
		c.upstreamHost = []byte(p.UpstreamHost)
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

// make returns the Filters of a Policy behind those of every Route.
func (a *Attacher) make(p *policy.Policy) ([]Filter, error) {
	filters := a.filters[:len(a.filters):len(a.filters)]
	made := map[policy.Kind]bool{}
	for _, m := range a.makers {
		config := p.Filter(m.Kind)
		if config == nil {
			continue
		}
		if made[m.Kind] {
			return nil, fmt.Errorf("filter %s has two makers", m.Kind)
		}
		f, err := m.safely(config, Env{Slot: len(filters)})
		if err != nil {
			return nil, fmt.Errorf("make filter %s: %w", m.Kind, err)
		}
		filters = append(filters, f)
		made[m.Kind] = true
	}
	if len(filters) > maxFilters {
		return nil, fmt.Errorf("%d filters, at most %d can be", len(filters), maxFilters)
	}
	for i, f := range p.Filters {
		switch {
		case !made[f.Kind()]:
			return nil, fmt.Errorf("no filter of kind %s is registered", f.Kind())
		case p.Filter(f.Kind()) != p.Filters[i]:
			return nil, fmt.Errorf("filter %s occurs twice", f.Kind())
		}
	}
	return filters, nil
}

// safely makes a Filter: one that panics is not made, and neither is one that would do nothing.
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

// runFilters takes the Filters from where the request has come to, and then forwards it.
//
// hot: runs per request; no alloc, no lock.
func (x *Core) runFilters() {
	c, serial := x.policy.chain, x.serial
	for _, f := range c.request[x.passed:] {
		x.passed++
		x.depth = f.at + 1
		verdict := x.askRequest(f.filter)
		switch {
		case x.serial != serial: // it has answered
			return
		case x.parked:
			x.keepHead()
			return
		case x.faulty || verdict != Continue:
			x.w.faults.misused(f.filter, "request phase")
			x.Fail(failInternal)
			return
		}
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

// runDone tells the Filters that have seen the request.
func (x *Core) runDone(e *Event) {
	for _, f := range x.policy.chain.done {
		if f.at < x.depth {
			x.tellDone(f.filter, e)
		}
	}
}
