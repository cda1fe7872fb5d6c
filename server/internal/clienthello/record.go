package clienthello

const (
	recordHead    = 5       // type, version, length
	maxRecord     = 1 << 14 // RFC 8446 section 5.1
	typeHandshake = 22

	messageHead     = 4 // type, length
	typeClientHello = 1
)

// walk follows the records until the message is complete. It checks each byte of a header when it
// comes, in the order of the stream, so that a fault is the same however the bytes come.
func (h *Hello) walk(buf []byte, limit int) Status {
	for {
		rest := buf[h.record:]
		if err := h.judgeRecord(rest); err != ErrNone {
			return err.failed()
		}
		if len(rest) < recordHead {
			return Incomplete
		}
		n := int(rest[3])<<8 | int(rest[4])
		switch {
		case n == 0 || n > maxRecord:
			return ErrRecordLength.failed()
		case h.record+recordHead+n > limit:
			return ErrTooLarge.failed()
		}
		body := rest[recordHead:min(len(rest), recordHead+n)]
		for i := h.got; i < messageHead && i-h.got < len(body); i++ {
			h.head[i] = body[i-h.got]
		}
		have, total := h.got+len(body), 0
		if have > 0 && h.head[0] != typeClientHello {
			return ErrMessage.failed()
		}
		after := h.record + recordHead + n // where the next record begins
		if have >= messageHead {
			total = messageHead + (int(h.head[1])<<16 | int(h.head[2])<<8 | int(h.head[3]))
			switch left := total - h.got - n; {
			case left < 0:
				return ErrTrailing.failed()
			case left > 0 && after+recordHead+left > limit:
				return ErrTooLarge.failed()
			}
		}
		if len(body) < n {
			return Incomplete
		}
		h.got += n
		h.record = after
		if h.got == total {
			return Done
		}
	}
}

// judgeRecord checks the part of a record's type and version that is there. The minor version is
// ignored, as section 5.1 has it.
func (h *Hello) judgeRecord(b []byte) Error {
	if h.record == 0 && (len(b) > 0 && b[0] != typeHandshake || len(b) > 1 && b[1] != 3) {
		return ErrNotTLS
	}
	if len(b) > 0 && b[0] != typeHandshake {
		return ErrRecordType
	}
	if len(b) > 1 && b[1] != 3 {
		return ErrRecordVersion
	}
	return ErrNone
}
