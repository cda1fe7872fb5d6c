package choice

import (
	"strings"

	"github.com/sluice-gateway/sluice/routing/expression"
	"github.com/sluice-gateway/sluice/routing/policy"
	"github.com/sluice-gateway/sluice/server"
	"github.com/sluice-gateway/sluice/server/filter/variable"
)

// The Shares of a Route with a canary.
const (
	mainShare   = 0
	canaryShare = 1
)

// Canary chooses between the main Backend of a Route and its canary: policy.Canary. What it has no opinion about is left to
// the weights.
type Canary struct {
	header  string
	value   string
	pattern *expression.Pattern
	unread  bool
	cookie  string
}

// NewCanary makes a Canary.
func NewCanary(f policy.Filter, _ server.Env) (server.Filter, error) {
	config := f.(*policy.Canary)
	c := &Canary{
		// To nginx, where the name becomes part of a variable's, an underscore is a hyphen.
		header: strings.ReplaceAll(config.Header, "_", "-"),
		value:  config.Value, cookie: config.Cookie, unread: config.Unread,
	}
	if config.Pattern != "" && !config.Unread && config.Value == "" {
		var err error
		if c.pattern, err = expression.ParseAnywhere(config.Pattern); err != nil {
			return nil, err
		}
	}
	return c, nil
}

var _ server.RequestFilter = (*Canary)(nil)

// Name implements server.Filter.
func (*Canary) Name() string { return string(policy.KindCanary) }

// Request implements server.RequestFilter.
//
// hot: runs per request; no alloc, no lock.
func (c *Canary) Request(x *server.Exchange) server.Verdict {
	if x.ChosenShare() >= 0 {
		return server.Continue // a session that began at one of the Backends stays there
	}
	if share := c.choose(x); share >= 0 {
		x.ChooseShare(share)
	}
	return server.Continue
}

// choose returns the Share that the request asks for, -1 for none.
//
// hot: runs per request; no alloc, no lock.
func (c *Canary) choose(x *server.Exchange) int {
	if c.header != "" {
		if value := x.RequestField(c.header); value != nil {
			if share := c.byHeader(value); share >= 0 {
				return share
			}
		}
	}
	if c.cookie != "" {
		value, _ := variable.Cookie(x, c.cookie)
		return asked(value)
	}
	return -1
}

// byHeader is choose for the value of the field.
func (c *Canary) byHeader(value []byte) int {
	switch {
	case c.value != "":
		if string(value) == c.value {
			return canaryShare
		}
		return -1
	case c.unread:
		return mainShare
	case c.pattern == nil:
		return asked(value)
	}
	m := expression.NewMatcher()
	defer m.Release()
	switch {
	case c.pattern.MatchAll(m, value):
		return canaryShare
	case m.Exhausted():
		return mainShare // as where nginx' matching ends in an error
	}
	return -1
}

// asked returns what the words always and never ask for.
func asked(value []byte) int {
	switch string(value) {
	case "always":
		return canaryShare
	case "never":
		return mainShare
	}
	return -1
}
