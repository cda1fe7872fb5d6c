package main

import (
	"math/bits"
	"time"
)

// A histogram counts durations in buckets whose width grows with the value: 64 to every power of two, so a
// value is known to 1.6 % whatever its size. Recording is an index computation and an increment. The zero
// value is ready for use by one goroutine.
type histogram struct {
	counts [64 * 40]uint64
	total  uint64
	max    time.Duration
}

// bucket is the index for a duration: values below 64 ns have one each, later ones share by their six
// highest bits after the leading one.
func bucket(d time.Duration) int {
	v := uint64(max(d, 0))
	if v < 64 {
		return int(v)
	}
	shift := bits.Len64(v) - 7
	return min(64*shift+int(v>>shift), len(histogram{}.counts)-1)
}

// upper is the largest duration that falls into a bucket.
func upper(i int) time.Duration {
	if i < 64 {
		return time.Duration(i)
	}
	shift := i/64 - 1
	return time.Duration((uint64(i-64*shift)+1)<<shift - 1)
}

func (h *histogram) record(d time.Duration) {
	h.counts[bucket(d)]++
	h.total++
	h.max = max(h.max, d)
}

// quantile is the duration that the given part (0 to 1) of all values does not exceed.
func (h *histogram) quantile(q float64) time.Duration {
	want := uint64(q*float64(h.total) + 0.5)
	var seen uint64
	for i, n := range h.counts {
		seen += n
		if seen >= want && seen > 0 {
			return min(upper(i), h.max)
		}
	}
	return h.max
}

// latency is the distribution in the form of reports.
func (h *histogram) latency() Latency {
	us := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e3 }
	return Latency{P50: us(h.quantile(0.5)), P99: us(h.quantile(0.99)), P999: us(h.quantile(0.999)), Max: us(h.max)}
}
