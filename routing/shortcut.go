package routing

import (
	"bytes"
	"hash/maphash"
)

// A shortcut answers for the trie of a Host with many Routes: it finds keys by their hash, and asks
// for the whole path first, then for the path up to its last slash, and so on to the left. The first
// key found is the answer of the walk, being the longest that ends with a segment; only the Exact
// Route of a key counts against the whole path, and only the Prefix Route against less.
//
// The walk meets one node after another, a dozen of them at 100,000 Routes, and each may have to
// come from memory before the next is known. The probes of a shortcut do not wait for each other,
// and there are as many as the path has segments more than the Route. BenchmarkMatch with 100,000
// paths of one host took 79 ns by walking and takes 30 so; BenchmarkForm has them equal at 8 Routes.
//
// Why the trie stays: each probe hashes the path up to its slash, which is quadratic, so the walk
// has all long paths, where the sender could choose how many slashes there are; and a small trie is
// both smaller and faster.
type shortcut struct {
	// slots is an open-addressing array with linear probing, at most three quarters full, its length
	// a power of two; 11 to 22 bytes a key.
	slots []shortSlot
	// lengths has a bit for each length that a key has, up to maxShortcutPath; a prefix of another
	// length need not be hashed, which is most of what a miss would cost.
	lengths [(maxShortcutPath + 1) / 64]uint64
}

// A shortSlot is empty where ends is 0; that is, in the low bits of tag.
type shortSlot struct {
	// tag is the upper half of the key's hash with the bits of node.ends in place of its lowest.
	tag uint32
	// route is as in node.
	route uint32
}

const (
	// minShortcut is the number of Routes from which a Host has a shortcut: clearly past the tie.
	minShortcut = 32
	// maxShortcutPath bounds what one lookup may hash: 128 slashes, 128 bytes each on average.
	maxShortcutPath = 255

	endsMask = endsExact | endsPrefix
)

// match returns the position of the best Route for path, of at most maxShortcutPath bytes, in routes,
// or -1.
//
// hot: runs per request; no alloc, no lock.
func (s *shortcut) match(routes []Route, path []byte) int {
	for n := len(path); n >= 0; n = bytes.LastIndexByte(path[:n], '/') {
		if s.lengths[n/64]&(1<<(n%64)) == 0 {
			continue
		}
		accept := uint32(endsPrefix)
		if n == len(path) {
			accept = endsMask
		}
		if i := s.find(routes, path[:n], accept); i >= 0 {
			return i
		}
	}
	return -1
}

// find returns the position of the first Route of this key that accept has a bit for, or -1.
//
// hot: runs per request; no alloc, no lock.
func (s *shortcut) find(routes []Route, key []byte, accept uint32) int {
	hash := maphash.Bytes(hostSeed, key)
	tag := uint32(hash>>32) &^ endsMask
	mask := len(s.slots) - 1
	for i := int(hash) & mask; ; i = (i + 1) & mask {
		slot := s.slots[i&(len(s.slots)-1)]
		if slot.tag&endsMask == 0 {
			return -1
		}
		if slot.tag&^endsMask != tag || routes[slot.route].key() != string(key) {
			continue
		}
		switch slot.tag & accept {
		case 0:
			return -1
		case endsPrefix:
			// An Exact Route of the same key, not accepted here, is right before it.
			return int(slot.route) + int(slot.tag&endsExact)
		}
		return int(slot.route)
	}
}

// newShortcut returns the shortcut to keys, or nil where there are so few that the walk is faster.
func newShortcut(keys []keyed) *shortcut {
	if len(keys) < minShortcut {
		return nil
	}
	return indexKeys(keys)
}

// indexKeys makes the shortcut to keys, which are sorted as for newTrie.
func indexKeys(keys []keyed) *shortcut {
	size := minSlots
	for size/4*3 < len(keys) {
		size *= 2
	}
	s := &shortcut{slots: make([]shortSlot, size)}
	for i := 0; i < len(keys); {
		key, first := keys[i].key, i
		var ends uint32
		for ; i < len(keys) && keys[i].key == key; i++ {
			ends |= keys[i].ends()
		}
		if n := len(key); n <= maxShortcutPath {
			s.lengths[n/64] |= 1 << (n % 64)
		}
		hash := maphash.String(hostSeed, key)
		at := int(hash) & (size - 1)
		for s.slots[at].tag != 0 {
			at = (at + 1) & (size - 1)
		}
		s.slots[at] = shortSlot{uint32(hash>>32)&^endsMask | ends, uint32(first)}
	}
	return s
}
