package policy

import (
	"cmp"
	"slices"
)

// Stage is a named part of the onion, which stands around each request. Filters of one Stage are neighbours.
type Stage string

// The Stages, from the outside in: a request passes them in this order, and its response in reverse. It is the order of nginx'
// phases, on which manifests that were written for it rely. What changes responses stands outside, so that it sees all of
// them, also those of the gateway's own.
const (
	// StageEncoding compresses what all others have made of a response.
	StageEncoding Stage = "encoding"
	// StageErrors puts other pages in the place of errors, the gateway's own too.
	StageErrors Stage = "errors"
	// StageFields edits the fields of responses, whatever answered: security headers, cookies, Location.
	StageFields Stage = "fields"
	// StageIdentity finds out who asks: what a client or a proxy in front of it says of itself.
	StageIdentity Stage = "identity"
	// StageRedirect sends requests elsewhere, answers preflights of browsers, and rewrites what Backends are asked for.
	StageRedirect Stage = "redirect"
	// StageLimit bounds requests and connections.
	StageLimit Stage = "limit"
	// StageFirewall looks for attacks in what is asked.
	StageFirewall Stage = "firewall"
	// StageAccess decides who may ask: addresses, passwords, tokens, authorities.
	StageAccess Stage = "access"
	// StageMirror sends copies of requests that are served.
	StageMirror Stage = "mirror"
	// StageBackend chooses the Backend and the Endpoint.
	StageBackend Stage = "backend"
	// StageForward is next to the Backend: it sees requests as they leave and responses as they come.
	StageForward Stage = "forward"
)

// stages are all Stages, from the outside in.
var stages = []Stage{
	StageEncoding, StageErrors, StageFields, StageIdentity, StageRedirect, StageLimit, StageFirewall, StageAccess, StageMirror,
	StageBackend, StageForward,
}

// Stages returns all Stages, from the outside in.
func Stages() []Stage { return slices.Clone(stages) }

// Known reports whether s is one of the Stages.
func (s Stage) Known() bool { return slices.Contains(stages, s) }

// Compare sorts Stages from the outside in. What is none of them stands inside all.
func (s Stage) Compare(o Stage) int {
	rank := func(s Stage) int { return (slices.Index(stages, s) + len(stages) + 1) % (len(stages) + 1) }
	return cmp.Compare(rank(s), rank(o))
}

// Place is where the Filters of a Kind stand.
type Place struct {
	Kind  Kind
	Stage Stage
}

// Onion has the Place of each Kind, from the outside in.
type Onion []Place

// Mover is a Filter that an object can put at the end of another Stage than its Kind's.
type Mover interface {
	Filter
	// MovedTo returns the Stage; "" leaves the Filter where its Kind stands.
	MovedTo() Stage
}

// Layer is a Filter of a Policy with its Stage, and its Place in the Onion.
type Layer struct {
	Filter Filter
	Stage  Stage
	Place  int // an index into the Onion; < 0: the Kind has no Place
}

// Layers returns the Filters of p from the outside in, those without a Place last.
func (o Onion) Layers(p *Policy) []Layer {
	if p == nil {
		return nil
	}
	layers := make([]Layer, 0, len(p.Filters))
	for _, f := range p.Filters {
		l := Layer{Filter: f, Place: slices.IndexFunc(o, func(at Place) bool { return at.Kind == f.Kind() })}
		if l.Place >= 0 {
			l.Stage = o[l.Place].Stage
		}
		layers = append(layers, l)
	}
	slices.SortStableFunc(layers, func(a, b Layer) int { return cmp.Compare(uint(a.Place), uint(b.Place)) })
	// Behind the others of its new Stage comes one that was moved.
	var moved []Layer
	layers = slices.DeleteFunc(layers, func(l Layer) bool {
		m, ok := l.Filter.(Mover)
		if !ok || m.MovedTo() == "" || l.Place < 0 {
			return false
		}
		l.Stage = m.MovedTo()
		moved = append(moved, l)
		return true
	})
	for _, l := range moved {
		at := slices.IndexFunc(layers, func(o Layer) bool { return o.Place < 0 || o.Stage.Compare(l.Stage) > 0 })
		if at < 0 {
			at = len(layers)
		}
		layers = slices.Insert(layers, at, l)
	}
	return layers
}
