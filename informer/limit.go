package informer

import (
	"github.com/sluice-gateway/sluice/informer/annotation"
	"github.com/sluice-gateway/sluice/routing/policy"
)

// limits puts the limits of the object into its Policy: all of its Routes count together, by its name.
func (c *compiler) limits() {
	l := &c.settings.Limit
	zone := c.entry.name().String()
	p := &c.settings.Policy
	if l.PerSecond > 0 || l.PerMinute > 0 {
		p.Set(&policy.RequestLimit{
			Zone: zone, PerSecond: l.PerSecond, PerMinute: l.PerMinute,
			Multiplier: l.Multiplier, Status: l.Status, Fields: l.Fields, Exempt: l.Exempt,
		})
	}
	if l.Rate > 0 {
		p.Set(&policy.Throttle{PerSecond: l.Rate << 10, After: l.RateAfter << 10})
	}
	if l.ClusterPerSecond > 0 || l.ClusterPerMinute > 0 {
		c.alone()
		p.Set(&policy.ClusterLimit{
			Zone: zone, PerSecond: l.ClusterPerSecond, PerMinute: l.ClusterPerMinute,
			Multiplier: l.Multiplier, Status: l.Status, Fields: l.Fields, Exempt: l.Exempt, Unavailable: l.Unavailable,
		})
	}
	if l.Connections > 0 {
		p.Set(&policy.ConnectionLimit{Zone: zone, Most: l.Connections, Status: l.Status, Exempt: l.Exempt})
	}
	if l.Concurrency > 0 {
		p.Set(&policy.ConcurrencyLimit{Zone: zone, Most: l.Concurrency, Status: l.Status})
	}
}

// alone reports limits of the cluster where gateways cannot count together.
func (c *compiler) alone() {
	if c.countsTogether {
		return
	}
	becomes := map[policy.Unavailable]string{
		policy.CountAlone: "each gateway counts by itself", policy.PassAll: "there is no limit", policy.RefuseAll: "every path of the object answers 503",
	}[c.settings.Limit.Unavailable]
	for _, key := range []string{"cluster-limit-rps", "cluster-limit-rpm"} {
		if value, ok := c.ing.Annotations[annotation.Name(c.ing.Annotations, key)]; ok {
			c.reject(c.annotationName(key), value, "redis.address is not configured; "+becomes)
		}
	}
}
