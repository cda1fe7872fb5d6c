package hpack

import (
	"encoding/binary"
	"math/bits"
)

// Finding an entry of the Encoder's table.
//
// A hash selects a group of four slots, and a slot holds 16 more bits of the hash and the low 16 bits of
// an entry's number. Eviction leaves slots alone: one whose number is no longer live is free, and a
// number that came round again is found out when the entry is compared. A full group replaces its oldest
// slot, so that neither a search nor an insertion takes more than four steps, whatever fields a peer
// makes us encode; the price is that an entry can be forgotten and inserted once more.
//
// Each entry has a slot by its whole field, and one by its name where that is not a static name.

type slotGroup [4]uint32

// find returns the age of a live entry that is the whole field, or, where anyValue is set, that has the
// name; ok is false when there is none. Where id is not NameOther, name is not looked at.
func (e *Encoder) find(h uint64, id NameID, name, value []byte, anyValue bool) (age uint32, ok bool) {
	t := &e.dynamic
	if t.count == 0 {
		return 0, false
	}
	group := &e.slots[h>>16&uint64(len(e.slots)-1)]
	for _, s := range group {
		if uint16(s>>16) != uint16(h) {
			continue
		}
		age := uint32(uint16(t.newest) - uint16(s))
		if age >= t.count {
			continue
		}
		entry := t.at(age)
		if entry.id == id && (id != NameOther || string(t.nameOf(entry)) == string(name)) &&
			(anyValue || string(t.valueOf(entry)) == string(value)) {
			return age, true
		}
	}
	return 0, false
}

// put gives the entry with this age a slot by h.
func (e *Encoder) put(h uint64, age uint32) {
	t := &e.dynamic
	number := t.newest - age
	group := &e.slots[h>>16&uint64(len(e.slots)-1)]
	tag := uint32(uint16(h)) << 16
	oldest, at := uint32(0), 0
	for i, s := range group {
		a := uint32(uint16(number) - uint16(s))
		// The same tag is an older field of the same name, most likely: the newer one lives longer.
		if a >= t.count || s&0xffff0000 == tag {
			at = i
			break
		}
		if a >= oldest {
			oldest, at = a, i
		}
	}
	group[at] = tag | uint32(uint16(number))
}

// putNewest gives the newest entry its slots; name is its name's hash where id is NameOther.
func (e *Encoder) putNewest(whole, name uint64, id NameID) {
	if len(e.slots) < len(e.dynamic.entries) {
		e.growSlots()
		return
	}
	e.put(whole, 0)
	if id == NameOther {
		e.put(name, 0)
	}
}

// growSlots makes as many groups as the table has room for entries: half of the slots are in use then,
// at most. All entries are put anew.
func (e *Encoder) growSlots() {
	t := &e.dynamic
	e.slots = make([]slotGroup, len(t.entries))
	for age := t.count - 1; age < t.count; age-- {
		entry := t.at(age)
		seed := uint64(entry.id)
		if entry.id == NameOther {
			seed = hashName(t.nameOf(entry))
			e.put(seed, age)
		}
		e.put(hashValue(seed, t.valueOf(entry)), age)
	}
}

// Odd numbers without structure, the beginnings of the square roots of 2, 3 and 5.
const (
	hashA = 0x6a09e667f3bcc909
	hashB = 0xbb67ae8584caa73b
	hashC = 0x3c6ef372fe94f82b
)

// hashName hashes a name that is not in the static table.
func hashName(name []byte) uint64 { return hashValue(hashC, name) }

// hashValue samples the length and at most 24 bytes: first, last and middle. Values that differ only
// elsewhere share a group and are told apart by comparing.
func hashValue(seed uint64, s []byte) uint64 {
	first, last := ends(s)
	var middle uint64
	if n := len(s); n > 16 {
		middle = binary.LittleEndian.Uint64(s[n/2-4:])
	}
	h := fold(first^uint64(len(s))^hashA, last^hashB)
	return fold(h^middle, seed^hashC)
}

// fold mixes a and b by multiplying them into 128 bits.
func fold(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	return hi ^ lo
}
