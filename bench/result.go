package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// Result is the outcome of one run: the content of result.json, from which reports are made.
type Result struct {
	Started  time.Time         `json:"started"`
	Commit   string            `json:"commit"` // of the checkout; "+changes" appended when it had uncommitted ones
	Machine  Machine           `json:"machine"`
	Versions map[string]string `json:"versions"` // by peer and tool
	Missing  []string          `json:"missing,omitempty"`
	Options  Options           `json:"options"`
	Samples  []Sample          `json:"samples"`
	Micro    []Micro           `json:"micro,omitempty"`
}

// Options are the choices of a run that bear on its numbers.
type Options struct {
	Cases    []string      `json:"cases"`
	Peers    []string      `json:"peers"`
	Rounds   int           `json:"rounds"`
	Warmup   time.Duration `json:"warmup_ns"`
	Duration time.Duration `json:"duration_ns"`
	Conns    int           `json:"conns,omitempty"` // overrides each case's own when above 0
	ProxyCPU string        `json:"proxy_cpu"`
	LoadCPU  string        `json:"load_cpu"`
}

// Sample is the outcome of one proxy in one round of one case.
type Sample struct {
	Case  string `json:"case"`
	Peer  string `json:"peer"`
	Round int    `json:"round"`

	// Invalid is why the sample must not be used; "" when it is good.
	Invalid string `json:"invalid,omitempty"`
	// Unserved is why the proxy cannot do this work at all; it has no figures then, nor other rounds.
	Unserved string `json:"unserved,omitempty"`

	Requests int64         `json:"requests,omitempty"` // completed in the window
	Errors   int64         `json:"errors,omitempty"`   // refused, reset, timed out, or not answered with 2xx or 3xx
	Window   time.Duration `json:"window_ns,omitempty"`
	CPU      time.Duration `json:"cpu_ns,omitempty"` // of the proxy in the window, user and system, all its processes
	// CPUPerRequest is CPU / Requests in microseconds.
	CPUPerRequest float64 `json:"cpu_us_per_request,omitempty"`
	RPS           float64 `json:"rps,omitempty"`
	// Foreign is the part of the machine, 0 to 1, that neither proxy nor load nor origin used in the window.
	Foreign float64 `json:"foreign"`

	Memory        int64   `json:"memory_bytes,omitempty"` // proportional set size in mid-window, or with all idle connections open
	MemoryPerConn float64 `json:"memory_bytes_per_conn,omitempty"`

	Rate    float64 `json:"rate,omitempty"` // intended requests a second
	Latency Latency `json:"latency,omitzero"`

	Raw string `json:"raw,omitempty"` // the load generator's own output

	reason string // for one of Errors, where the generator gives any
}

// Latency is a distribution in microseconds.
type Latency struct {
	P50  float64 `json:"p50_us"`
	P99  float64 `json:"p99_us"`
	P999 float64 `json:"p99.9_us"`
	Max  float64 `json:"max_us"`
}

// good are the usable samples of a case and peer.
func (r *Result) good(caseID, peer string) []Sample {
	return slices.DeleteFunc(slices.Clone(r.Samples), func(s Sample) bool {
		return s.Case != caseID || s.Peer != peer || s.Invalid != "" || s.Unserved != ""
	})
}

// unserved is why a peer does not serve a case, "" when it does.
func (r *Result) unserved(caseID, peer string) string {
	for _, s := range r.Samples {
		if s.Case == caseID && s.Peer == peer && s.Unserved != "" {
			return s.Unserved
		}
	}
	return ""
}

// spreadOf summarises one figure of the usable samples of a case and peer.
func (r *Result) spreadOf(caseID, peer string, figure func(Sample) float64) Spread {
	var v []float64
	for _, s := range r.good(caseID, peer) {
		v = append(v, figure(s))
	}
	return spread(v)
}

// save writes result.json, report.md and chart.svg into dir.
func (r *Result) save(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("make results directory: %w", err)
	}
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("encode result: %w", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "result.json"), append(text, '\n'), 0o644); err != nil {
		return fmt.Errorf("write result: %w", err)
	}
	return r.writeReport(dir)
}

// loadResult reads dir/result.json.
func loadResult(dir string) (*Result, error) {
	text, err := os.ReadFile(filepath.Join(dir, "result.json"))
	if err != nil {
		return nil, fmt.Errorf("read result: %w", err)
	}
	r := &Result{}
	if err := json.Unmarshal(text, r); err != nil {
		return nil, fmt.Errorf("read %s/result.json: %w", dir, err)
	}
	return r, nil
}
