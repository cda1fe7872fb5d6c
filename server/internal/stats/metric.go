package stats

import (
	"fmt"
	"slices"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
)

// metric is a row of the reference: METRICS.md and the descriptions for Prometheus come from it.
type metric struct {
	Name string
	Type prometheus.ValueType // ignored where Histogram is set
	// Histogram is true for a histogram.
	Histogram bool
	Labels    []string
	Help      string

	desc *prometheus.Desc
}

const (
	counter = prometheus.CounterValue
	gauge   = prometheus.GaugeValue
)

// define makes a metric and enters it in the reference.
func define(name string, kind prometheus.ValueType, help string, labels ...string) *metric {
	m := &metric{Name: name, Type: kind, Help: help, Labels: labels, desc: prometheus.NewDesc(name, help, labels, nil)}
	metrics = append(metrics, m)
	return m
}

func defineHistogram(name, help string, labels ...string) *metric {
	m := define(name, 0, help, labels...)
	m.Histogram = true
	return m
}

// value sends a single value.
func (m *metric) value(ch chan<- prometheus.Metric, v float64, labels ...string) {
	ch <- prometheus.MustNewConstMetric(m.desc, m.Type, v, labels...)
}

// times sends one of the merged histograms of nanoseconds, as seconds.
func (m *metric) times(ch chan<- prometheus.Metric, t *totals, which int) {
	ch <- prometheus.MustNewConstHistogram(m.desc, t.counts[which], float64(t.sums[which])/1e9, t.cumulative(which, timeBounds[:], 1e9))
}

// kind returns the type's name.
func (m *metric) kind() string {
	switch {
	case m.Histogram:
		return "histogram"
	case m.Type == counter:
		return "counter"
	}
	return "gauge"
}

// metrics is every metric, in the order of definition below.
var metrics []*metric

// routeLabels are the labels of ingress-nginx's metrics per location.
var routeLabels = []string{"namespace", "ingress", "service", "canary", "host", "path"}

// Per process.
var (
	connectionsAccepted = define("sluice_connections_accepted_total", counter, "Client connections accepted.")
	connectionsClosed   = define("sluice_connections_closed_total", counter, "Client connections closed, by what ended them.", "reason")
	connectionsRefused  = define("sluice_connections_refused_total", counter, "Client connections closed at once because limits.connections or limits.connections_per_source was reached, and none could give way.")
	shedTotal           = define("sluice_shed_total", counter, "What was closed, cut or refused so that other clients are served, by the limit that was reached: full, an idle connection, or one that waited for its client (limits.connections); connections_per_source, a connection; requests_per_source, a request, answered 429; stalled_streams, a stream of HTTP/2 that waited for its window; descriptors, a request that waited for its client while connections to Endpoints were short; buffered_bytes, a connection that held most; memory, a request, by the priority of its Route.", "reason")
	bufferedBytes       = define("sluice_buffered_bytes", gauge, "Bytes of the gateway's memory that wait for a peer now: see limits.buffered_bytes.")
	connectionsHanded   = define("sluice_connections_handed_over_total", counter, "Client connections that the accepting loop gave to a less busy one.")
	connectionsActive   = define("sluice_connections_active", gauge, "Client connections open now.")

	requestsTotal   = define("sluice_requests_total", counter, "Exchanges that ended, with or without a Route.", "method", "status")
	requestsActive  = define("sluice_requests_active", gauge, "Exchanges in flight now.")
	requestFailures = define("sluice_request_failures_total", counter, "Exchanges that the gateway could not complete, by reason.", "reason")
	requestDuration = defineHistogram("sluice_request_duration_seconds", "From the first byte of a request to the last of its response.")
	upstreamTime    = defineHistogram("sluice_upstream_duration_seconds", "From the choice of an Endpoint to the end of its response.")
	upstreamHeader  = defineHistogram("sluice_upstream_header_duration_seconds", "From the choice of an Endpoint to the head of its response.")
	upstreamConnect = defineHistogram("sluice_upstream_connect_duration_seconds", "To get a connection to the Endpoint; 0 for one from the pool.")
	receivedBytes   = define("sluice_received_bytes_total", counter, "Bytes of requests received from clients, heads included.")
	sentBytes       = define("sluice_sent_bytes_total", counter, "Bytes of responses sent to clients, heads included.")
	splicedBytes    = define("sluice_spliced_bytes_total", counter, "Bytes of bodies moved inside the kernel.")
	floodsTotal     = define("sluice_http2_floods_total", counter, "HTTP/2 connections on which the peer sent too much of something that costs work and carries nothing, by what it was and by whose: a client's was cut off, an Endpoint's takes no more requests.", "kind", "peer")
	proxyRefused    = define("sluice_proxy_protocol_refused_total", counter, "Client connections closed unanswered on listeners with the PROXY protocol: the peer is not trusted, there was no valid header, or it did not come in time.", "reason")
	tunnelsTotal    = define("sluice_tunnels_total", counter, "Connections upgraded to a tunnel, such as WebSockets.")

	passthroughTotal    = define("sluice_passthrough_connections_total", counter, "TLS connections passed to an Endpoint as they are.")
	passthroughFailures = define("sluice_passthrough_failures_total", counter, "TLS connections to be passed on for which there was no Endpoint, or that were cut. Silence beyond timeouts.tunnel is upstream_timeout.", "reason")
	passthroughBytes    = define("sluice_passthrough_bytes_total", counter, "Bytes of these connections: in from clients, and out to them.", "direction")

	filterVerdicts = define("sluice_filter_verdicts_total", counter, "Verdicts of filters, by the phase: continue; respond, an answer in place of the Backend's; park, waiting off the loop, before another verdict; fault, such as a panic, for which the request was answered 500 or cut.", "filter", "phase", "verdict")
	filterOutcomes = define("sluice_filter_outcomes_total", counter, "What filters count of their own, by the names that each has for it.", "filter", "outcome")

	upstreamConnects = define("sluice_upstream_connects_total", counter, "Connections opened to Endpoints.")
	upstreamReuses   = define("sluice_upstream_reuses_total", counter, "Exchanges that took a connection from the pool.")
	upstreamStale    = define("sluice_upstream_stale_total", counter, "Pooled connections that the Endpoint had closed when a request took them.")
	upstreamBreaks   = define("sluice_upstream_breaker_opened_total", counter, "How often a breaker opened, because many requests to its Backend failed: see the annotation breaker-percent. Each event loop has one for each Backend.")
	upstreamBroken   = define("sluice_upstream_breakers_open", gauge, "Breakers that are open now, of all event loops.")
	upstreamDenied   = define("sluice_upstream_retries_denied_total", counter, "Requests not tried again, because a Backend was sent its part of retries: see the annotation retry-budget.")
	upstreamRetries  = define("sluice_upstream_retries_total", counter, "Requests tried again, on another Endpoint or a fresh connection.")
	upstreamEjected  = define("sluice_upstream_ejections_total", counter, "Endpoints left out for a while because they failed.")
	upstreamIdle     = define("sluice_upstream_connections_idle", gauge, "Connections waiting in the pools now.")
	upstreamActive   = define("sluice_upstream_connections_active", gauge, "Connections to Endpoints in use now.")

	loopUnresponsive    = define("sluice_loop_unresponsive", gauge, "1 for a loop that did not answer this scrape within a second; its counters are those of the last answer.", "loop")
	loopBatches         = define("sluice_loop_batches_total", counter, "Times a loop woke up.", "loop")
	loopEvents          = define("sluice_loop_events_total", counter, "Events a loop handled.", "loop")
	loopConnections     = define("sluice_loop_connections_accepted_total", counter, "Client connections a loop accepted; shows an uneven spread.", "loop")
	loopTimers          = define("sluice_loop_timers", gauge, "Timers armed on a loop now.", "loop")
	handshakesStarted   = define("sluice_tls_handshakes_started_total", counter, "TLS handshakes begun, by the peer: client or endpoint.", "peer")
	handshakesCompleted = define("sluice_tls_handshakes_completed_total", counter, "TLS handshakes that succeeded; resumed is true for those that went on with a session of before.", "peer", "resumed")
	handshakesFailed    = define("sluice_tls_handshakes_failed_total", counter, "TLS handshakes that failed, by reason; displaced are those that waited longest for their peer when too many were under way.", "peer", "reason")
	handshakesRefused   = define("sluice_tls_handshakes_refused_total", counter, "TLS connections closed before their handshake began: busy or share, because too many were under way in all or with one source, and none could give way; no_hello, not_tls, hello_too_large or bad_hello, because of what the client sent; left, because it went away.", "peer", "reason")
	handshakesActive    = define("sluice_tls_handshakes_active", gauge, "TLS handshakes under way now.", "peer")

	certificateExpiry = define("sluice_certificate_expiry_timestamp_seconds", gauge, "When the certificate of a Secret that is served ceases to be valid; the default certificate has default=\"true\".", "namespace", "secret", "key", "default")

	seriesCount  = define("sluice_route_series", gauge, "Distinct label sets of the Routes that exist.")
	seriesFolded = define("sluice_route_series_folded", gauge, "Those of them that are counted together, under the ingress `_other`, because of metrics.max_series or metrics.max_series_per_namespace.")
)

// Per Route, with the names and buckets of ingress-nginx.
var (
	nginxRequests = define("nginx_ingress_controller_requests", counter, "Exchanges that ended.", append([]string{"status", "method"}, routeLabels...)...)
	nginxDuration = defineHistogram("nginx_ingress_controller_request_duration_seconds", "From the first byte of a request to the last of its response.", routeLabels...)
	nginxResponse = defineHistogram("nginx_ingress_controller_response_duration_seconds", "From the choice of an Endpoint to the end of its response.", routeLabels...)
	nginxHeader   = defineHistogram("nginx_ingress_controller_header_duration_seconds", "From the choice of an Endpoint to the head of its response.", routeLabels...)
	nginxConnect  = defineHistogram("nginx_ingress_controller_connect_duration_seconds", "To get a connection to the Endpoint; 0 for one from the pool.", routeLabels...)
	nginxReqSize  = defineHistogram("nginx_ingress_controller_request_size", "Bytes of a request, head included.", routeLabels...)
	nginxExpiry   = define("nginx_ingress_controller_ssl_expire_time_seconds", gauge, "When the certificate that a host is served with ceases to be valid, in Unix seconds; the default certificate's host is `_`. A host with certificates of several key types has one each.", "class", "host", "namespace", "secret_name")
	nginxRespSize = defineHistogram("nginx_ingress_controller_response_size", "Bytes of a response, head included.", routeLabels...)
)

// ofRoutes is true of metrics per Route: those that a scrape may hold very many samples of.
func (m *metric) ofRoutes() bool {
	return slices.Equal(m.Labels[max(0, len(m.Labels)-len(routeLabels)):], routeLabels)
}

// Reference returns METRICS.md.
func Reference() string {
	var b strings.Builder
	b.WriteString("# Metrics reference\n\nGenerated from the tables in metric.go and vitals.go; change them there, then run `go test ./server/internal/stats -update`.\n\n" +
		"Served on `listen.metrics` at `/metrics`. Label values come from configuration and fixed tables only, never from a request: " +
		"a method outside RFC 9110's is `other`, and status `0` means that the client left before an answer. " +
		"Requests without a Route are counted with empty Route labels. A Route that was never asked has no samples.\n\n" +
		"Samples of Routes are bounded, because tenants decide how many Routes there are: beyond `metrics.max_series_per_namespace` the Routes of a namespace " +
		"that are used later are counted together, with the ingress `_other` and without service, host and path, and beyond `metrics.max_series` those of all namespaces, with the namespace `_other`. " +
		"Of the histograms per Route only those of `metrics.route_histograms` have buckets; the others are summaries of a sum and a count.\n\n" +
		"Names that start with `nginx_ingress_controller_` are those of ingress-nginx, for existing dashboards. " +
		"Its histograms also carry `status` and `method`; here only the request counter does, which keeps a Route at about thirty samples.\n\n" +
		"| Name | Type | Labels | Meaning |\n|---|---|---|---|\n")
	for _, m := range metrics {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", m.Name, m.kind(), strings.Join(m.Labels, ", "), m.Help)
	}
	return b.String()
}
