package stats

import (
	"cmp"
	"slices"
)

// maxTotalCodes bounds the pairs of method and status reported per Series.
const maxTotalCodes = 64

// totals hold a Series' counts of all harvests. Guarded by Registry.harvesting. The zero value has
// counted nothing and keeps no buckets.
type totals struct {
	service string
	canary  string // "" for a Series of requests that no canary serves
	codes   codeTotals

	// By the positions of delta.sums:
	sums, counts [histograms]uint64
	// buckets are nil where only the sum and the count are reported.
	buckets [histograms]*[timeBuckets]uint64
}

func newTotals(keep histogramSet) *totals {
	t := new(totals)
	for which := range t.buckets {
		if keep.has(which) {
			t.buckets[which] = new([timeBuckets]uint64)
		}
	}
	return t
}

// histogramSet names the histograms whose buckets are kept.
type histogramSet uint8

func (s histogramSet) has(which int) bool { return s>>which&1 != 0 }

// codeTotals counts by code, sorted by it, at most limit of them and the rest as codeOther.
type codeTotals []codeTotal

type codeTotal struct {
	code uint32
	n    uint64
}

func (c *codeTotals) add(code uint32, n uint64, limit int) {
	i, known := c.find(code)
	if !known && len(*c) >= limit && code != codeOther {
		code = codeOther
		i, known = c.find(code)
	}
	if !known {
		*c = slices.Insert(*c, i, codeTotal{code: code})
	}
	(*c)[i].n += n
}

func (c *codeTotals) find(code uint32) (i int, known bool) {
	return slices.BinarySearchFunc(*c, code, func(t codeTotal, code uint32) int { return cmp.Compare(t.code, code) })
}

// merge adds a delta.
func (t *totals) merge(d *delta, limit int) {
	for _, c := range d.codes {
		if c.code != 0 {
			t.codes.add(c.code, uint64(c.n), limit)
		}
	}
	if d.other > 0 {
		t.codes.add(codeOther, uint64(d.other), limit)
	}
	for which := range histograms {
		t.sums[which] += d.sums[which]
		if which < sizeRequest {
			for i := range d.times {
				t.count(which, i, d.times[i][which])
			}
		} else {
			for i := range d.sizes {
				t.count(which, i, d.sizes[i][which-sizeRequest])
			}
		}
	}
}

// count adds n to a bucket.
func (t *totals) count(which, bucket int, n uint32) {
	t.counts[which] += uint64(n)
	if b := t.buckets[which]; b != nil {
		b[bucket] += uint64(n)
	}
}

// join adds o, which keeps the buckets that t keeps.
func (t *totals) join(o *totals) {
	for _, c := range o.codes {
		t.codes.add(c.code, c.n, maxTotalCodes)
	}
	for which := range histograms {
		t.sums[which] += o.sums[which]
		t.counts[which] += o.counts[which]
		if b := t.buckets[which]; b != nil {
			for i, n := range o.buckets[which] {
				b[i] += n
			}
		}
	}
}

// cumulative returns Prometheus' form: for each bound divided by unit, the count of values of at most that.
func (t *totals) cumulative(which int, bounds []uint64, unit float64) map[float64]uint64 {
	at := make(map[float64]uint64, len(bounds))
	var count uint64
	for i, bound := range bounds {
		count += t.buckets[which][i]
		at[float64(bound)/unit] = count
	}
	return at
}
