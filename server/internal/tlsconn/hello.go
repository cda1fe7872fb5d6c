package tlsconn

// Limits of what is collected before a handshake begins. A ClientHello with a post-quantum key share
// is about 2 KiB; Go's own limit is 64 KiB, which every connection would go on to retain.
const (
	// MaxHello bounds a ClientHello and the headers of its records, and so what the loop collects.
	MaxHello = 16 << 10
	// maxHelloRecords bounds the records that a ClientHello is cut into.
	maxHelloRecords = 64
)

// Status is what Hello.Scan found.
type Status uint8

const (
	// Partial: no fault so far, more bytes are needed.
	Partial Status = iota
	// Whole: the ClientHello is here, perhaps with bytes behind it.
	Whole
	// NotTLS: no TLS client begins like this.
	NotTLS
	// TooLarge: beyond MaxHello.
	TooLarge
)

// Hello finds the end of a ClientHello in the first bytes of a connection (RFC 8446, 4.1.2 and 5.1),
// so that a client that has not sent one yet costs no goroutine. It looks at no more than lengths;
// the rest is crypto/tls's. The zero value is ready; use one for each connection.
type Hello struct {
	next    int // offset of the next record's header
	have    int // bytes of handshake messages in the records before it
	want    int // length of the ClientHello with its header, 0 until known
	records int
	head    [4]byte
}

// Scan looks at buf, which must begin with the first byte of the connection and contain what it
// contained the last time. Each record is visited once, however often Scan is called.
func (h *Hello) Scan(buf []byte) Status {
	const (
		typeHandshake   = 22
		typeClientHello = 1
		maxPlaintext    = 16 << 10
	)
	for {
		header := buf[min(h.next, len(buf)):]
		// SSLv2 hellos and plain HTTP fail here at their first byte.
		if len(header) > 0 && header[0] != typeHandshake || len(header) > 1 && header[1] != 3 {
			return NotTLS
		}
		if len(header) < recordHeader {
			return h.partial(buf)
		}
		n := int(header[3])<<8 | int(header[4])
		if n == 0 || n > maxPlaintext || h.records == maxHelloRecords {
			return NotTLS
		}
		for i := h.have; i < len(h.head) && i-h.have < n && recordHeader+i-h.have < len(header); i++ {
			h.head[i] = header[recordHeader+i-h.have]
			if i == 0 && h.head[0] != typeClientHello {
				return NotTLS
			}
		}
		if got := h.have + min(n, len(header)-recordHeader); got >= len(h.head) {
			h.want = len(h.head) + (int(h.head[1])<<16 | int(h.head[2])<<8 | int(h.head[3]))
			if h.want > MaxHello {
				return TooLarge
			}
		}
		if len(header) < recordHeader+n {
			return h.partial(buf)
		}
		h.have += n
		h.next += recordHeader + n
		h.records++
		if h.want > 0 && h.have >= h.want {
			return Whole
		}
	}
}

func (h *Hello) partial(buf []byte) Status {
	if len(buf) >= MaxHello {
		return TooLarge
	}
	return Partial
}
