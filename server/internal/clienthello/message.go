package clienthello

// Extensions that are read: the TLS ExtensionType registry.
const (
	extServerName        = 0
	extALPN              = 16
	extPreSharedKey      = 41
	extSupportedVersions = 43
	extECH               = 0xfe0d
)

// maxExtensions bounds the search for one given twice. Browsers send about 18.
const maxExtensions = 64

// parseMessage reads the complete message, wire being its records.
func (h *Hello) parseMessage(wire []byte) Error {
	c := cursor{buf: wire, rest: h.got}
	c.skip(messageHead)
	version := c.u16()
	c.skip(32) // random
	session := c.u8()
	if !c.bad && session > 32 {
		return ErrSessionID
	}
	c.skip(session)
	suites := c.u16()
	c.skip(suites)
	compressions := c.take(c.u8())
	switch {
	case c.bad:
		return ErrLength
	case version < TLS10:
		return ErrVersion
	case suites == 0 || suites%2 != 0:
		return ErrCipherSuites
	}
	null := false
	for compressions.rest > 0 {
		null = compressions.u8() == 0 || null
	}
	if !null {
		return ErrCompression
	}
	h.Version = uint16(min(version, TLS12)) // unless supported_versions says otherwise
	if c.rest == 0 {
		return ErrNone // TLS 1.2 and older need no extensions
	}
	extensions := c.take(c.u16())
	if c.bad || c.rest > 0 {
		return ErrLength
	}
	return h.parseExtensions(&extensions)
}

func (h *Hello) parseExtensions(c *cursor) Error {
	var seen [maxExtensions]uint16
	for count := 0; c.rest > 0; count++ {
		kind := c.u16()
		data := c.take(c.u16())
		if c.bad {
			return ErrLength
		}
		if count == maxExtensions {
			return ErrTooManyExtensions
		}
		for _, other := range seen[:count] {
			if other == uint16(kind) {
				return ErrExtensionTwice
			}
		}
		seen[count] = uint16(kind)
		err := ErrNone
		switch kind {
		case extServerName:
			err = h.parseServerName(&data)
		case extALPN:
			err = h.parseALPN(&data)
		case extSupportedVersions:
			err = h.parseVersions(&data)
		case extPreSharedKey:
			if c.rest > 0 {
				err = ErrPreSharedKey
			}
		case extECH:
			h.ECH = true
		}
		if err != ErrNone {
			return err
		}
	}
	return ErrNone
}

// parseServerName reads a list of exactly one host_name. RFC 6066 defines no other type, and one name
// of a type that is not known could not be told from the next.
func (h *Hello) parseServerName(c *cursor) Error {
	list := c.take(c.u16())
	kind := list.u8()
	name := list.take(list.u16())
	if c.bad || c.rest > 0 || list.bad || list.rest > 0 || kind != 0 || name.rest == 0 {
		return ErrServerName
	}
	if name.rest > maxHostName+1 { // of which one may be the trailing dot
		return ErrHostName
	}
	var raw [maxHostName + 1]byte
	n := name.rest
	for i := range n {
		raw[i] = byte(name.u8())
	}
	ok := false
	if h.nameLen, ok = appendHostName(&h.name, raw[:n]); !ok {
		return ErrHostName
	}
	return ErrNone
}

// parseALPN notes the two protocols that are spoken here.
func (h *Hello) parseALPN(c *cursor) Error {
	list := c.take(c.u16())
	if c.bad || c.rest > 0 || list.rest == 0 {
		return ErrALPN
	}
	h.ALPN = true
	for list.rest > 0 {
		name := list.take(list.u8())
		if list.bad || name.rest == 0 {
			return ErrALPN
		}
		switch {
		case name.is("h2"):
			h.H2 = true
		case name.is("http/1.1"):
			h.HTTP11 = true
		}
	}
	return ErrNone
}

// is reports whether the rest of c is want. It reads from a copy.
func (c cursor) is(want string) bool {
	if c.rest != len(want) {
		return false
	}
	for i := range len(want) {
		if byte(c.u8()) != want[i] {
			return false
		}
	}
	return true
}

// parseVersions notes the newest version that is known; the values that clients add to keep servers
// tolerant (RFC 8701) are not.
func (h *Hello) parseVersions(c *cursor) Error {
	list := c.take(c.u8())
	if c.bad || c.rest > 0 || list.rest == 0 || list.rest%2 != 0 {
		return ErrSupportedVersions
	}
	h.Version = 0
	for list.rest > 0 {
		if v := list.u16(); v >= TLS10 && v <= TLS13 {
			h.Version = max(h.Version, uint16(v))
		}
	}
	return ErrNone
}
