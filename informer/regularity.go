package informer

import (
	"errors"
	"slices"
	"strings"

	"github.com/sluice-gateway/sluice/routing/expression"
	"github.com/sluice-gateway/sluice/routing/policy"
)

// regularity is what an object wants of the paths of its hosts, and its own as expressions.
type regularity struct {
	// asked is true with use-regex, and where a target has groups.
	asked bool
	// target is that of a rewrite in an object taken over from ingress-nginx, which asks on the hosts where another path than
	// the target has it.
	target string

	// What follows is made when a host first needs it, by the goroutine that builds, and depends on nothing else.

	patterns map[string]parsed
	size     int
}

type parsed struct {
	pattern *expression.Pattern
	err     error
}

// maxExpressions bounds the programs of one object, in instructions of some 16 bytes.
const maxExpressions = 1 << 20

var errTooMany = errors.New("the expressions of the object are too large together; name fewer paths, or repeat less")

func (r *regularity) same(o *regularity) bool { return r.asked == o.asked && r.target == o.target }

// asks reports whether a path with that text turns its host's into expressions.
func (r *regularity) asks(text string) bool { return r.asked || r.target != "" && r.target != text }

// pattern returns the Pattern of a path. Where it has an error it stands for all that the path could have matched.
func (r *regularity) pattern(text string) (*expression.Pattern, error) {
	p, ok := r.patterns[text]
	if !ok {
		if r.patterns == nil {
			r.patterns = make(map[string]parsed)
		}
		if r.size > maxExpressions {
			p = parsed{expression.Beginning(text), errTooMany}
		} else {
			p.pattern, p.err = expression.ParsePattern(text)
			r.size += p.pattern.Size()
		}
		r.patterns[text] = p
	}
	return p.pattern, p.err
}

// mayBeRegular reports whether the paths of the object may be expressions on some host.
func (c *compiler) mayBeRegular() bool {
	return c.entry.controller == NginxController || c.settings.UseRegex || c.entry.regular.asked
}

// expressions finds out what the object wants of the paths of its hosts, and what a rewrite needs to know of its own.
func (c *compiler) expressions() {
	r := &c.entry.regular
	r.asked = c.settings.UseRegex
	rewrite, _ := c.settings.Policy.Filter(policy.KindRewrite).(*policy.Rewrite)
	if rewrite == nil {
		return
	}
	grouped := strings.Contains(rewrite.Target, "$")
	if c.entry.controller == NginxController {
		r.target = rewrite.Target
	} else {
		r.asked = r.asked || grouped
	}
	if !grouped {
		return
	}
	paths := make(map[string]struct{})
	for i := range c.ing.Spec.Rules {
		if http := c.ing.Spec.Rules[i].HTTP; http != nil {
			for k := range http.Paths {
				paths[writtenOf(&http.Paths[k])] = struct{}{}
			}
		}
	}
	rewrite.Paths = make([]string, 0, len(paths))
	for path := range paths {
		rewrite.Paths = append(rewrite.Paths, path)
	}
	slices.Sort(rewrite.Paths)
	if name := c.unknownName(rewrite); name != "" {
		const reason = "no path of the object has a group of the name behind a $; the Routes answer 503"
		c.reject(c.annotationName("rewrite-target"), rewrite.Target, reason)
		c.closed(reason)
	}
}

// unknownName returns a name in a target that is no group of any path, "" for none.
func (c *compiler) unknownName(rewrite *policy.Rewrite) string {
	for name := range rewrite.Names() {
		if !slices.ContainsFunc(rewrite.Paths, func(path string) bool {
			p, err := c.entry.regular.pattern(path)
			return err == nil && p.Group(name) > 0
		}) {
			return name
		}
	}
	return ""
}
