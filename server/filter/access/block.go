package access

import (
	"fmt"
	"regexp"

	"github.com/sluice-gateway/sluice/routing/expression"
	"github.com/sluice-gateway/sluice/routing/policy"
	"github.com/sluice-gateway/sluice/server"
	"github.com/sluice-gateway/sluice/server/internal/message"
)

// Block answers 403 to requests by what they say of themselves: policy.Block.
type Block struct{ agents, referers patterns }

// NewBlock makes a Block.
func NewBlock(f policy.Filter, _ server.Env) (server.Filter, error) {
	b, p := &Block{}, f.(*policy.Block)
	for _, list := range []struct {
		from []policy.TextPattern
		to   *patterns
	}{{p.UserAgents, &b.agents}, {p.Referers, &b.referers}} {
		for _, t := range list.from {
			if !t.Regular {
				list.to.whole = append(list.to.whole, t.Text)
				continue
			}
			if _, err := expression.Parse(t.Text); err != nil {
				return nil, fmt.Errorf("block: %w", err)
			}
			re, err := regexp.Compile(t.Text)
			if err != nil {
				return nil, fmt.Errorf("block: %w", err)
			}
			list.to.regular = append(list.to.regular, re)
		}
	}
	return b, nil
}

// Name implements server.Filter.
func (*Block) Name() string { return string(policy.KindBlock) }

// Request implements server.RequestFilter.
//
// hot: runs per request; no alloc, no lock.
func (b *Block) Request(x *server.Exchange) server.Verdict {
	if b.agents.match(x, "User-Agent") || b.referers.match(x, "Referer") {
		return x.Refuse(403, "requests of this kind are not served")
	}
	return server.Continue
}

// patterns are those of one field.
type patterns struct {
	whole   []string
	regular []*regexp.Regexp
}

// match reports whether the field's value, "" for none, is one of the texts or matches one of the expressions. Of a long value
// the beginning is looked at, because the time of a match grows with it.
func (p *patterns) match(x *server.Exchange, name string) bool {
	if len(p.whole)+len(p.regular) == 0 {
		return false
	}
	value := x.RequestField(name)
	for _, text := range p.whole {
		if len(text) == len(value) && message.EqualFold(value, text) {
			return true
		}
	}
	value = value[:min(len(value), expression.MaxInput)]
	for _, re := range p.regular {
		if re.Match(value) {
			return true
		}
	}
	return false
}
