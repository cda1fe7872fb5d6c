package main

import (
	"encoding/xml"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "Write the golden files again.")

// The report and the chart of a fixed result; go test -update after a change of a template.
func TestReportGolden(t *testing.T) {
	r, err := loadResult("testdata")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := r.save(dir); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"report.md", "chart.svg"} {
		got, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		golden := filepath.Join("testdata", name)
		if *update {
			if err := os.WriteFile(golden, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != string(want) {
			t.Errorf("%s differs from testdata/%s; got:\n%s", name, name, got)
		}
	}
}

func TestChartIsWellFormed(t *testing.T) {
	r, err := loadResult("testdata")
	if err != nil {
		t.Fatal(err)
	}
	r.Machine.CPU = `Fast & <odd> "CPU"`
	picture, err := r.chart()
	if err != nil {
		t.Fatal(err)
	}
	for d := xml.NewDecoder(strings.NewReader(string(picture))); ; {
		if _, err := d.Token(); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

func TestBars(t *testing.T) {
	cpu := func(peer string, values ...float64) (out []Sample) {
		for _, v := range values {
			out = append(out, Sample{Case: "small64", Peer: peer, CPUPerRequest: v})
		}
		return out
	}
	bad := Sample{Case: "small64", Peer: sluiceName, CPUPerRequest: 100, Invalid: "3 errors"}
	other := Sample{Case: "small64", Peer: "h2o", CPUPerRequest: 1, Invalid: "3 errors"}
	tests := []struct {
		name    string
		samples [][]Sample
		word    string
	}{
		{"goal", [][]Sample{cpu("nginx", 10, 11, 12), cpu("haproxy", 10, 10, 10), cpu(sluiceName, 7, 7.5, 9)}, "goal met"},
		{"met", [][]Sample{cpu("nginx", 10), cpu("haproxy", 12), cpu(sluiceName, 8)}, "met"},
		{"the better peer counts", [][]Sample{cpu("nginx", 10), cpu("haproxy", 20), cpu(sluiceName, 9)}, "MISSED"},
		{"one peer is no comparison", [][]Sample{cpu("nginx", 10), cpu(sluiceName, 5)}, "not measured"},
		{"nor are others without the two", [][]Sample{cpu("nginx", 10), cpu("h2o", 10), cpu("envoy", 10), cpu(sluiceName, 5)}, "not measured"},
		{"a third that is better counts", [][]Sample{cpu("nginx", 10), cpu("haproxy", 12), cpu("h2o", 9, 9, 30), cpu(sluiceName, 8)}, "MISSED"},
		{"a third that is worse changes nothing", [][]Sample{cpu("envoy", 40), cpu("nginx", 10), cpu("haproxy", 12), cpu(sluiceName, 8)}, "met"},
		{"nor does one with invalid samples only", [][]Sample{cpu("nginx", 10), cpu("haproxy", 12), cpu(sluiceName, 8), {other}}, "met"},
		{"invalid samples do not count", [][]Sample{cpu("nginx", 10), cpu("haproxy", 12), cpu(sluiceName, 8), {bad}}, "met"},
		{"only invalid samples", [][]Sample{cpu("nginx", 10), cpu("haproxy", 12), {bad}}, "not measured"},
	}
	for _, tt := range tests {
		r := &Result{Options: Options{Cases: []string{"small64"}}}
		for _, s := range tt.samples {
			r.Samples = append(r.Samples, s...)
		}
		v := r.verdicts()
		if len(v) != 1 || v[0].Word() != tt.word {
			t.Errorf("%s: %+v, want %s", tt.name, v, tt.word)
		}
		if met := tt.word == "met" || tt.word == "goal met"; (r.check() == nil) != met {
			t.Errorf("%s: check = %v", tt.name, r.check())
		}
	}
}

// The ratio is to the best of the peers that were found and served the case; the others are said, each with its reason.
func TestRatiosWithMissingPeers(t *testing.T) {
	sample := func(id, peer string, us float64) Sample { return Sample{Case: id, Peer: peer, CPUPerRequest: us} }
	r := &Result{
		Missing: []string{"pingora: not installed (make bench-peers where cargo is)"},
		Options: Options{Cases: []string{"small64", "grpc"}, Peers: []string{"nginx", "haproxy", "h2o", "envoy", sluiceName}},
		Samples: []Sample{
			sample("small64", "nginx", 12), sample("small64", "haproxy", 15), sample("small64", "h2o", 10), sample("small64", sluiceName, 8),
			{Case: "small64", Peer: "envoy", CPUPerRequest: 1, Invalid: "only 3 of 9 requests a second were answered"},
			sample("grpc", "nginx", 20), sample("grpc", "haproxy", 16), sample("grpc", "envoy", 40), sample("grpc", sluiceName, 4),
			{Case: "grpc", Peer: "h2o", Unserved: "h2o 2.2 speaks HTTP/1 to origins only"},
		},
	}
	text, err := r.markdown()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"\n- Left out: pingora: not installed (make bench-peers where cargo is)\n",
		"\n| nginx | 12.00 [12.00-12.00] | 1.20 |",
		"\n| h2o | 10.00 [10.00-10.00] | 1.00 |",
		"\n| envoy | - | | |  | 0 (1 invalid) |\n",
		"\n| sluice | 8.00 [8.00-8.00] | 0.80 |",
		"\n| CPU per request, small, 64 connections | 0.80 [0.80-0.80] | h2o | 0.80 | 0.75 | met |\n",
		"\n| haproxy | 16.00 [16.00-16.00] | 1.00 |",
		"\n| sluice | 4.00 [4.00-4.00] | 0.25 |",
		"\n| CPU per request, gRPC unary | 0.25 [0.25-0.25] | haproxy | 0.60 | 0.50 | goal met |\n",
		"\nNot served by h2o: h2o 2.2 speaks HTTP/1 to origins only\n",
	} {
		if !strings.Contains(string(text), want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if name, best := r.bestOf("grpc", perCPUSecond, true); name != "haproxy" || best.Median != 62500 {
		t.Errorf("with more as the better: %s, %+v", name, best)
	}
	if name, _ := r.bestOf("handshake", cpuPerRequest, false); name != "" || r.best("handshake") != 0 {
		t.Errorf("the best of none is %s", name)
	}
}

// Bars of which more is better, and cases that Sluice cannot do.
func TestLowerBoundsAndUnserved(t *testing.T) {
	sample := func(peer string, us float64) Sample {
		return Sample{Case: "handshake", Peer: peer, CPUPerRequest: us}
	}
	tests := []struct {
		name string
		own  Sample
		word string
	}{
		{"as good as the better peer", sample(sluiceName, 200), "goal met"},
		{"nine tenths of it", sample(sluiceName, 220), "met"},
		{"less", sample(sluiceName, 230), "MISSED"},
		{"not at all", Sample{Case: "handshake", Peer: sluiceName, Unserved: "connection refused"}, "not served"},
	}
	for _, tt := range tests {
		r := &Result{
			Options: Options{Cases: []string{"handshake"}, Peers: []string{"nginx", "haproxy", sluiceName}},
			Samples: []Sample{sample("nginx", 300), sample("haproxy", 200), tt.own},
		}
		v := r.verdicts()
		if len(v) != 1 || v[0].Word() != tt.word {
			t.Errorf("%s: %+v, want %s", tt.name, v, tt.word)
		}
		if met := tt.word == "met" || tt.word == "goal met"; (r.check() == nil) != met {
			t.Errorf("%s: check = %v", tt.name, r.check())
		}
		text, err := r.markdown()
		if err != nil {
			t.Fatal(err)
		}
		row, line := strings.Contains(string(text), "| sluice |"), strings.Contains(string(text), "\nNot served by sluice: connection refused\n")
		if served := tt.own.Unserved == ""; row != served || line == served {
			t.Errorf("%s: a row %v, a line %v in\n%s", tt.name, row, line, text)
		}
	}
}
