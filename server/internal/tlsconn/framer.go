package tlsconn

// recordHeader is the length of a record's header: type, version, length (RFC 8446, 5.1).
const recordHeader = 5

// maxRecord is the largest record that any version of TLS accepts, header included: TLS 1.2 allows
// 2,048 bytes of expansion (RFC 5246, 6.2.3), TLS 1.3 256.
const maxRecord = recordHeader + 16<<10 + 2048

// framer cuts ciphertext so that crypto/tls is given whole records.
//
// crypto/tls reads into a buffer that never shrinks. It asks for the header with at least 512 bytes
// of room, takes whatever it gets, and grows the buffer when the record whose header it has seen
// does not fit behind the bytes already consumed: with records cut anywhere the buffer grows to 57
// KiB. If only whole records enter, it is empty whenever a record begins, starts over at its first
// byte, and grows to one record and those 512 bytes.
type framer struct {
	rest int32 // bytes still to come of the record that did not fit into the room
}

// span returns how many bytes at the start of in to pass on to a reader with the given room, and how
// many records these complete or, the last of them, begin. At most most records are taken. 0 bytes
// means that no whole record is here.
//
// hot: runs per record; no alloc, no lock.
func (f *framer) span(in []byte, room, most int) (n, records int) {
	if f.rest > 0 {
		n = min(int(f.rest), len(in), room)
		f.rest -= int32(n)
		if f.rest > 0 {
			return n, 0
		}
	}
	for records < most {
		size := recordSize(in[n:])
		if size == 0 {
			break
		}
		if n+size > room {
			if n == 0 {
				n, f.rest = room, int32(size-room)
				records++
			}
			break
		}
		n += size
		records++
	}
	return n, records
}

// recordSize returns the length of the whole record that in begins with, or 0 if it is not here yet. Of
// a record that is larger than allowed, or of an unknown version, it is the header's: crypto/tls needs
// no more to refuse it.
//
// hot: runs per record; no alloc, no lock.
func recordSize(in []byte) int {
	if len(in) < recordHeader {
		return 0
	}
	size := expected(in)
	if size > maxRecord || in[1] != 3 {
		return recordHeader
	}
	if len(in) < size {
		return 0
	}
	return size
}

// expected returns the length of the record that in begins with, or 0 if its header is not here.
func expected(in []byte) int {
	if len(in) < recordHeader {
		return 0
	}
	return recordHeader + (int(in[3])<<8 | int(in[4]))
}

// ready reports whether span would return records.
func (f *framer) ready(in []byte) bool {
	return len(in) > 0 && (f.rest > 0 || recordSize(in) > 0)
}
