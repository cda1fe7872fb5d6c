package stats

import "github.com/sluice-gateway/sluice/routing"

// Series is the counters of one Route, or of several that have the same labels. Made by
// Registry.Attach, kept alive by Route.Attachment. Only Shard.Record and the Registry look inside. Must not
// be copied; nil is valid for Record only.
type Series struct {
	// Immutable after Attach:
	id   uint64 // never used twice
	slot uint32 // in Shard.local; used again after this Series is gone
	key  key

	// Guarded by Registry.harvesting:
	totals *totals // nil until the first harvest that found something
}

// key is what makes one Series of several Routes. The Backend stands for itself by its index, which
// is constant while it exists; its name is looked up when the Series is reported, because the
// Snapshot that holds the Backend is not built yet when the Route is attached.
type key struct {
	ingress    routing.ObjectName
	host, path string
	backend    int32
}

func keyOf(r *routing.Route) key {
	k := key{host: r.Host, path: r.Spelling(), backend: r.Backend}
	if r.Source != nil {
		k.ingress = r.Source.Ingress
	}
	return k
}

// maxTotalCodes bounds the pairs of method and status reported per Series.
const maxTotalCodes = 64

// totals are what a Series counted in all harvests. Guarded by Registry.harvesting.
type totals struct {
	service string
	codes   codeTotals

	duration, upstream, connect, header histogram
	request, response                   histogram
}

// codeTotals counts by code, at most limit of them, and the rest as codeOther.
type codeTotals map[uint32]uint64

func (c codeTotals) add(code uint32, n uint64, limit int) {
	if _, known := c[code]; !known && len(c) >= limit {
		code = codeOther
	}
	c[code] += n
}

// merge adds a delta.
func (t *totals) merge(d *delta, limit int) {
	for _, c := range d.codes {
		if c.code != 0 {
			t.codes.add(c.code, uint64(c.n), limit)
		}
	}
	if d.other > 0 {
		t.codes[codeOther] += uint64(d.other)
	}
	t.duration.mergeTime(d, timeDuration)
	t.upstream.mergeTime(d, timeUpstream)
	t.connect.mergeTime(d, timeConnect)
	t.header.mergeTime(d, timeHeader)
	t.request.mergeSize(d, sizeRequest)
	t.response.mergeSize(d, sizeResponse)
}
