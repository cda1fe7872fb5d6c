package clienthello

// Versions of TLS, as Hello.Version has them.
const (
	TLS10 = 0x0301
	TLS11 = 0x0302
	TLS12 = 0x0303
	TLS13 = 0x0304
)

const (
	// DefaultMaxBytes stands for Limits.MaxBytes when that is zero. Browsers send up to 2 KiB, with
	// a large session ticket up to 4 KiB more.
	DefaultMaxBytes = 16 << 10
	// MinMaxBytes is the least that Limits.MaxBytes can be.
	MinMaxBytes = 512
)

// Limits bounds a hello. The zero value means the default.
type Limits struct {
	// MaxBytes bounds the hello with its record headers; 0 means DefaultMaxBytes, less than MinMaxBytes
	// means MinMaxBytes.
	MaxBytes int
}

// Hello is the content of a ClientHello and how far its parsing has come. The zero value is ready to
// use. Do not copy it while parsing, and Reset it before using it for another connection.
type Hello struct {
	// Len is the length of the hello in the buffer, with record headers. Bytes behind it belong to
	// the next message of the client.
	Len int
	// Version is the newest version of TLS that the client offers and this package knows, 0 for none.
	Version uint16
	// ALPN means that the client names application protocols; H2 and HTTP11, that these are among them.
	ALPN, H2, HTTP11 bool
	// ECH means that the client encrypted another hello inside this one, or pretends so to keep others
	// from standing out (RFC 9849 section 6.2).
	ECH bool

	// Valid once the hello is complete:
	name    [maxHostName]byte
	nameLen uint8

	// Progress over records:
	status Status
	head   [4]byte // type and length of the message, as far as received
	record int     // where the header of the record is that is being received
	got    int     // bytes of the message in the records before
}

// Reset makes h ready for another connection.
func (h *Hello) Reset() { *h = Hello{} }

// ServerName returns the host name that the client asks for, lower case and without a trailing dot,
// or nothing when it names none. It aliases h: valid until Reset.
//
// It is a DNS host name, by the letters: RFC 6066 section 3 forbids addresses, yet an IPv4 address passes,
// because clients send it and as a name it matches no Host.
func (h *Hello) ServerName() []byte { return h.name[:h.nameLen] }

// Parse parses the ClientHello at the start of buf.
//
// On Incomplete call it again with the same bytes and more behind them (the buffer may have moved); h
// remembers where it was. Every other Status is final, and later calls return it again. Before Done
// only the methods of Status are valid.
//
// hot: runs per connection; no alloc, no lock.
func Parse(h *Hello, buf []byte, lim Limits) Status {
	if h.status != Incomplete {
		return h.status
	}
	limit := lim.MaxBytes
	if limit == 0 {
		limit = DefaultMaxBytes
	}
	limit = max(limit, MinMaxBytes)
	h.status = h.walk(buf, limit)
	if h.status == Done {
		h.Len = h.record
		if err := h.parseMessage(buf[:h.Len]); err != ErrNone {
			h.status = err.failed()
		}
	}
	return h.status
}
