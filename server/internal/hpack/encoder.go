package hpack

import "strconv"

// Encoder writes the header blocks of one direction of one connection. The zero value is not usable,
// see NewEncoder. It belongs to one goroutine, must not be copied after use, and holds no memory beyond
// itself until the first field is indexed.
//
// Each block begins with Begin and goes out whole, in the order of encoding: the peer's table follows
// the blocks it reads. Names and values are copied and not checked. The Append functions put one
// field each behind dst and return the extended slice.
//
//	b = e.Begin(b)
//	b = e.AppendStatus(b, 200)
//	b = e.AppendUint(b, hpack.NameContentLength, 12)
//	b = e.AppendField(b, name, value, hpack.IndexAuto)
type Encoder struct {
	// Huffman compresses strings that are not indexed as well: fewer bytes, more CPU on both sides.
	// Strings that are indexed are compressed always, since they are written once.
	Huffman bool

	varied  uint8 // values of names known to vary, modulo everyNth
	pending bool  // the next block begins with a size update

	dynamic table
	slots   []slotGroup // a power of two of them

	limit  uint32 // our own bound
	peer   uint32 // the peer's last SETTINGS_HEADER_TABLE_SIZE
	target uint32 // the lower of both
	lowest uint32 // the lowest target since the last block, where pending is set
}

// NewEncoder returns an Encoder that uses a table of at most limit bytes, and at most MaxTableSize, and
// until the peer allows more, of DefaultTableSize. 0 turns indexing off.
func NewEncoder(limit uint32) Encoder {
	e := Encoder{
		limit: min(limit, MaxTableSize), peer: DefaultTableSize,
		target: DefaultTableSize, dynamic: table{max: DefaultTableSize},
	}
	e.SetTableSize(DefaultTableSize)
	return e
}

// SetTableSize sets how large a table the peer allows: its SETTINGS_HEADER_TABLE_SIZE, to be set when
// that was received. It takes effect with the next block.
func (e *Encoder) SetTableSize(n uint32) {
	e.target = min(n, e.limit)
	// Some decoders expect an update whenever their setting went down, also when we used less.
	lowered := n < e.peer
	e.peer = n
	if !e.pending && !lowered && e.target == e.dynamic.max {
		return
	}
	if !e.pending || e.target < e.lowest {
		e.lowest = e.target
	}
	e.pending = true
}

// TableSize returns the bytes that the table counts now, as RFC 7541 section 4.1 counts them.
func (e *Encoder) TableSize() int { return int(e.dynamic.size) }

// Begin begins a block: it appends the table size updates that are due.
func (e *Encoder) Begin(dst []byte) []byte {
	if !e.pending {
		return dst
	}
	e.pending = false
	// Both the smallest and the final size are signalled: section 4.2.
	if e.lowest < e.target {
		e.dynamic.setMax(e.lowest)
		dst = appendInteger(dst, 0x20, 0x1f, uint64(e.lowest))
	}
	e.dynamic.setMax(e.target)
	return appendInteger(dst, 0x20, 0x1f, uint64(e.target))
}

// AppendStatus appends :status with a code of three digits.
//
// hot: runs per request; no alloc, no lock.
func (e *Encoder) AppendStatus(dst []byte, code int) []byte {
	switch code {
	case 200:
		return append(dst, 0x80|8)
	case 204:
		return append(dst, 0x80|9)
	case 206:
		return append(dst, 0x80|10)
	case 304:
		return append(dst, 0x80|11)
	case 400:
		return append(dst, 0x80|12)
	case 404:
		return append(dst, 0x80|13)
	case 500:
		return append(dst, 0x80|14)
	}
	// Five bytes without a search beat one byte with it.
	return append(dst, byte(NameStatus), 3, '0'+byte(code/100), '0'+byte(code/10%10), '0'+byte(code%10))
}

// AppendUint appends a field of a static name with a decimal value, such as content-length, without
// indexing it.
//
// hot: runs per request; no alloc, no lock.
func (e *Encoder) AppendUint(dst []byte, id NameID, n uint64) []byte {
	dst = append(appendInteger(dst, 0, 0x0f, uint64(id)), 0)
	at := len(dst)
	dst = strconv.AppendUint(dst, n, 10)
	dst[at-1] = byte(len(dst) - at)
	return dst
}

// AppendField appends a field whose name is in lower case.
//
// hot: runs per request; no lock, and no alloc but for the table to grow.
func (e *Encoder) AppendField(dst, name, value []byte, how Indexing) []byte {
	if id := LookupName(name); id != NameOther {
		return e.AppendKnown(dst, id, value, how)
	}
	return e.appendOther(dst, name, value, how)
}

// maxFolded is the longest name that AppendFolded looks up: the folded copy lies on the stack.
const maxFolded = 64

// AppendFolded appends a field whose name is in any case; it goes out in lower case. Beyond 64 bytes a
// name is not looked up, and so not indexed.
//
// hot: runs per request; no lock, and no alloc but for the table to grow.
func (e *Encoder) AppendFolded(dst, name, value []byte, how Indexing) []byte {
	if len(name) > maxFolded {
		if how == IndexYes {
			how = IndexNo
		}
		dst = append(dst, literalByte(how))
		dst = appendInteger(dst, 0, 0x7f, uint64(len(name)))
		dst = appendLower(dst, name)
		return appendString(dst, value, e.Huffman)
	}
	var buf [maxFolded]byte
	return e.AppendField(dst, lowerInto(&buf, name), value, how)
}

// AppendKnown appends a field of a static name, from NameAuthority to NameWWWAuthenticate.
//
// hot: runs per request; no lock, and no alloc but for the table to grow.
func (e *Encoder) AppendKnown(dst []byte, id NameID, value []byte, how Indexing) []byte {
	if how == IndexAuto {
		how = autoIndexing[id]
		if id == NameCookie && len(value) < shortCookie {
			how = IndexNever
		}
	}
	if how == IndexNever {
		return e.appendLiteral(dst, uint64(id), nil, value, how)
	}
	if i := staticMatch(id, value); i != 0 {
		return append(dst, 0x80|byte(i))
	}
	if how == IndexNo || !e.worthIndexing(len(staticTable[id].name)+len(value)) {
		return e.appendLiteral(dst, uint64(id), nil, value, IndexNo)
	}
	whole := hashValue(uint64(id), value)
	if age, ok := e.find(whole, id, nil, value, false); ok {
		return appendIndexed(dst, age)
	}
	dst = e.appendLiteral(dst, uint64(id), nil, value, IndexYes)
	e.dynamic.insert(staticFields[id].name, value, id)
	e.putNewest(whole, 0, id)
	return dst
}

// appendOther is AppendField for a name that is not static. Nothing is known about such a name, so
// IndexAuto learns: a name that is in the table with another value is taken for one that varies
// (a request's ID, a duration), and only every sixteenth of its new values is indexed, so that a value
// that changed for good gets in.
func (e *Encoder) appendOther(dst, name, value []byte, how Indexing) []byte {
	hash := hashName(name)
	learn := how == IndexAuto
	if learn {
		how = IndexYes
	}
	if how == IndexYes && !e.worthIndexing(len(name)+len(value)) {
		how = IndexNo
	}
	whole := uint64(0)
	if how == IndexYes {
		whole = hashValue(hash, value)
		if age, ok := e.find(whole, NameOther, name, value, false); ok {
			return appendIndexed(dst, age)
		}
	}
	index := uint64(0)
	if age, ok := e.find(hash, NameOther, name, nil, true); ok {
		index = staticCount + 1 + uint64(age)
		if learn && how == IndexYes {
			e.varied++
			if e.varied%everyNth != 0 {
				how = IndexNo
			}
		}
	}
	dst = e.appendLiteral(dst, index, name, value, how)
	if how == IndexYes {
		e.dynamic.insert(name, value, NameOther)
		e.putNewest(whole, hash, NameOther)
	}
	return dst
}

// worthIndexing reports whether a field of n bytes leaves half of the table to others.
func (e *Encoder) worthIndexing(n int) bool {
	return n+entryOverhead <= int(e.dynamic.max/2)
}

// appendLiteral appends a field whose value is spelled out, and so is its name where index is 0.
func (e *Encoder) appendLiteral(dst []byte, index uint64, name, value []byte, how Indexing) []byte {
	mask := byte(0x0f)
	if how == IndexYes {
		mask = 0x3f
	}
	dst = appendInteger(dst, literalByte(how), mask, index)
	huffman := e.Huffman || how == IndexYes
	if index == 0 {
		dst = appendString(dst, name, huffman)
	}
	return appendString(dst, value, huffman)
}

// literalByte returns the bits above the name's index that encode how the field is to be indexed.
func literalByte(how Indexing) byte {
	switch how {
	case IndexYes:
		return 0x40
	case IndexNever:
		return 0x10
	}
	return 0
}

// appendIndexed appends the entry of the dynamic table with this age.
func appendIndexed(dst []byte, age uint32) []byte {
	return appendInteger(dst, 0x80, 0x7f, staticCount+1+uint64(age))
}

// appendString appends a string literal, in Huffman code where huffman is set and the code is shorter.
func appendString(dst, s []byte, huffman bool) []byte {
	if huffman {
		if n := huffmanLen(s); n < len(s) {
			return appendHuffman(appendInteger(dst, 0x80, 0x7f, uint64(n)), s, n)
		}
	}
	return append(appendInteger(dst, 0, 0x7f, uint64(len(s))), s...)
}
