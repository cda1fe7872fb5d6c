package stats

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/sluice-gateway/sluice/upstream"
)

// Care is what the process knows, beside its loops, of how Backends and the process itself are spared, for a scrape.
type Care struct {
	Checks upstream.CheckCounts
	// InFlight and Waiting are requests to Backends with a bound of their requests.
	InFlight, Waiting int
	// Pressure is the level from which on the process sheds requests to spare its memory.
	Pressure int
}

var (
	checksTotal      = define("sluice_health_checks_total", counter, "Active health checks of Endpoints, by result: passed, or failed.", "result")
	checkedEndpoints = define("sluice_health_check_endpoints", gauge, "Endpoints that are checked, by state: well; unwell, which are left out; unchecked, which are too many to be checked.", "state")
	boundedRequests  = define("sluice_bounded_requests", gauge, "Requests to Backends with the annotation max-requests, by state: active, or waiting for their turn.", "state")
	memoryPressure   = define("sluice_memory_pressure", gauge, "How short the process is of memory: 0, not; from 1 on requests of Routes with the priority low are answered 503, from 2 on all but those with the priority high, at 3 all.")
)

func (c Care) send(ch chan<- prometheus.Metric) {
	checksTotal.value(ch, float64(c.Checks.Passed), "passed")
	checksTotal.value(ch, float64(c.Checks.Failed), "failed")
	checkedEndpoints.value(ch, float64(c.Checks.Endpoints-c.Checks.Unwell), "well")
	checkedEndpoints.value(ch, float64(c.Checks.Unwell), "unwell")
	checkedEndpoints.value(ch, float64(c.Checks.Unchecked), "unchecked")
	boundedRequests.value(ch, float64(c.InFlight), "active")
	boundedRequests.value(ch, float64(c.Waiting), "waiting")
	memoryPressure.value(ch, float64(c.Pressure))
}
