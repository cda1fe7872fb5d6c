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

// timeBucket returns the bucket of nanoseconds.
//
// hot: runs per request; must inline.
func timeBucket(v uint64) uint {
	i := uint(timeFirst[bits.Len64(v)])
	if i < uint(len(timeBounds)) && v > timeBounds[i] {
		i++
	}
	return i % uint(timeBuckets)
}

// sizeBucket returns the bucket of bytes.
//
// hot: runs per request; must inline.
func sizeBucket(v uint64) uint {
	i := uint(sizeFirst[bits.Len64(v)])
	if i < uint(len(sizeBounds)) && v > sizeBounds[i] {
		i++
	}
	return i % uint(sizeBuckets)
}

// histogram holds merged totals. Guarded by the Registry's mu.
type histogram struct {
	sum     uint64
	buckets [timeBuckets]uint64
}

// mergeTime adds one of a delta's histograms of times.
func (h *histogram) mergeTime(d *delta, which uint) {
	h.sum += d.sums[which]
	for i := range d.times {
		h.buckets[i] += uint64(d.times[i][which])
	}
}

// mergeSize adds one of a delta's histograms of sizes.
func (h *histogram) mergeSize(d *delta, which uint) {
	h.sum += d.sums[which]
	for i := range d.sizes {
		h.buckets[i] += uint64(d.sizes[i][which-sizeRequest])
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
