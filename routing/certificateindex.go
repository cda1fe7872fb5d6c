package routing

import (
	"hash/maphash"
	"iter"
	"slices"
	"strings"
)

// CertificateIndex finds the Certificates of a server name (RFC 6066 section 3). A nil
// *CertificateIndex is empty. Immutable, and safe for concurrent use; With makes the next one.
//
// It is two open-addressing arrays with linear probing, at most three quarters full, as the Table's
// are: one of whole names, one of what follows "*.". A change copies the array it is in, 16 bytes a
// slot; for 10,000 names that is 256 KiB, and some 30 us.
type CertificateIndex struct {
	exact, wild certificateNames
}

// certificateNames is one of the arrays. Its length is 0 or a power of two.
type certificateNames struct {
	slots []certificateSlot
	count int
}

// A certificateSlot is empty where entry is nil.
type certificateSlot struct {
	hash  uint64
	entry *certificateEntry
}

type certificateEntry struct {
	// name is as configured, key the part of it that is compared.
	name, key string
	list      []*Certificate
}

// find returns the Certificates of a key, or nil.
//
// hot: runs per handshake; no alloc, no lock.
func (x *certificateNames) find(key []byte) []*Certificate {
	if x.count == 0 {
		return nil
	}
	hash := maphash.Bytes(hostSeed, key)
	mask := len(x.slots) - 1
	for i := int(hash) & mask; ; i = (i + 1) & mask {
		s := x.slots[i]
		if s.entry == nil {
			return nil
		}
		if s.hash == hash && s.entry.key == string(key) {
			return s.entry.list
		}
	}
}

// find returns the Certificates for a name in lower case: those of the name itself, else those of the
// wildcard in place of its first label.
//
// hot: runs per handshake; no alloc, no lock.
func (x *CertificateIndex) find(name []byte) []*Certificate {
	if x == nil {
		return nil
	}
	if list := x.exact.find(name); list != nil {
		return list
	}
	if parent := parentOf(name); parent != nil {
		return x.wild.find(parent)
	}
	return nil
}

// With returns the index that has the names of x, except that each name in changed ("a.example" or
// "*.example", in lower case) has its new Certificates, and is gone where there are none. x itself is
// unchanged and may be nil. The index takes the lists over.
func (x *CertificateIndex) With(changed map[string][]*Certificate) *CertificateIndex {
	next := &CertificateIndex{}
	if x != nil {
		*next = *x
	}
	var exact, wild []*certificateEntry
	for name, list := range changed {
		if e := (&certificateEntry{name: name, key: name, list: list}); kindOf(name) == wildcardHost {
			e.key = wildcardKey(name)
			wild = append(wild, e)
		} else {
			exact = append(exact, e)
		}
	}
	next.exact = next.exact.with(exact)
	next.wild = next.wild.with(wild)
	return next
}

func (x certificateNames) with(changed []*certificateEntry) certificateNames {
	if len(changed) == 0 {
		return x
	}
	// A name that goes is counted as one that comes, which costs nothing but a larger array at
	// times.
	size := max(minSlots, len(x.slots))
	for size/4*3 < x.count+len(changed) {
		size *= 2
	}
	for size > minSlots && size/8 > x.count+len(changed) {
		size /= 2
	}
	next := certificateNames{count: x.count}
	if size == len(x.slots) {
		next.slots = slices.Clone(x.slots)
	} else {
		next = certificateNames{slots: make([]certificateSlot, size)}
		for _, s := range x.slots {
			if s.entry != nil {
				next.put(s)
			}
		}
	}
	for _, e := range changed {
		next.put(certificateSlot{maphash.String(hostSeed, e.key), e})
	}
	return next
}

// put sets the Certificates of a key, or removes the key where there are none. There must be room.
func (x *certificateNames) put(s certificateSlot) {
	mask := len(x.slots) - 1
	i := int(s.hash) & mask
	for x.slots[i].entry != nil && (x.slots[i].hash != s.hash || x.slots[i].entry.key != s.entry.key) {
		i = (i + 1) & mask
	}
	there, wanted := x.slots[i].entry != nil, len(s.entry.list) > 0
	switch {
	case wanted && !there:
		x.count++
		fallthrough
	case wanted:
		x.slots[i] = s
	case there:
		x.remove(i)
	}
}

// remove empties slot i as hostIndex.remove does.
func (x *certificateNames) remove(i int) {
	mask := len(x.slots) - 1
	gap := i
	for j := (i + 1) & mask; x.slots[j].entry != nil; j = (j + 1) & mask {
		home := int(x.slots[j].hash) & mask
		if (j-home)&mask >= (j-gap)&mask {
			x.slots[gap] = x.slots[j]
			gap = j
		}
	}
	x.slots[gap] = certificateSlot{}
	x.count--
}

// Names counts the names.
func (x *CertificateIndex) Names() int {
	if x == nil {
		return 0
	}
	return x.exact.count + x.wild.count
}

// All yields every name with its Certificates, sorted by name, as Table.Hosts does. It sorts at each
// call; not for the handshake.
func (x *CertificateIndex) All() iter.Seq2[string, []*Certificate] {
	return func(yield func(string, []*Certificate) bool) {
		if x == nil {
			return
		}
		entries := make([]*certificateEntry, 0, x.Names())
		for _, s := range slices.Concat(x.exact.slots, x.wild.slots) {
			if s.entry != nil {
				entries = append(entries, s.entry)
			}
		}
		slices.SortFunc(entries, func(a, b *certificateEntry) int { return strings.Compare(a.name, b.name) })
		for _, e := range entries {
			if !yield(e.name, e.list) {
				return
			}
		}
	}
}
