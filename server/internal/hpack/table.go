package hpack

// A dynamic table (RFC 7541 section 2.3.2) is a queue of fields. Their bytes lie in one buffer, oldest
// first, each name directly before its value and never split; when the end of the buffer is reached and
// enough has been evicted, the live fields move to the front. Since each entry counts 32 bytes more
// than it holds, there is room between two moves, and a move costs less than the insertions before it.
//
// Positions are kept as offsets from the first byte that was ever inserted, modulo 2^32, so that a move
// changes one number and no entry.

const (
	// DefaultTableSize is the size that a peer may use before it has seen SETTINGS_HEADER_TABLE_SIZE.
	DefaultTableSize = 4096
	// MaxTableSize is the largest table size that can be asked for here. Lengths are 16-bit.
	MaxTableSize = 1 << 16
	// entryOverhead is the size of an entry beyond its bytes: section 4.1.
	entryOverhead = 32

	minBuffer  = 256
	minEntries = 8
)

// entry is one field of a dynamic table.
type entry struct {
	off         uint32 // of the name, counted from the first byte ever inserted
	name, value uint16 // lengths
	id          NameID
	mark        uint8
}

// table is a dynamic table. The zero value with max set is an empty one that holds no memory.
type table struct {
	buf     []byte  // its end is the end of the newest entry
	entries []entry // ring; the length is a power of two
	base    uint32  // offset of buf[0]
	newest  uint32  // number of the newest entry; the first is 1. Entry k is entries[k&mask]
	count   uint32  // entries that are live
	size    uint32  // as section 4.1 counts
	max     uint32
}

// at returns the live entry that is age insertions older than the newest.
func (t *table) at(age uint32) *entry {
	return &t.entries[(t.newest-age)&uint32(len(t.entries)-1)]
}

// nameOf returns the name of e; like valueOf, valid until the next insertion.
func (t *table) nameOf(e *entry) []byte {
	o := e.off - t.base
	end := o + uint32(e.name)
	return t.buf[o:end:end]
}

func (t *table) valueOf(e *entry) []byte {
	o := e.off - t.base + uint32(e.name)
	end := o + uint32(e.value)
	return t.buf[o:end:end]
}

// setMax changes the size of the table; fields that no longer fit are evicted.
func (t *table) setMax(max uint32) {
	t.max = max
	t.evict(max)
}

// evict takes out the oldest entries until size is at most room. Their bytes stay untouched until the
// next insertion.
func (t *table) evict(room uint32) {
	for t.size > room {
		e := t.at(t.count - 1)
		t.size -= uint32(e.name) + uint32(e.value) + entryOverhead
		t.count--
	}
}

// insert adds a field and returns its entry, nil where it is larger than the table, which is then
// empty (section 4.4). Neither name nor value may lie in the table.
func (t *table) insert(name, value []byte, id NameID) *entry {
	n := len(name) + len(value)
	if n+entryOverhead > int(t.max) {
		t.evict(0)
		return nil
	}
	t.evict(t.max - uint32(n+entryOverhead))
	if len(t.buf)+n > cap(t.buf) {
		t.makeRoom(n)
	}
	if int(t.count) == len(t.entries) {
		t.growEntries()
	}
	t.newest++
	t.count++
	t.size += uint32(n + entryOverhead)
	e := t.at(0)
	*e = entry{off: t.base + uint32(len(t.buf)), name: uint16(len(name)), value: uint16(len(value)), id: id}
	t.buf = append(append(t.buf, name...), value...)
	return e
}

// makeRoom moves the live bytes to the front of the buffer, or of a larger one where n more would
// leave less than a quarter of it free. A buffer never gets larger than the table.
func (t *table) makeRoom(n int) {
	live := t.buf[len(t.buf):]
	if t.count > 0 {
		live = t.buf[t.at(t.count-1).off-t.base:]
	}
	t.base += uint32(len(t.buf) - len(live))
	size := max(cap(t.buf), minBuffer)
	for size-size/4 < len(live)+n {
		size *= 2
	}
	size = min(size, int(t.max))
	if size <= cap(t.buf) {
		t.buf = t.buf[:copy(t.buf[:cap(t.buf)], live)]
		return
	}
	t.buf = append(make([]byte, 0, size), live...)
}

func (t *table) growEntries() {
	grown := make([]entry, max(minEntries, 2*len(t.entries)))
	for age := range t.count {
		grown[(t.newest-age)&uint32(len(grown)-1)] = *t.at(age)
	}
	t.entries = grown
}
