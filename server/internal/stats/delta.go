package stats

// maxCodes bounds the pairs of method and status of one Series on one loop between two harvests.
// Most Routes see two or three.
const maxCodes = 12

// codeOther counts what found no room. Its method and status labels are "other".
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

// delta is what one loop counted for one Series since the last harvest. It holds no pointer, so the
// garbage collector does not scan it, and fits eight cache lines. While it is in its Shard's dirty
// list it belongs to the loop; in a batch, to the scraper, but for stamp, which only the loop writes.
type delta struct {
	stamp stamp
	// codes and counts are parallel; all of codes is one cache line away from the stamp.
	codes  [maxCodes]uint32
	counts [maxCodes]uint32

	duration, upstream, connect, header timeDelta
	request, response                   sizeDelta

	other uint32
}

// stamp says whose a delta is, and for which harvest. One that does not fit the Series and the
// Shard at hand is stale: it was handed over, or serves another Series by now.
type stamp struct {
	owner uint64
	epoch uint64
}

// count adds one to the pair.
//
// hot: runs per request; no alloc, no lock.
func (d *delta) count(code uint32) {
	for i := range d.codes {
		if d.codes[i] == code {
			d.counts[i]++
			return
		}
		if d.codes[i] == 0 {
			d.codes[i], d.counts[i] = code, 1
			return
		}
	}
	d.other++
}

// clear zeroes everything but the stamp.
func (d *delta) clear() {
	d.codes, d.counts, d.other = [maxCodes]uint32{}, [maxCodes]uint32{}, 0
	d.duration, d.upstream, d.connect, d.header = timeDelta{}, timeDelta{}, timeDelta{}, timeDelta{}
	d.request, d.response = sizeDelta{}, sizeDelta{}
}
