package routing

import "unsafe"

// Validate is the structural validator.
func Validate(t *Table) error {
	if t == nil {
		return nil
	}
	return t.validate()
}

// WithTrie returns h with a trie, however few its Routes, sharing the Routes themselves.
func WithTrie(h *Host) *Host {
	keys := make([]keyed, len(h.routes))
	for i := range keys {
		keys[i] = h.keyOf(i)
	}
	if len(keys) == 0 {
		return h
	}
	c := *h
	c.text, c.trie = h.Name(), newTrie(keys)
	return &c
}

// HasTrie reports whether h is looked up in a trie.
func HasTrie(h *Host) bool { return h.trie != nil }

// MaxLabel is the longest label of a trie node, MaxRecordKey the longest key of a record.
const (
	MaxLabel     = maxLabel
	MaxRecordKey = maxRecordKey
	MaxRecords   = maxRecords
)

// Sizes are the bytes of the structures that a Table has many of.
var Sizes = map[string]uintptr{
	"Route": unsafe.Sizeof(Route{}), "Host": unsafe.Sizeof(Host{}), "slot": unsafe.Sizeof(slot{}),
	"node": unsafe.Sizeof(node{}), "trie": unsafe.Sizeof(trie{}),
	"Endpoint": unsafe.Sizeof(Endpoint{}), "Backend": unsafe.Sizeof(Backend{}),
}
