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

	// Builds counts Snapshots built, BuildTime their time together, LastBuild the last one's.
	Builds               uint64
	BuildTime, LastBuild time.Duration
	// Changes counts the changes of objects that were published, PropagationTime the time from each
	// one's arrival to its publication together, LastPropagation the last one's.
	Changes                          uint64
	PropagationTime, LastPropagation time.Duration

	// ReloadOK says how the last reading of the configuration file went, at ReloadTime.
	ReloadOK   bool
	ReloadTime time.Time
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
	vitalBuilds      = define("sluice_builds_total", counter, "Snapshots built.")
	vitalBuildTime   = define("sluice_build_seconds_total", counter, "Time spent on building Snapshots.")
	vitalLastBuild   = define("sluice_build_last_seconds", gauge, "Time that the last build took.")
	vitalChanges     = define("sluice_propagations_total", counter, "Changes of objects that went live.")
	vitalPropagation = define("sluice_propagation_seconds_total", counter, "Time from the arrival of a change to its publication, summed over them.")
	vitalLastChange  = define("sluice_propagation_last_seconds", gauge, "Time from the arrival of the last change to its publication.")
	vitalReloadOK    = define("sluice_config_last_reload_successful", gauge, "1 when the configuration file was valid when it was last read.")
	vitalReloadTime  = define("sluice_config_last_reload_timestamp_seconds", gauge, "When the configuration file was last read.")

	nginxReloadOK = define("nginx_ingress_controller_config_last_reload_successful", gauge, "1 when the configuration file was valid when it was last read.")
	nginxSuccess  = define("nginx_ingress_controller_success", counter, "Snapshots published.")
)

var vitals = []*metric{
	vitalBuildInfo, vitalReady, vitalGeneration, vitalHosts, vitalRoutes, vitalBackends, vitalEndpoints, vitalRejections,
	vitalBuilds, vitalBuildTime, vitalLastBuild, vitalChanges, vitalPropagation, vitalLastChange, vitalReloadOK, vitalReloadTime,
	nginxReloadOK, nginxSuccess,
}

// VitalsCollector returns what scrapes the control plane; read is called once per scrape.
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
	vitalBuilds.value(ch, float64(v.Builds))
	vitalBuildTime.value(ch, v.BuildTime.Seconds())
	vitalLastBuild.value(ch, v.LastBuild.Seconds())
	vitalChanges.value(ch, float64(v.Changes))
	vitalPropagation.value(ch, v.PropagationTime.Seconds())
	vitalLastChange.value(ch, v.LastPropagation.Seconds())
	vitalReloadOK.value(ch, oneIf(v.ReloadOK))
	if !v.ReloadTime.IsZero() {
		vitalReloadTime.value(ch, float64(v.ReloadTime.UnixMilli())/1e3)
	}
	nginxReloadOK.value(ch, oneIf(v.ReloadOK))
	nginxSuccess.value(ch, float64(v.Generation))
}

func oneIf(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
