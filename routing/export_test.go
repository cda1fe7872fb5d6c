package routing

import (
	"maps"
	"slices"
	"unsafe"
)

// Validate is the structural validator.
func Validate(t *Table) error {
	if t == nil {
		return nil
	}
	return t.validate()
}

// WithTrie returns h with a trie and no shortcut, however few or many its Routes, sharing the Routes
// themselves.
func WithTrie(h *Host) *Host {
	keys := h.keys()
	if len(keys) == 0 {
		return h
	}
	c := *h
	c.text, c.trie = h.Name(), newTrie(keys)
	return &c
}

// WithRecords returns h with records, however many its Routes, which must have short keys.
func WithRecords(h *Host) *Host {
	c := *h
	c.text, c.trie = string(appendRecords([]byte(h.Name()), h.keys())), nil
	return &c
}

// WithShortcut is WithTrie with a shortcut, however few the Routes.
func WithShortcut(h *Host) *Host {
	c := WithTrie(h)
	if c.trie != nil {
		c.trie.shortcut = indexKeys(h.keys())
	}
	return c
}

func (h *Host) keys() []keyed {
	keys := make([]keyed, len(h.routes))
	for i := range keys {
		keys[i] = h.routes[i].keyed()
	}
	return keys
}

// Bounds of what the parts of a Host can hold, or are asked for.
const (
	MaxLabel     = maxLabel
	MaxRecordKey = maxRecordKey
	MaxShortcut  = maxShortcutPath
)

// Sizes are the bytes of the structures that a Table has many of.
var Sizes = map[string]uintptr{
	"Route": unsafe.Sizeof(Route{}), "Host": unsafe.Sizeof(Host{}), "slot": unsafe.Sizeof(slot{}),
	"shortSlot": unsafe.Sizeof(shortSlot{}),
	"node":      unsafe.Sizeof(node{}), "trie": unsafe.Sizeof(trie{}),
	"Endpoint": unsafe.Sizeof(Endpoint{}), "Backend": unsafe.Sizeof(Backend{}),
}

// CipherSuiteIDs are the suites that have a name.
func CipherSuiteIDs() []uint16 { return slices.Collect(maps.Values(cipherSuites)) }
