package stats

import (
	"math/bits"
	"strconv"
	"strings"
)

// Both sets of bounds are spaced so that between two powers of two there is at most one of them. The
// bucket of a value then takes a table look-up by bit length and one comparison, without a search:
//
//	time 30 ms = 30,000,000 ns, 25 bits: table says bucket 7 (bound 25 ms); 30 > 25, so bucket 8 (50 ms)

// timeBounds are upper bounds in nanoseconds. From 5 ms on they are the bounds that the dashboards
// for ingress-nginx know; the finer ones below show the gateway's own part.
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

// routeHistogram is one of the histograms of a Route, by its position in delta.sums.
type routeHistogram struct {
	*metric
	// Name is its name in the configuration.
	Name   string
	bounds []uint64
	unit   float64 // how many units of the counted values make one reported unit
	le     []string
}

// routeHistograms are all histograms of a Route.
var routeHistograms = [histograms]routeHistogram{
	timeDuration: timesOf(nginxDuration),
	timeUpstream: timesOf(nginxResponse),
	timeConnect:  timesOf(nginxConnect),
	timeHeader:   timesOf(nginxHeader),
	sizeRequest:  sizesOf(nginxReqSize),
	sizeResponse: sizesOf(nginxRespSize),
}

// allHistograms keeps the buckets of each.
const allHistograms = histogramSet(1<<histograms - 1)

func timesOf(m *metric) routeHistogram { return newRouteHistogram(m, timeBounds[:], 1e9) }
func sizesOf(m *metric) routeHistogram { return newRouteHistogram(m, sizeBounds[:], 1) }

func newRouteHistogram(m *metric, bounds []uint64, unit float64) routeHistogram {
	h := routeHistogram{metric: m, Name: strings.TrimPrefix(m.Name, "nginx_ingress_controller_"), bounds: bounds, unit: unit}
	for _, bound := range bounds {
		h.le = append(h.le, strconv.FormatFloat(float64(bound)/unit, 'g', -1, 64))
	}
	return h
}

// RouteHistograms are the names of the histograms per Route, as Limits.Histograms has them.
func RouteHistograms() (names []string) {
	for _, h := range routeHistograms {
		names = append(names, h.Name)
	}
	return names
}
