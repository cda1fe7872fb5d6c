package routing

import (
	"hash/maphash"
	"slices"
)

// A hostIndex finds Hosts by name: an open-addressing hash array with linear probing, at most three quarters full. Slots
// keep the whole hash, so that growing, deleting and probing never read a name that does not match. They keep a pointer
// to the key beside the one to its Host, so that name and Host come from memory at the same time and not one after the
// other. Empty slots have a nil host, deletion shifts the rest of the run back, hence no tombstones. The zero value is
// empty. Shared between Tables until cloneFor makes a private copy.
//
// The hash is seeded at random for each process, so that no manifest can be written with host names
// that all fall on one slot.
type hostIndex struct {
	slots []slot // length is 0 or a power of two
	count int
}

type slot struct {
	hash uint64
	host *Host
	key  string // host.key()
}

func slotOf(h *Host) slot { return slot{maphash.String(hostSeed, h.key()), h, h.key()} }

const minSlots = 8

var hostSeed = maphash.MakeSeed()

// find returns the Host with this key, or nil.
//
// hot: runs per request; no alloc, no lock.
func (x *hostIndex) find(key []byte) *Host {
	if x.count == 0 {
		return nil
	}
	hash := maphash.Bytes(hostSeed, key)
	slots := x.slots
	for i := int(hash) & (len(slots) - 1); ; i = (i + 1) & (len(slots) - 1) {
		s := &slots[i]
		if s.host == nil {
			return nil
		}
		if s.hash == hash && s.key == string(key) {
			return s.host
		}
	}
}

// cloneFor returns a copy that may be changed and has room for n more Hosts; x itself when n is 0.
func (x hostIndex) cloneFor(n int) hostIndex {
	if n == 0 {
		return x
	}
	size := max(minSlots, len(x.slots))
	for size/4*3 < x.count+n {
		size *= 2
	}
	// Give back the memory of Hosts long gone, with slack so that sizes do not swing.
	for size > minSlots && size/8 > x.count+n {
		size /= 2
	}
	if size == len(x.slots) {
		return hostIndex{slots: slices.Clone(x.slots), count: x.count}
	}
	grown := hostIndex{slots: make([]slot, size)}
	for _, s := range x.slots {
		if s.host != nil {
			grown.insert(s)
		}
	}
	return grown
}

// insert adds a Host whose key is not there yet; there must be room.
func (x *hostIndex) insert(s slot) {
	mask := len(x.slots) - 1
	i := int(s.hash) & mask
	for x.slots[i].host != nil {
		i = (i + 1) & mask
	}
	x.slots[i] = s
	x.count++
}

// replace puts h under key, or removes the key where h is nil, and returns the Host that was there.
func (x *hostIndex) replace(key string, h *Host) (old *Host) {
	hash := maphash.String(hostSeed, key)
	mask := len(x.slots) - 1
	i := int(hash) & mask
	for ; x.slots[i].host != nil; i = (i + 1) & mask {
		if x.slots[i].hash == hash && x.slots[i].key == key {
			old = x.slots[i].host
			break
		}
	}
	switch {
	case old != nil && h != nil:
		x.slots[i] = slotOf(h)
	case old != nil:
		x.remove(i)
	case h != nil:
		x.slots[i] = slotOf(h)
		x.count++
	}
	return old
}

// remove empties slot i and moves later members of its run back over the gap, where a probe would
// otherwise stop short of them.
func (x *hostIndex) remove(i int) {
	mask := len(x.slots) - 1
	gap := i
	for j := (i + 1) & mask; x.slots[j].host != nil; j = (j + 1) & mask {
		home := int(x.slots[j].hash) & mask
		// j may move to gap when its home is not cyclically within (gap, j].
		if (j-home)&mask >= (j-gap)&mask {
			x.slots[gap] = x.slots[j]
			gap = j
		}
	}
	x.slots[gap] = slot{}
	x.count--
}

func (x *hostIndex) appendTo(hosts []*Host) []*Host {
	for _, s := range x.slots {
		if s.host != nil {
			hosts = append(hosts, s.host)
		}
	}
	return hosts
}
