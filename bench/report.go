package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"text/template"
)

// reportFuncs are the functions that the templates may call.
var reportFuncs = template.FuncMap{
	"mib": func(bytes float64) float64 { return bytes / (1 << 20) },
}

// reportMain is the report subcommand: write the report of a directory again.
func reportMain(args []string) error {
	if len(args) != 1 {
		return errors.New("parse arguments: report wants one directory with a result.json")
	}
	r, err := loadResult(args[0])
	if err != nil {
		return err
	}
	return r.writeReport(args[0])
}

// writeReport writes report.md and chart.svg into dir.
func (r *Result) writeReport(dir string) error {
	text, err := r.markdown()
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "report.md"), text, 0o644); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	picture, err := r.chart()
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "chart.svg"), picture, 0o644); err != nil {
		return fmt.Errorf("write chart: %w", err)
	}
	return nil
}

// reportView is the data of templates/report.md.tmpl.
type reportView struct {
	*Result
	Tables   []caseTable
	Verdicts []Verdict
	Invalid  []Sample
	Foreign  Spread // over all samples, percent
}

// caseTable is one case with a row for each peer.
type caseTable struct {
	Case
	Rows     []caseRow
	Unserved []caseUnserved
}

// caseUnserved is one peer that cannot do the work of a case.
type caseUnserved struct{ Peer, Why string }

// caseRow is one peer in one case.
type caseRow struct {
	Peer                                             string
	CPU, Ratio, RPS, Memory, PerConn, P50, P99, P999 Spread
	PerCPUSecond                                     Spread
	Rate                                             float64
	Rounds, Bad                                      int
}

func (r *Result) markdown() ([]byte, error) {
	v := reportView{Result: r, Tables: r.tables(), Verdicts: r.verdicts()}
	var foreign []float64
	for _, s := range r.Samples {
		if s.Unserved != "" {
			continue
		}
		if s.Invalid != "" {
			v.Invalid = append(v.Invalid, s)
		} else if s.Window > 0 {
			foreign = append(foreign, 100*s.Foreign)
		}
	}
	v.Foreign = spread(foreign)
	return renderTemplate("templates/report.md.tmpl", v)
}

// tables are the cases of the run that have samples, in the order of the case table.
func (r *Result) tables() []caseTable {
	var out []caseTable
	for _, c := range cases {
		if !slices.Contains(r.Options.Cases, c.ID) {
			continue
		}
		t := caseTable{Case: c}
		for _, p := range r.Options.Peers {
			if why := r.unserved(c.ID, p); why != "" {
				t.Unserved = append(t.Unserved, caseUnserved{p, why})
				continue
			}
			if row := r.row(c, p); row.Rounds+row.Bad > 0 {
				t.Rows = append(t.Rows, row)
			}
		}
		if len(t.Rows)+len(t.Unserved) > 0 {
			out = append(out, t)
		}
	}
	return out
}

func (r *Result) row(c Case, peer string) caseRow {
	of := func(figure func(Sample) float64) Spread { return r.spreadOf(c.ID, peer, figure) }
	row := caseRow{
		Peer:         peer,
		CPU:          of(cpuPerRequest),
		PerCPUSecond: of(perCPUSecond),
		RPS:          of(func(s Sample) float64 { return s.RPS }),
		Memory:       of(func(s Sample) float64 { return float64(s.Memory) }),
		PerConn:      of(func(s Sample) float64 { return s.MemoryPerConn }),
		P50:          of(func(s Sample) float64 { return s.Latency.P50 }),
		P99:          of(func(s Sample) float64 { return s.Latency.P99 }),
		P999:         of(func(s Sample) float64 { return s.Latency.P999 }),
		Rate:         of(func(s Sample) float64 { return s.Rate }).Median,
	}
	row.Rounds = row.CPU.N
	for _, s := range r.Samples {
		if s.Case == c.ID && s.Peer == peer && s.Invalid != "" {
			row.Bad++
		}
	}
	if best := r.best(c.ID); best > 0 && row.CPU.N > 0 {
		row.Ratio = Spread{Median: row.CPU.Median / best, Min: row.CPU.Min / best, Max: row.CPU.Max / best, N: row.CPU.N}
	}
	return row
}

// best is the median CPU per request of the best peer in a case, 0 when there is none.
func (r *Result) best(caseID string) float64 {
	_, s := r.bestOf(caseID, cpuPerRequest, false)
	return s.Median
}

// bestOf is the peer, Sluice left out, whose median of a figure is the best in a case, and its rounds; the lowest is
// best, or, with more, the highest. Where no peer has a valid sample, the name is "".
func (r *Result) bestOf(caseID string, figure func(Sample) float64, more bool) (string, Spread) {
	name, best := "", Spread{}
	for _, p := range r.rivals() {
		s := r.spreadOf(caseID, p, figure)
		if s.N == 0 {
			continue
		}
		if name == "" || !more && s.Median < best.Median || more && s.Median > best.Median {
			name, best = p, s
		}
	}
	return name, best
}

// rivals are the peers that have samples, Sluice left out, in the order of the samples.
func (r *Result) rivals() []string {
	var names []string
	for _, s := range r.Samples {
		if s.Peer != sluiceName && !slices.Contains(names, s.Peer) {
			names = append(names, s.Peer)
		}
	}
	return names
}
