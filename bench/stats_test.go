package main

import (
	"testing"
	"time"
)

func TestSpread(t *testing.T) {
	tests := []struct {
		in   []float64
		want Spread
	}{
		{nil, Spread{}},
		{[]float64{3}, Spread{3, 3, 3, 1}},
		{[]float64{9, 1, 5}, Spread{5, 1, 9, 3}},
		{[]float64{4, 1, 2, 9}, Spread{3, 1, 9, 4}},
	}
	for _, tt := range tests {
		if got := spread(tt.in); got != tt.want {
			t.Errorf("spread(%v) = %v, want %v", tt.in, got, tt.want)
		}
	}
}

func TestHistogramBuckets(t *testing.T) {
	last := -1
	for _, d := range []time.Duration{0, 1, 63, 64, 65, 127, 128, 130, 1000, 1e6, 1e9, 60e9} {
		b := bucket(d)
		if b < last {
			t.Errorf("bucket(%d) = %d, below that of a smaller value", d, b)
		}
		last = b
		if u := upper(b); u < d || float64(u-d) > 0.016*float64(d)+1 {
			t.Errorf("upper(bucket(%d)) = %d, want at most 1.6 %% above", d, u)
		}
	}
	if b := bucket(-5); b != 0 {
		t.Errorf("bucket of a negative value = %d", b)
	}
	if b := bucket(1 << 62); b >= len(histogram{}.counts) {
		t.Errorf("bucket of a huge value = %d, out of range", b)
	}
}

func TestHistogramQuantiles(t *testing.T) {
	var h histogram
	if h.quantile(0.5) != 0 {
		t.Error("quantile of nothing is not 0")
	}
	for i := range 1000 {
		h.record(time.Duration(i+1) * time.Microsecond)
	}
	for q, want := range map[float64]time.Duration{0.5: 500e3, 0.99: 990e3, 0.999: 999e3, 1: 1000e3} {
		if got := h.quantile(q); got < want || float64(got) > 1.016*float64(want) {
			t.Errorf("quantile(%v) = %v, want about %v", q, got, want)
		}
	}
}
