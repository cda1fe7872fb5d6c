package rewrite

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/sluice-gateway/sluice/routing"
	"github.com/sluice-gateway/sluice/routing/expression"
	"github.com/sluice-gateway/sluice/routing/policy"
	"github.com/sluice-gateway/sluice/server"
	"github.com/sluice-gateway/sluice/server/filter/variable"
)

// Target replaces the path of requests: policy.Rewrite. What its groups have matched is read from the client's path, once
// more, by the Route's own expression.
type Target struct {
	slot     int
	spelling string
	// path is the whole of it where it has no parts.
	path []byte
	// redirect is true where the client is sent to the target, and not the request.
	redirect bool
	parts    []part
	// dotted is true where the target as it is written has a segment of dots.
	dotted   bool
	patterns map[string]*expression.Pattern
}

// part is text, and then what a group has matched.
type part struct {
	text  string
	group int
	name  string // "" for a group with a number, or none
	// variable is what the name stands for where no group has it; empty where it is none of policy.RewriteVariables.
	variable variable.Text
}

// NewTarget makes a Target.
func NewTarget(f policy.Filter, e server.Env) (server.Filter, error) {
	r := f.(*policy.Rewrite)
	t := &Target{slot: e.Slot, spelling: r.Target}
	t.redirect = strings.HasPrefix(r.Target, "http://") || strings.HasPrefix(r.Target, "https://") || strings.HasPrefix(r.Target, "$scheme")
	if t.parts = parse(r.Target); t.parts == nil && !t.redirect {
		t.path = []byte(r.Target)
		return t, nil
	}
	t.dotted = dotted([]byte(r.Target))
	t.patterns = make(map[string]*expression.Pattern, len(r.Paths))
	for _, path := range r.Paths {
		if p, err := expression.ParsePattern(path); err == nil {
			t.patterns[path] = p
		}
	}
	for _, p := range t.parts {
		if p.name != "" && p.variable == nil && !t.names(p.name) {
			return nil, fmt.Errorf("no path has a group named %s", policy.Word(p.name))
		}
	}
	return t, nil
}

// names reports whether a path has a group of that name.
func (t *Target) names(name string) bool {
	for _, p := range t.patterns {
		if p.Group(name) > 0 {
			return true
		}
	}
	return false
}

// parse returns the parts of a target, nil for one that stands for itself.
func parse(target string) (parts []part) {
	text := ""
	for rest := target; ; {
		before, after, found := strings.Cut(rest, "$")
		text += before
		if !found {
			if parts != nil && text != "" {
				parts = append(parts, part{text: text})
			}
			return parts
		}
		switch {
		case after != "" && '1' <= after[0] && after[0] <= '9':
			parts = append(parts, part{text: text, group: int(after[0] - '0')})
			rest = after[1:]
		default:
			n := 0
			for n < len(after) && (after[n] == '_' || '0' <= after[n] && after[n] <= '9' || 'a' <= after[n]|0x20 && after[n]|0x20 <= 'z') {
				n++
			}
			known, _ := variable.Parse("$"+after[:n], policy.RewriteVariables)
			parts = append(parts, part{text: text, name: after[:n], variable: known})
			rest = after[n:]
		}
		text = ""
	}
}

// Name implements server.Filter.
func (*Target) Name() string { return string(policy.KindRewrite) }

// Request implements server.RequestFilter.
//
// hot: runs per request; no alloc, no lock.
func (t *Target) Request(x *server.Exchange) server.Verdict {
	switch route := x.Route(); {
	case route.Spelling() == t.spelling:
		return server.Continue
	case t.path != nil:
		x.SetPath(t.path)
		return server.Continue
	case t.redirect:
		return t.send(x)
	}
	slot := x.Slot(t.slot)
	b, path := t.client(x, slot.Bytes)
	begin := len(b)
	b, ok := t.appendTo(b, x, path)
	slot.Bytes = b
	switch made := b[begin:]; {
	case !ok:
		return x.Refuse(503, tooMuch)
	case len(made) == 0 || made[0] != '/':
		return x.Refuse(500, "the rewritten path does not begin with a slash")
	case !t.dotted && dotted(made):
		return x.Refuse(400, "the rewritten path has a segment of dots")
	default:
		x.SetPath(made)
	}
	return server.Continue
}

const tooMuch = "the path takes too much work to rewrite"

// send redirects to a URL.
//
// hot: runs per request; no alloc, no lock.
func (t *Target) send(x *server.Exchange) server.Verdict {
	slot := x.Slot(t.slot)
	b, path := t.client(x, slot.Bytes)
	begin := len(b)
	b = append(b, "Location: "...)
	ok := true
	if t.parts == nil {
		b = append(b, t.spelling...)
	} else {
		b, ok = t.appendTo(b, x, path)
	}
	if query := x.Query(); len(query) > 0 {
		b = append(append(b, '?'), query...)
	}
	b = append(b, "\r\n"...)
	slot.Bytes = b
	if !ok {
		return x.Refuse(503, tooMuch)
	}
	return x.Respond(302, b[begin:], nil)
}

// client returns the normalised path of the request, which may lie in b, and b with what it takes there.
//
// hot: runs per request; no alloc but for a longer path than before, no lock.
func (t *Target) client(x *server.Exchange, b []byte) (after, path []byte) {
	raw := x.Path()
	n := len(raw) + 1
	if cap(b) < n {
		b = make([]byte, 0, 2*n+64)
	}
	path, _ = routing.NormalizePath(b[:0:n], raw) // it has a Route, so that it can be normalised
	return b[:n], path
}

// appendTo appends the target with what its groups have matched in path. ok is false where that was too much work.
//
// hot: runs per request; no alloc, no lock.
func (t *Target) appendTo(b []byte, x *server.Exchange, path []byte) (_ []byte, ok bool) {
	pattern := t.patterns[x.Route().Path]
	var m *expression.Matcher
	if pattern != nil {
		m = expression.NewMatcher()
		defer m.Release()
		if !pattern.Captures(m, path) {
			if m.Exhausted() {
				return b, false
			}
			pattern = nil
		}
	}
	for i := range t.parts {
		p := &t.parts[i]
		b = append(b, p.text...)
		n := p.group
		switch {
		case p.name == "":
		case pattern != nil && pattern.Group(p.name) > 0:
			n = pattern.Group(p.name)
		default:
			b = p.variable.Append(b, x)
		}
		if n > 0 && pattern != nil {
			from, to := m.Group(n)
			b = appendEscaped(b, path[from:to])
		}
	}
	return b, true
}

// dotted reports whether a path has a segment "." or "..".
//
// hot: runs per request; no alloc, no lock.
func dotted(path []byte) bool {
	for len(path) > 0 {
		segment, rest, _ := bytes.Cut(path, slash)
		if n := len(segment); n > 0 && n <= 2 && segment[0] == '.' && segment[n-1] == '.' {
			return true
		}
		path = rest
	}
	return false
}

var slash = []byte{'/'}
