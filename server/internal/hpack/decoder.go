package hpack

// Field is one field of a header block, as Decoder.Next delivers it.
//
// Name and Value alias the static table, the dynamic table, the block or a scratch buffer inside the
// Field: they are valid until the next call of Next with the same Field or the same Decoder, must
// not be written to, and must be copied to be kept. The zero value is ready; use one for all
// connections of a loop, so that its scratch buffer has found its size.
type Field struct {
	Name, Value []byte
	// NameID is the name by number: of the static table, or as set by Annotate. NameOther means
	// nothing: a name that is spelled out is not looked up (see LookupName).
	NameID NameID
	// Static is the index in the static table of the whole field, 0 where it did not come from there:
	// 2 is ":method: GET".
	Static uint8
	// Mark is the mark that Annotate stored with the entry of the dynamic table, otherwise 0.
	Mark uint8
	// Sensitive means that the field came as never indexed: a forwarded copy must be encoded so as
	// well (RFC 7541 section 6.2.3, IndexNever).
	Sensitive bool

	number  uint32 // of its entry in the dynamic table, 0 where it has none
	scratch []byte
}

// Size is the field's part of SETTINGS_MAX_HEADER_LIST_SIZE: RFC 9113 section 6.5.2. One byte of a
// block can name a field as large as the table: count sizes, not bytes.
func (f *Field) Size() int { return len(f.Name) + len(f.Value) + entryOverhead }

// Decoder reads the header blocks of one direction of one connection, in the order they come; a
// dropped block must be decoded all the same. The zero value is not usable, see NewDecoder. It
// belongs to one goroutine, must not be copied after use, and holds no memory beyond itself until
// the peer fills its table, and then at most 1.4 times the table's size.
//
//	pos, err := d.Begin(block)
//	for err == hpack.ErrNone && pos < len(block) {
//		if pos, err = d.Next(block, pos, &field); err == hpack.ErrNone {
//			...
//		}
//	}
type Decoder struct {
	// MaxString bounds the length of a name and of a value that is spelled out, 0 for no bound other
	// than the block's length times 8/5. Set it before the first block.
	MaxString int

	dynamic table
	// limit is the table size we announced and the peer has acknowledged.
	limit uint32
	// lowest is the lowest limit since the last block, where due is set: the peer owes an update to it.
	lowest uint32
	due    bool
}

// NewDecoder returns a Decoder whose peer may use a table of DefaultTableSize.
func NewDecoder() Decoder {
	return Decoder{limit: DefaultTableSize, dynamic: table{max: DefaultTableSize}}
}

// SetTableSize sets how large a table the peer may ask for, at most MaxTableSize: the
// SETTINGS_HEADER_TABLE_SIZE that we sent, to be set when the peer has acknowledged it. Where the
// table holds more, the next block must begin with an update.
func (d *Decoder) SetTableSize(n uint32) {
	if n > MaxTableSize {
		panic("BUG: hpack: table size beyond MaxTableSize")
	}
	d.limit = n
	if n < d.dynamic.max && (!d.due || n < d.lowest) {
		d.due = true
		d.lowest = n
	}
}

// TableSize returns the bytes that the table counts now, as RFC 7541 section 4.1 counts them.
func (d *Decoder) TableSize() int { return int(d.dynamic.size) }

// Begin reads the table size updates at the front of a block and returns the position of its first
// field, which is len(block) where there is none.
//
// hot: runs per request; no alloc, no lock.
func (d *Decoder) Begin(block []byte) (pos int, err Error) {
	if !d.due && (len(block) == 0 || block[0]&0xe0 != 0x20) {
		return 0, ErrNone
	}
	return d.sizeUpdates(block)
}

func (d *Decoder) sizeUpdates(block []byte) (pos int, err Error) {
	for pos < len(block) && block[pos]&0xe0 == 0x20 {
		n := uint64(block[pos] & 0x1f)
		if n < 0x1f {
			pos++
		} else if n, pos, err = readInteger(block, pos, 0x1f); err != ErrNone {
			return pos, err
		}
		if n > uint64(d.limit) {
			// Between a lower and a higher announcement the peer signals the lower first.
			return pos, ErrSizeUpdateRange
		}
		d.dynamic.setMax(uint32(n))
		if n <= uint64(d.lowest) {
			d.due = false
		}
	}
	if d.due {
		return pos, ErrSizeUpdateMissing
	}
	return pos, ErrNone
}

// Next decodes the field at pos < len(block) into f and returns the position behind it. It bounds
// nothing but strings: the caller counts fields and their sizes.
//
// hot: runs per request; no lock, and no alloc but for the table and f's scratch buffer to grow.
func (d *Decoder) Next(block []byte, pos int, f *Field) (next int, err Error) {
	if uint(pos) >= uint(len(block)) {
		return pos, ErrTruncated
	}
	b := block[pos]
	switch {
	case b >= 0x80:
		i := uint64(b & 0x7f)
		pos++
		if i == 0x7f {
			if i, pos, err = readInteger(block, pos-1, 0x7f); err != ErrNone {
				return pos, err
			}
		}
		if i-1 < staticCount {
			s := &staticFields[i]
			f.Name, f.Value = s.name, s.value
			f.NameID, f.Static, f.Mark, f.Sensitive, f.number = s.id, uint8(i), 0, false, 0
			return pos, ErrNone
		}
		age := i - staticCount - 1
		if age >= uint64(d.dynamic.count) {
			return pos, indexError(i)
		}
		e := d.dynamic.at(uint32(age))
		f.Name, f.Value = d.dynamic.nameOf(e), d.dynamic.valueOf(e)
		f.NameID, f.Static, f.Mark, f.Sensitive, f.number = e.id, 0, e.mark, false, d.dynamic.newest-uint32(age)
		return pos, ErrNone
	case b >= 0x40:
		return d.literal(block, pos, f, 0x3f, true)
	case b >= 0x20:
		return pos, ErrSizeUpdateLate
	}
	f.Sensitive = b >= 0x10
	return d.literal(block, pos, f, 0x0f, false)
}

// literal decodes a field whose value, at least, is spelled out. mask is where its name's index stands.
func (d *Decoder) literal(block []byte, pos int, f *Field, mask byte, index bool) (next int, err Error) {
	f.Static, f.Mark, f.number = 0, 0, 0
	f.scratch = f.scratch[:0]
	i := uint64(block[pos] & mask)
	if i < uint64(mask) {
		pos++
	} else if i, pos, err = readInteger(block, pos, mask); err != ErrNone {
		return pos, err
	}
	switch {
	case i == 0:
		f.NameID = NameOther
		if f.Name, pos, err = d.readString(block, pos, f); err != ErrNone {
			return pos, err
		}
	case i <= staticCount:
		s := &staticFields[i]
		f.Name, f.NameID = s.name, s.id
	default:
		age := i - staticCount - 1
		if age >= uint64(d.dynamic.count) {
			return pos, ErrIndexRange
		}
		e := d.dynamic.at(uint32(age))
		f.Name, f.NameID = d.dynamic.nameOf(e), e.id
		if index {
			// The insertion below can evict or move this name (section 4.4).
			f.scratch = append(f.scratch, f.Name...)
			f.Name = f.scratch
		}
	}
	if f.Value, pos, err = d.readString(block, pos, f); err != ErrNone {
		return pos, err
	}
	if index {
		f.Sensitive = false
		if e := d.dynamic.insert(f.Name, f.Value, f.NameID); e != nil {
			f.number = d.dynamic.newest
		}
	}
	return pos, ErrNone
}

// readString reads a string literal (section 5.2). Huffman code is decoded behind the bytes that f.scratch holds.
func (d *Decoder) readString(block []byte, pos int, f *Field) (s []byte, next int, err Error) {
	if uint(pos) >= uint(len(block)) {
		return nil, pos, ErrTruncated
	}
	b := block[pos]
	n := uint64(b & 0x7f)
	if n < 0x7f {
		pos++
	} else if n, pos, err = readInteger(block, pos, 0x7f); err != ErrNone {
		return nil, pos, err
	}
	if d.MaxString > 0 && n > uint64(d.MaxString) {
		return nil, pos, ErrStringTooLong
	}
	if n > uint64(len(block)-pos) {
		return nil, pos, ErrTruncated
	}
	end := pos + int(n)
	s = block[pos:end:end]
	if b < 0x80 {
		return s, end, ErrNone
	}
	start := len(f.scratch)
	scratch, ok := appendDecoded(f.scratch, s)
	if !ok {
		return nil, end, ErrHuffman
	}
	f.scratch = scratch
	s = scratch[start:len(scratch):len(scratch)]
	if d.MaxString > 0 && len(s) > d.MaxString {
		return nil, end, ErrStringTooLong
	}
	return s, end, ErrNone
}

func indexError(i uint64) Error {
	if i == 0 {
		return ErrIndexZero
	}
	return ErrIndexRange
}

// Annotate stores id and mark with the entry of the dynamic table that f came from or went to, so that an
// entry is examined once: f and later fields from this entry carry both, and entries that take over its
// name inherit id. Without such an entry nothing is stored. f must be the field of the last call of Next.
func (d *Decoder) Annotate(f *Field, id NameID, mark uint8) {
	f.NameID, f.Mark = id, mark
	if f.number != 0 {
		e := d.dynamic.at(d.dynamic.newest - f.number)
		e.id, e.mark = id, mark
	}
}
