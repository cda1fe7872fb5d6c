package stats

import (
	"sync/atomic"

	"github.com/sluice-gateway/sluice/routing"
)

// Series is the counters of one Route, or of several that have the same labels. Made by
// Registry.Attach, kept alive by Route.Attachment. Only Shard.Record and the Registry look inside. Must not
// be copied; nil is valid for Record only.
type Series struct {
	// Immutable after Attach:
	id   uint64 // never used twice
	slot uint32 // in Shard.local; used again after this Series is gone
	key  key

	// Atomic. folded is the Series that counts this one's requests since it found no room for samples of its
	// own; nil for nearly all. Written once, by a harvest.
	folded atomic.Pointer[Series]

	// Guarded by Registry.harvesting:
	totals *totals // nil until the first harvest that found something
}

// key decides which Routes share a Series. The Backend is in it by index, which is constant while
// the Backend exists; its name is looked up when the Series is reported, because the Snapshot that
// holds the Backend is not built yet when the Route is attached.
type key struct {
	ingress    routing.ObjectName
	host, path string
	backend    int32
	// canary is one more than the index of the canary's Backend, for the requests that one serves; 0 for others.
	canary int32
}

func keyOf(r *routing.Route) key {
	k := key{host: r.Host, path: r.Spelling(), backend: r.Backend}
	if r.Source != nil {
		k.ingress = r.Source.Ingress
	}
	return k
}
