package stats

import "math/bits"

// Both sets of bounds are spaced so that between two powers of two there is at most one of them. The
// bucket of a value then takes a table look-up by bit length and one comparison, without a search:
//
//	time 30 ms = 30,000,000 ns, 25 bits: table says bucket 7 (bound 25 ms); 30 > 25, so bucket 8 (50 ms)

// timeBounds are upper bounds in nanoseconds. From 5 ms on they are the bounds that the dashboards
// for ingress-nginx know; the finer ones below show what the gateway itself adds.
var timeBounds = [...]uint64{
	250e3, 500e3, 1e6, 25e5, 5e6, 10e6, 25e6, 50e6, 100e6, 250e6, 500e6, 1e9, 25e8, 5e9, 10e9,
}

// sizeBounds are upper bounds in bytes, those of ingress-nginx.
var sizeBounds = [...]uint64{10, 100, 1e3, 10e3, 100e3, 1e6, 10e6}

const (
	timeBuckets = len(timeBounds) + 1
	sizeBuckets = len(sizeBounds) + 1
)

// timeFirst and sizeFirst give, for a value's bit length, the first bucket that can hold it.
var (
	timeFirst = firstBuckets(timeBounds[:])
	sizeFirst = firstBuckets(sizeBounds[:])
)

func firstBuckets(bounds []uint64) (first [65]uint8) {
	for length := range first {
		smallest := uint64(0)
		if length > 0 {
			smallest = 1 << (length - 1)
		}
		i := 0
		for i < len(bounds) && bounds[i] < smallest {
			i++
		}
		first[length] = uint8(i)
	}
	return first
}

// timeDelta is a histogram of nanoseconds since the last harvest. Owned by one loop.
type timeDelta struct {
	sum     uint64
	buckets [timeBuckets]uint32
}

// hot: runs per request; no alloc, no lock.
func (h *timeDelta) observe(ns int64) {
	v := uint64(max(ns, 0))
	i := uint(timeFirst[bits.Len64(v)])
	if i < uint(len(timeBounds)) && v > timeBounds[i] {
		i++
	}
	h.sum += v
	h.buckets[i%uint(timeBuckets)]++
}

// sizeDelta is a histogram of bytes since the last harvest. Owned by one loop.
type sizeDelta struct {
	sum     uint64
	buckets [sizeBuckets]uint32
}

// hot: runs per request; no alloc, no lock.
func (h *sizeDelta) observe(bytes int64) {
	v := uint64(max(bytes, 0))
	i := uint(sizeFirst[bits.Len64(v)])
	if i < uint(len(sizeBounds)) && v > sizeBounds[i] {
		i++
	}
	h.sum += v
	h.buckets[i%uint(sizeBuckets)]++
}

// histogram holds merged totals. Guarded by the Registry's mu.
type histogram struct {
	sum     uint64
	buckets [timeBuckets]uint64
}

func (h *histogram) merge(sum uint64, buckets []uint32) {
	h.sum += sum
	for i, n := range buckets {
		h.buckets[i] += uint64(n)
	}
}

// cumulative gives the form Prometheus wants: the count of all, and for each bound divided by unit,
// the count of what is at most that.
func (h *histogram) cumulative(bounds []uint64, unit float64) (count uint64, at map[float64]uint64) {
	at = make(map[float64]uint64, len(bounds))
	for i, bound := range bounds {
		count += h.buckets[i]
		at[float64(bound)/unit] = count
	}
	return count + h.buckets[len(bounds)], at
}
