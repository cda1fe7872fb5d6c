package main

import (
	"fmt"
	"strings"
)

// Bar is one promise about performance: a figure of one case that must not exceed a limit, or reach one.
type Bar struct {
	Case  string
	Title string
	// Limit and Goal are ratios to the reference, or bytes where Against is "".
	Limit, Goal float64
	// AtLeast makes Limit and Goal lower bounds: more of the figure is better.
	AtLeast bool
	// Against is the reference of Sluice's figure: "peers" is the best of all peers in the same
	// case, a case ID is Sluice itself in that case, "" is nothing: the figure is absolute.
	Against string
	Figure  func(Sample) float64
}

func cpuPerRequest(s Sample) float64 { return s.CPUPerRequest }

func p50(s Sample) float64  { return s.Latency.P50 }
func p99(s Sample) float64  { return s.Latency.P99 }
func p999(s Sample) float64 { return s.Latency.P999 }

// perCPUSecond is how many requests one second of CPU time is enough for.
func perCPUSecond(s Sample) float64 {
	if s.CPUPerRequest == 0 {
		return 0
	}
	return 1e6 / s.CPUPerRequest
}

// bars are the promises that the cases can check. Those against peers hold against the best of all that are found.
//
// A bar of latency allows for the width of one histogram bucket where it says "never worse".
var bars = []Bar{
	{Case: "small64", Title: "CPU per request, small, 64 connections", Limit: 0.80, Goal: 0.75, Against: "peers", Figure: cpuPerRequest},
	{Case: "small256", Title: "CPU per request, small, 256 connections", Limit: 0.80, Goal: 0.75, Against: "peers", Figure: cpuPerRequest},
	{Case: "conns1", Title: "CPU per request, small, 1 connection", Limit: 0.92, Goal: 0.85, Against: "peers", Figure: cpuPerRequest},
	{Case: "conns4", Title: "CPU per request, small, 4 connections", Limit: 0.92, Goal: 0.85, Against: "peers", Figure: cpuPerRequest},
	{Case: "conns16", Title: "CPU per request, small, 16 connections", Limit: 0.92, Goal: 0.85, Against: "peers", Figure: cpuPerRequest},
	{Case: "body16k", Title: "CPU per request, 16 KiB bodies", Limit: 0.92, Goal: 0.85, Against: "peers", Figure: cpuPerRequest},
	{Case: "body1m", Title: "CPU per request, 1 MiB bodies", Limit: 0.98, Goal: 0.95, Against: "peers", Figure: cpuPerRequest},
	{Case: "newconn", Title: "CPU per request, new connection each", Limit: 0.98, Goal: 0.90, Against: "peers", Figure: cpuPerRequest},
	{Case: "routes100k", Title: "CPU per request, 100,000 Routes against 1", Limit: 1.02, Goal: 1.00, Against: "routes1", Figure: cpuPerRequest},
	{Case: "latency", Title: "p50 at half the peers' maximum rate", Limit: 1.016, Goal: 1.00, Against: "peers", Figure: p50},
	{Case: "latency", Title: "p99 at half the peers' maximum rate", Limit: 1.016, Goal: 1.00, Against: "peers", Figure: p99},
	{Case: "latency", Title: "p99.9 at half the peers' maximum rate", Limit: 1.016, Goal: 1.00, Against: "peers", Figure: p999},
	{Case: "rate15k", Title: "CPU per request, at 15,000 a second", Limit: 0.92, Goal: 0.85, Against: "peers", Figure: cpuPerRequest},
	{Case: "quarter", Title: "p50 at a quarter of the slowest proxy's maximum rate", Limit: 1.016, Goal: 1.00, Against: "peers", Figure: p50},
	{Case: "quarter", Title: "p99 at a quarter of the slowest proxy's maximum rate", Limit: 1.016, Goal: 1.00, Against: "peers", Figure: p99},
	{Case: "quarter", Title: "p99.9 at a quarter of the slowest proxy's maximum rate", Limit: 1.10, Goal: 1.00, Against: "peers", Figure: p999},
	{Case: "half", Title: "p50 at half of the slowest proxy's maximum rate", Limit: 1.016, Goal: 1.00, Against: "peers", Figure: p50},
	{Case: "half", Title: "p99 at half of the slowest proxy's maximum rate", Limit: 1.016, Goal: 1.00, Against: "peers", Figure: p99},
	{Case: "half", Title: "p99.9 at half of the slowest proxy's maximum rate", Limit: 1.10, Goal: 1.00, Against: "peers", Figure: p999},
	{Case: "threequarters", Title: "p50 at three quarters of the slowest proxy's maximum rate", Limit: 1.016, Goal: 1.00, Against: "peers", Figure: p50},
	{Case: "threequarters", Title: "p99 at three quarters of the slowest proxy's maximum rate", Limit: 1.016, Goal: 1.00, Against: "peers", Figure: p99},
	{Case: "threequarters", Title: "p99.9 at three quarters of the slowest proxy's maximum rate", Limit: 1.10, Goal: 1.00, Against: "peers", Figure: p999},
	{Case: "tls64", Title: "CPU per request, HTTP/1.1 over TLS 1.3", Limit: 0.75, Goal: 0.70, Against: "peers", Figure: cpuPerRequest},
	{Case: "h2tls", Title: "CPU per request, HTTP/2 over TLS 1.3", Limit: 0.75, Goal: 0.70, Against: "peers", Figure: cpuPerRequest},
	{Case: "h2h2", Title: "CPU per request, HTTP/2 over TLS 1.3 to HTTP/2", Limit: 0.75, Goal: 0.70, Against: "peers", Figure: cpuPerRequest},
	{Case: "grpc", Title: "CPU per request, gRPC unary", Limit: 0.60, Goal: 0.50, Against: "peers", Figure: cpuPerRequest},
	{Case: "handshake", Title: "full TLS handshakes per CPU second, at least", Limit: 0.90, Goal: 1.00, AtLeast: true, Against: "peers", Figure: perCPUSecond},
	{Case: "resumed", Title: "resumed TLS handshakes per CPU second, at least", Limit: 1.00, Goal: 1.10, AtLeast: true, Against: "peers", Figure: perCPUSecond},
	{Case: "idletls", Title: "bytes for an idle TLS connection", Limit: 6 << 10, Goal: 5 << 10, Figure: func(s Sample) float64 { return s.MemoryPerConn }},
	{Case: "idle10k", Title: "bytes for an idle connection", Limit: 2048, Goal: 1024, Figure: func(s Sample) float64 { return s.MemoryPerConn }},
}

// Verdict is a Bar held against a Result.
type Verdict struct {
	Bar
	Measured bool    // false when the run lacks a valid sample on one side
	Unserved bool    // Sluice cannot do the work of the case
	Best     string  // the peer that is the reference, "" where none is
	Value    float64 // ratio of medians, or the absolute median
	Low      float64 // the same from Sluice's lowest round and the reference's highest
	High     float64 // and the other way round
}

// Met reports whether the bar holds.
func (v Verdict) Met() bool { return v.Measured && v.reaches(v.Limit) }

// reaches reports whether the value is on the good side of a bound, or on it.
func (v Verdict) reaches(bound float64) bool {
	if v.AtLeast {
		return v.Value >= bound
	}
	return v.Value <= bound
}

// Word is the verdict for a table.
func (v Verdict) Word() string {
	switch {
	case v.Unserved:
		return "not served"
	case !v.Measured:
		return "not measured"
	case v.reaches(v.Goal):
		return "goal met"
	case v.Met():
		return "met"
	}
	return "MISSED"
}

// judge holds one bar against the result.
func (r *Result) judge(b Bar) Verdict {
	v := Verdict{Bar: b, Unserved: r.unserved(b.Case, sluiceName) != ""}
	own := r.spreadOf(b.Case, sluiceName, b.Figure)
	reference := Spread{Median: 1, Min: 1, Max: 1, N: 1}
	switch b.Against {
	case "":
	case "peers":
		for _, name := range baseline {
			if r.spreadOf(b.Case, name, b.Figure).N == 0 {
				return v // the best is not known without them
			}
		}
		v.Best, reference = r.bestOf(b.Case, b.Figure, b.AtLeast)
	default:
		reference = r.spreadOf(b.Against, sluiceName, b.Figure)
	}
	if own.N == 0 || reference.N == 0 || reference.Min <= 0 {
		return v
	}
	v.Measured = true
	v.Value, v.Low, v.High = own.Median/reference.Median, own.Min/reference.Max, own.Max/reference.Min
	return v
}

// verdicts judges every bar whose case was part of the run.
func (r *Result) verdicts() []Verdict {
	var out []Verdict
	for _, b := range bars {
		for _, id := range r.Options.Cases {
			if id == b.Case {
				out = append(out, r.judge(b))
			}
		}
	}
	return out
}

// check is an error that names the missed bars.
func (r *Result) check() error {
	var missed []string
	for _, v := range r.verdicts() {
		if !v.Met() {
			missed = append(missed, fmt.Sprintf("%s: %s (%.3g, bar %.4g)", v.Title, v.Word(), v.Value, v.Limit))
		}
	}
	if len(missed) == 0 {
		return nil
	}
	return fmt.Errorf("check bars: %d not met:\n  %s", len(missed), strings.Join(missed, "\n  "))
}
