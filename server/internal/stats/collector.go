package stats

import (
	"slices"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
)

// Collector returns the collector of the data plane, except for the metrics of WriteRoutes. It may be registered once.
// Each scrape asks every loop and waits for at most a second.
func (r *Registry) Collector() prometheus.Collector { return collector{r} }

type collector struct{ registry *Registry }

// Describe sends the descriptions of what Collect may send.
func (c collector) Describe(ch chan<- *prometheus.Desc) {
	for _, m := range metrics {
		if !slices.Contains(vitals, m) && !m.ofRoutes() {
			ch <- m.desc
		}
	}
}

// Collect harvests and sends the totals.
func (c collector) Collect(ch chan<- prometheus.Metric) {
	r := c.registry
	r.harvesting.Lock()
	defer r.harvesting.Unlock()
	r.harvest()

	var sum Counters
	for _, s := range r.shards {
		loop := strconv.Itoa(s.index)
		loopUnresponsive.value(ch, oneIf(s.unresponsive), loop)
		loopBatches.value(ch, float64(s.latest.LoopBatches), loop)
		loopEvents.value(ch, float64(s.latest.LoopEvents), loop)
		loopConnections.value(ch, float64(s.latest.ConnectionsAccepted), loop)
		loopTimers.value(ch, float64(s.latest.Timers), loop)
		sum.add(&s.latest)
	}
	sum.send(ch)
	r.sendFilters(ch, &sum)

	for _, c := range r.all.codes {
		method, status := codeLabels(c.code)
		requestsTotal.value(ch, float64(c.n), method, status)
	}
	requestDuration.times(ch, r.all, timeDuration)
	upstreamTime.times(ch, r.all, timeUpstream)
	upstreamHeader.times(ch, r.all, timeHeader)
	upstreamConnect.times(ch, r.all, timeConnect)

	routes, folded := 0, 0
	for _, s := range r.live() {
		if s == r.noRoute || s.isOther() {
			continue
		}
		routes++
		if s.folded.Load() != nil {
			folded++
		}
	}
	seriesCount.value(ch, float64(routes))
	seriesFolded.value(ch, float64(folded))
	if r.tls != nil {
		r.tls().send(ch, &sum)
	}
	if r.Care != nil {
		r.Care().send(ch)
	}
	sendCertificates(ch, r.snapshot(), r.limits)
}

// add sums up loops.
func (c *Counters) add(o *Counters) {
	c.ConnectionsAccepted += o.ConnectionsAccepted
	for i := range c.ConnectionsClosed {
		c.ConnectionsClosed[i] += o.ConnectionsClosed[i]
	}
	c.ConnectionsRefused += o.ConnectionsRefused
	c.ConnectionsHandedOver += o.ConnectionsHandedOver
	c.ExchangesStarted += o.ExchangesStarted
	c.ExchangesEnded += o.ExchangesEnded
	for i := range c.Failures {
		c.Failures[i] += o.Failures[i]
	}
	c.BytesIn += o.BytesIn
	c.BytesOut += o.BytesOut
	c.Tunnels += o.Tunnels
	c.Passthroughs += o.Passthroughs
	for i := range c.PassthroughFailures {
		c.PassthroughFailures[i] += o.PassthroughFailures[i]
	}
	c.PassthroughIn += o.PassthroughIn
	c.PassthroughOut += o.PassthroughOut
	for i := range c.Floods {
		c.Floods[i] += o.Floods[i]
		c.EndpointFloods[i] += o.EndpointFloods[i]
	}
	for i := range c.Refusals {
		c.Refusals[i] += o.Refusals[i]
	}
	for i := range c.Shed {
		c.Shed[i] += o.Shed[i]
	}
	for i := range c.ProxyRefusals {
		c.ProxyRefusals[i] += o.ProxyRefusals[i]
	}
	for i := range c.Filters {
		c.Filters[i].Add(&o.Filters[i])
	}
	for i := range c.Outcomes {
		c.Outcomes[i] += o.Outcomes[i]
	}
	c.SplicedBytes += o.SplicedBytes
	c.Retries += o.Retries
	c.RetriesDenied += o.RetriesDenied
	c.Breaks += o.Breaks
	c.Broken += o.Broken
	c.UpstreamConnects += o.UpstreamConnects
	c.UpstreamReuses += o.UpstreamReuses
	c.UpstreamEjections += o.UpstreamEjections
	c.UpstreamStaleConns += o.UpstreamStaleConns
	c.UpstreamIdle += o.UpstreamIdle
	c.UpstreamActive += o.UpstreamActive
	c.Timers += o.Timers
	c.Buffered += o.Buffered
	c.LoopBatches += o.LoopBatches
	c.LoopEvents += o.LoopEvents
}

// send sends the counters of the process.
func (c *Counters) send(ch chan<- prometheus.Metric) {
	connectionsAccepted.value(ch, float64(c.ConnectionsAccepted))
	var closed uint64
	for reason, n := range c.ConnectionsClosed {
		closed += n
		connectionsClosed.value(ch, float64(n), Close(reason).String())
	}
	connectionsRefused.value(ch, float64(c.ConnectionsRefused))
	connectionsHanded.value(ch, float64(c.ConnectionsHandedOver))
	connectionsActive.value(ch, difference(c.ConnectionsAccepted, closed))
	requestsActive.value(ch, difference(c.ExchangesStarted, c.ExchangesEnded))
	for reason := NoFailure + 1; reason < Reasons; reason++ {
		requestFailures.value(ch, float64(c.Failures[reason]), reason.String())
	}
	receivedBytes.value(ch, float64(c.BytesIn))
	sentBytes.value(ch, float64(c.BytesOut))
	splicedBytes.value(ch, float64(c.SplicedBytes))
	for kind, n := range c.Floods {
		if kind > 0 {
			floodsTotal.value(ch, float64(n), floodNames[kind], "client")
			floodsTotal.value(ch, float64(c.EndpointFloods[kind]), floodNames[kind], "endpoint")
		}
	}
	tunnelsTotal.value(ch, float64(c.Tunnels))
	passthroughTotal.value(ch, float64(c.Passthroughs))
	for _, reason := range passthroughReasons {
		passthroughFailures.value(ch, float64(c.PassthroughFailures[reason]), reason.String())
	}
	passthroughBytes.value(ch, float64(c.PassthroughIn), "in")
	passthroughBytes.value(ch, float64(c.PassthroughOut), "out")
	for why, n := range c.Shed {
		shedTotal.value(ch, float64(n), Shed(why).String())
	}
	bufferedBytes.value(ch, float64(c.Buffered))
	for why, n := range c.ProxyRefusals {
		proxyRefused.value(ch, float64(n), ProxyRefusal(why).String())
	}
	upstreamConnects.value(ch, float64(c.UpstreamConnects))
	upstreamReuses.value(ch, float64(c.UpstreamReuses))
	upstreamStale.value(ch, float64(c.UpstreamStaleConns))
	upstreamRetries.value(ch, float64(c.Retries))
	upstreamDenied.value(ch, float64(c.RetriesDenied))
	upstreamBreaks.value(ch, float64(c.Breaks))
	upstreamBroken.value(ch, float64(c.Broken))
	upstreamEjected.value(ch, float64(c.UpstreamEjections))
	upstreamIdle.value(ch, float64(c.UpstreamIdle))
	upstreamActive.value(ch, float64(c.UpstreamActive))
}

// difference is the number open now. The loops answer one after the other, so a connection that
// moves between them can be seen closed before it is seen accepted.
func difference(begun, ended uint64) float64 {
	if ended > begun {
		return 0
	}
	return float64(begun - ended)
}
