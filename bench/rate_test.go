package main

import "testing"

// runnerOf has one sample of small64 for each peer of the map.
func runnerOf(rps map[string]float64) *Runner {
	r := &Runner{result: &Result{}}
	for name, n := range rps {
		r.peers = append(r.peers, Peer{Name: name})
		r.result.Samples = append(r.result.Samples, Sample{Case: "small64", Peer: name, RPS: n})
	}
	return r
}

func TestRates(t *testing.T) {
	all := map[string]float64{"nginx": 40_000, "haproxy": 50_000, "envoy": 20_000, "h2o": 90_000, sluiceName: 80_000}
	tests := []struct {
		name, id string
		rps      map[string]float64
		want     float64
	}{
		{"a fixed rate asks for no maximum", "rate15k", nil, 15_000},
		{"a quarter of the slowest", "quarter", all, 5_000},
		{"half of the slowest", "half", all, 10_000},
		{"three quarters of the slowest", "threequarters", all, 15_000},
		{"the slowest may be Sluice", "half", map[string]float64{"nginx": 40_000, sluiceName: 30_000}, 15_000},
		{"half of the better of nginx and HAProxy", "latency", all, 25_000},
		{"one of the two is missing", "latency", map[string]float64{"nginx": 40_000, "h2o": 90_000}, 20_000},
		{"both are", "latency", map[string]float64{"envoy": 20_000, "h2o": 90_000, sluiceName: 99_000}, 45_000},
		{"Sluice alone", "latency", map[string]float64{sluiceName: 80_000}, 40_000},
	}
	for _, tt := range tests {
		c, err := selectCases(tt.id)
		if err != nil {
			t.Fatal(err)
		}
		got, err := runnerOf(tt.rps).rateOf(t.Context(), c[0])
		if err != nil || got != tt.want {
			t.Errorf("%s: %v, %v, want %v", tt.name, got, err, tt.want)
		}
	}
}

// A peer whose samples are all invalid takes no part in deciding the rate, and is measured once, not for each case.
func TestRatesWithoutAPeer(t *testing.T) {
	r := runnerOf(map[string]float64{"nginx": 40_000, "haproxy": 50_000})
	r.peers = append(r.peers, Peer{Name: "envoy"})
	r.maximum = map[string]float64{"envoy": 0} // tried, without a valid sample
	c, _ := selectCases("half")
	if got, err := r.rateOf(t.Context(), c[0]); err != nil || got != 20_000 {
		t.Errorf("%v, %v", got, err)
	}
	r = &Runner{result: &Result{}, peers: []Peer{{Name: "envoy"}}, maximum: map[string]float64{"envoy": 0}}
	if got, err := r.rateOf(t.Context(), c[0]); err == nil {
		t.Errorf("without any valid sample the rate is %v", got)
	}
}
