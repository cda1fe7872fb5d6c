package stats

// maxCodes bounds the pairs of method and status of one Series on one loop between two harvests.
// Most Routes see two or three.
const maxCodes = 12

// codeOther counts the pairs that found no room. Its method and status labels are "other".
const codeOther = 1 << 31

// codeOf packs a method and a status. It is never 0, which marks a free slot.
func codeOf(method uint8, status uint16) uint32 {
	return 1<<30 | uint32(method)<<16 | uint32(status)
}

// codeLabels is the reverse of codeOf.
func codeLabels(code uint32) (method, status string) {
	if code == codeOther {
		return "other", "other"
	}
	return methodName(uint8(code >> 16)), statusName(uint16(code))
}

// statusName is the label of a status; 0 is an exchange that ended without any.
func statusName(status uint16) string {
	if status < 100 || status > 999 {
		return "0"
	}
	return string([]byte{'0' + byte(status/100), '0' + byte(status/10%10), '0' + byte(status%10)})
}

// delta holds one loop's counts for one Series since the last harvest. It holds no pointer, so the
// garbage collector does not scan it, and fits eight cache lines, of which a request touches about five.
// While it is in its Shard's dirty list it belongs to the loop; in a batch, to the scraper, but for
// stamp, which only the loop writes.
type delta struct {
	stamp stamp
	sums  [histograms]uint64
	codes [maxCodes]codeCount
	// The buckets of histograms stand side by side, because the times of one request fall into the
	// same bucket or the next.
	times [timeBuckets][timeHistograms]uint32
	sizes [sizeBuckets][sizeHistograms]uint32
	other uint32
}

// codeCount is how often a pair of method and status was seen.
type codeCount struct{ code, n uint32 }

// The histograms of a delta: positions in sums and, less sizeRequest for the sizes, beside a bucket's
// other counts.
const (
	timeDuration = iota
	timeUpstream
	timeConnect
	timeHeader
	sizeRequest
	sizeResponse
	histograms

	timeHistograms = sizeRequest
	sizeHistograms = histograms - sizeRequest
)

// stamp names the owner of a delta, and its harvest. A delta whose stamp does not fit the Series
// and the Shard at hand is stale: it was handed over, or serves another Series by now.
type stamp struct {
	owner uint64
	epoch uint64
}

// record counts one exchange.
//
// hot: runs per request; no alloc, no lock.
func (d *delta) record(e *Event) {
	d.count(codeOf(e.Method, e.Status))
	d.time(timeDuration, e.Duration)
	d.size(sizeRequest, e.BytesIn)
	d.size(sizeResponse, e.BytesOut)
	if e.Upstream > 0 {
		d.time(timeUpstream, e.Upstream)
		d.time(timeConnect, e.Connect)
		d.time(timeHeader, e.Header)
	}
}

// count adds one to the pair.
//
// hot: runs per request; no alloc, no lock.
func (d *delta) count(code uint32) {
	for i := range d.codes {
		c := &d.codes[i]
		if c.code == code {
			c.n++
			return
		}
		if c.code == 0 {
			*c = codeCount{code, 1}
			return
		}
	}
	d.other++
}

// time adds nanoseconds to one of the histograms of times.
//
// hot: runs per request; no alloc, no lock.
func (d *delta) time(which uint, ns int64) {
	v := uint64(max(ns, 0))
	d.sums[which] += v
	d.times[timeBucket(v)][which]++
}

// size adds bytes to one of the histograms of sizes.
//
// hot: runs per request; no alloc, no lock.
func (d *delta) size(which uint, bytes int64) {
	v := uint64(max(bytes, 0))
	d.sums[which] += v
	d.sizes[sizeBucket(v)][which-sizeRequest]++
}

// clear zeroes everything but the stamp, which the loop may be looking at.
func (d *delta) clear() {
	d.sums, d.codes, d.other = [histograms]uint64{}, [maxCodes]codeCount{}, 0
	d.times, d.sizes = [timeBuckets][timeHistograms]uint32{}, [sizeBuckets][sizeHistograms]uint32{}
}
