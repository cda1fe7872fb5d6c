package stats

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Vitals is the state of everything beside the data plane, as one scrape reports it. The zero value
// is a process that has built nothing yet.
type Vitals struct {
	Version string
	Ready   bool

	// Generation is the live Snapshot's, 0 = none.
	Generation                         uint64
	Hosts, Routes, Backends, Endpoints int
	Rejections                         int

	// Events counts changes of objects that arrived, Builds the builds from them, and Publishes the
	// builds that changed something. LastBuild is how long the last build took.
	Events, Builds, Publishes uint64
	LastBuild                 time.Duration
	LastPublish               time.Time
	// Propagation counts publishes by the time from the arrival of their oldest change: one count for
	// each upper bound in PropagationBounds (seconds), not cumulative, and one above the last.
	Propagation       []uint64
	PropagationBounds []float64
	PropagationSum    float64 // seconds
	// Connected is false while the source of objects cannot be reached.
	Connected bool

	// ReloadOK is the result of the last reading of the configuration file, at ReloadTime.
	ReloadOK   bool
	ReloadTime time.Time

	// AccessLinesLost and ErrorLinesLost count log lines that were never written.
	AccessLinesLost, ErrorLinesLost uint64
}

// The control plane.
var (
	vitalBuildInfo   = define("sluice_build_info", gauge, "Always 1; the version is the label.", "version")
	vitalReady       = define("sluice_ready", gauge, "1 while /readyz answers 200.")
	vitalGeneration  = define("sluice_snapshot_generation", gauge, "Generation of the live Snapshot; 0 before the first.")
	vitalHosts       = define("sluice_hosts", gauge, "Hosts in the live Snapshot.")
	vitalRoutes      = define("sluice_routes", gauge, "Routes in the live Snapshot.")
	vitalBackends    = define("sluice_backends", gauge, "Backends in the live Snapshot.")
	vitalEndpoints   = define("sluice_endpoints", gauge, "Endpoints of all Backends in the live Snapshot.")
	vitalRejections  = define("sluice_rejections", gauge, "Objects, or parts of them, that are not served; /api/v1/rejections lists them.")
	vitalEvents      = define("sluice_object_events_total", counter, "Changes of objects that arrived from the cluster or the manifests.")
	vitalBuilds      = define("sluice_builds_total", counter, "Snapshots built, those that changed nothing included.")
	vitalLastBuild   = define("sluice_build_last_seconds", gauge, "Time that the last build took.")
	vitalPublishes   = define("sluice_publishes_total", counter, "Snapshots that went live.")
	vitalLastPublish = define("sluice_publish_last_timestamp_seconds", gauge, "When the live Snapshot went live.")
	vitalPropagation = defineHistogram("sluice_propagation_seconds", "From the arrival of the oldest change in a Snapshot to its going live.")
	vitalConnected   = define("sluice_source_connected", gauge, "0 while the cluster or the manifests cannot be read; the last Snapshot is served on.")
	vitalReloadOK    = define("sluice_config_last_reload_successful", gauge, "1 when the configuration file was valid when it was last read.")
	vitalReloadTime  = define("sluice_config_last_reload_timestamp_seconds", gauge, "When the configuration file was last read.")
	vitalLinesLost   = define("sluice_log_lines_lost_total", counter, "Lines of the access or the error log that were not written, because their destination did not keep up or failed.", "log")

	nginxReloadOK = define("nginx_ingress_controller_config_last_reload_successful", gauge, "1 when the configuration file was valid when it was last read.")
	nginxSuccess  = define("nginx_ingress_controller_success", counter, "Snapshots published.")
)

var vitals = []*metric{
	vitalBuildInfo, vitalReady, vitalGeneration, vitalHosts, vitalRoutes, vitalBackends, vitalEndpoints, vitalRejections,
	vitalEvents, vitalBuilds, vitalLastBuild, vitalPublishes, vitalLastPublish, vitalPropagation, vitalConnected, vitalReloadOK, vitalReloadTime,
	vitalLinesLost, nginxReloadOK, nginxSuccess,
}

// VitalsCollector returns the collector of the control plane; read is called once per scrape.
func VitalsCollector(read func() Vitals) prometheus.Collector { return vitalsCollector(read) }

type vitalsCollector func() Vitals

// Describe sends the descriptions of what Collect sends.
func (c vitalsCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, m := range vitals {
		ch <- m.desc
	}
}

// Collect sends the values of now.
func (c vitalsCollector) Collect(ch chan<- prometheus.Metric) {
	v := c()
	vitalBuildInfo.value(ch, 1, v.Version)
	vitalReady.value(ch, oneIf(v.Ready))
	vitalGeneration.value(ch, float64(v.Generation))
	vitalHosts.value(ch, float64(v.Hosts))
	vitalRoutes.value(ch, float64(v.Routes))
	vitalBackends.value(ch, float64(v.Backends))
	vitalEndpoints.value(ch, float64(v.Endpoints))
	vitalRejections.value(ch, float64(v.Rejections))
	vitalEvents.value(ch, float64(v.Events))
	vitalBuilds.value(ch, float64(v.Builds))
	vitalLastBuild.value(ch, v.LastBuild.Seconds())
	vitalPublishes.value(ch, float64(v.Publishes))
	vitalLastPublish.timestamp(ch, v.LastPublish)
	vitalConnected.value(ch, oneIf(v.Connected))
	v.sendPropagation(ch)
	vitalReloadOK.value(ch, oneIf(v.ReloadOK))
	vitalReloadTime.timestamp(ch, v.ReloadTime)
	vitalLinesLost.value(ch, float64(v.AccessLinesLost), "access")
	vitalLinesLost.value(ch, float64(v.ErrorLinesLost), "error")
	nginxReloadOK.value(ch, oneIf(v.ReloadOK))
	nginxSuccess.value(ch, float64(v.Publishes))
}

// sendPropagation turns the counts into the cumulative ones that Prometheus takes.
func (v *Vitals) sendPropagation(ch chan<- prometheus.Metric) {
	at := make(map[float64]uint64, len(v.PropagationBounds))
	var count uint64
	for i, n := range v.Propagation {
		count += n
		if i < len(v.PropagationBounds) {
			at[v.PropagationBounds[i]] = count
		}
	}
	ch <- prometheus.MustNewConstHistogram(vitalPropagation.desc, count, v.PropagationSum, at)
}

// timestamp sends a time in Unix seconds, or nothing for the zero time.
func (m *metric) timestamp(ch chan<- prometheus.Metric, t time.Time) {
	if !t.IsZero() {
		m.value(ch, float64(t.UnixMilli())/1e3)
	}
}

func oneIf(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
