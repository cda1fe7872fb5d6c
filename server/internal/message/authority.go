package message

// TargetForm is one of the four forms of a request target: RFC 9112 section 3.2.
type TargetForm uint8

const (
	// OriginForm is "/path?query".
	OriginForm TargetForm = iota
	// AbsoluteForm is "http://host/path?query".
	AbsoluteForm
	// AuthorityForm is "host:port", with CONNECT only.
	AuthorityForm
	// AsteriskForm is "*", with OPTIONS only.
	AsteriskForm
)

// SplitAuthority splits host[:port] and reports whether it is valid: a non-empty reg-name with
// correct percent-encodings or a bracketed IPv6 address, and a port of at most 65535. A colon
// without a port is allowed (RFC 3986 section 3.2.3).
func SplitAuthority(b []byte, s Span) (host, port Span, ok bool) {
	i, end := int(s.Off), int(s.End)
	if i < end && b[i] == '[' {
		i++
		for i < end && (Class[b[i]]&ClassHex != 0 || b[i] == ':' || b[i] == '.') {
			i++
		}
		if i >= end || b[i] != ']' || i-int(s.Off) < 3 {
			return host, port, false
		}
		i++
	} else {
		for i < end {
			if Class[b[i]]&ClassHost != 0 {
				i++
				continue
			}
			if b[i] != '%' || i+2 >= end || Class[b[i+1]]&Class[b[i+2]]&ClassHex == 0 {
				break
			}
			i += 3
		}
	}
	host = SpanOf(int(s.Off), i)
	if host.Empty() {
		return host, port, false
	}
	if i == end {
		return host, SpanOf(i, i), true
	}
	if b[i] != ':' || end-i > 6 {
		return host, port, false
	}
	port = SpanOf(i+1, end)
	n, digits := ParseLength(port.Of(b))
	return host, port, port.Empty() || digits && n <= 65535
}
