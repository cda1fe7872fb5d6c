package message

import "math/bits"

// Field is one field line of a head.
type Field struct {
	// Name is the field name as sent, without the colon. The line begins at Name.Off.
	Name Span
	// Value is the value without white space at its ends. It may be empty.
	Value Span
	// ID is the name where it is known, so that names are compared once.
	ID FieldID
	// Hop is set where the field belongs to this connection and is not forwarded: the standard
	// hop-by-hop fields, and those that Connection nominates (see ProtectedFields).
	Hop bool
	// Sensitive means that the sender forbade compressing the field with others (RFC 7541 section
	// 7.1.3); forwarding must keep that where the protocol has it.
	Sensitive bool
}

// FieldID is a field name that the codecs know.
type FieldID uint8

// The known names: those with a meaning to the gateway, and the most frequent others, because a
// known name needs no further check of its bytes. Fewer than 64, to fit a set in a word.
const (
	// FieldOther is any other name of letters, digits and hyphens.
	FieldOther FieldID = iota
	// FieldOdd is a name with other bytes that a token may have: see Fold.
	FieldOdd
	FieldHost
	FieldConnection
	FieldContentLength
	FieldTransferEncoding
	FieldTE
	FieldTrailer
	FieldUpgrade
	FieldKeepAlive
	FieldProxyConnection
	FieldProxy
	FieldExpect
	FieldXForwardedFor
	FieldXForwardedProto
	FieldXForwardedHost
	FieldXForwardedPort
	FieldXForwardedScheme
	FieldXForwardedPrefix
	FieldXRealIP
	FieldXRequestID
	FieldXScheme
	FieldForwarded
	FieldDate
	FieldServer
	FieldProxyAuthenticate
	FieldProxyAuthorization
	FieldUserAgent
	FieldReferer
	FieldCookie
	FieldSetCookie
	FieldAuthorization
	FieldWWWAuthenticate
	FieldAccept
	FieldAcceptEncoding
	FieldAcceptLanguage
	FieldAcceptRanges
	FieldCacheControl
	FieldContentType
	FieldContentEncoding
	FieldContentRange
	FieldETag
	FieldLastModified
	FieldIfNoneMatch
	FieldIfModifiedSince
	FieldIfMatch
	FieldIfUnmodifiedSince
	FieldIfRange
	FieldRange
	FieldLocation
	FieldOrigin
	FieldVary
	FieldVia
	FieldAge
	FieldExpires
	FieldPragma
	FieldMaxForwards
	FieldTraceparent

	fieldCount
)

var fieldNames = [fieldCount]string{
	FieldHost:               "Host",
	FieldConnection:         "Connection",
	FieldContentLength:      "Content-Length",
	FieldTransferEncoding:   "Transfer-Encoding",
	FieldTE:                 "TE",
	FieldTrailer:            "Trailer",
	FieldUpgrade:            "Upgrade",
	FieldKeepAlive:          "Keep-Alive",
	FieldProxyConnection:    "Proxy-Connection",
	FieldProxy:              "Proxy",
	FieldExpect:             "Expect",
	FieldXForwardedFor:      "X-Forwarded-For",
	FieldXForwardedProto:    "X-Forwarded-Proto",
	FieldXForwardedHost:     "X-Forwarded-Host",
	FieldXForwardedPort:     "X-Forwarded-Port",
	FieldXForwardedScheme:   "X-Forwarded-Scheme",
	FieldXForwardedPrefix:   "X-Forwarded-Prefix",
	FieldXRealIP:            "X-Real-IP",
	FieldXRequestID:         "X-Request-ID",
	FieldXScheme:            "X-Scheme",
	FieldForwarded:          "Forwarded",
	FieldDate:               "Date",
	FieldServer:             "Server",
	FieldProxyAuthenticate:  "Proxy-Authenticate",
	FieldProxyAuthorization: "Proxy-Authorization",
	FieldUserAgent:          "User-Agent",
	FieldReferer:            "Referer",
	FieldCookie:             "Cookie",
	FieldSetCookie:          "Set-Cookie",
	FieldAuthorization:      "Authorization",
	FieldWWWAuthenticate:    "WWW-Authenticate",
	FieldAccept:             "Accept",
	FieldAcceptEncoding:     "Accept-Encoding",
	FieldAcceptLanguage:     "Accept-Language",
	FieldAcceptRanges:       "Accept-Ranges",
	FieldCacheControl:       "Cache-Control",
	FieldContentType:        "Content-Type",
	FieldContentEncoding:    "Content-Encoding",
	FieldContentRange:       "Content-Range",
	FieldETag:               "ETag",
	FieldLastModified:       "Last-Modified",
	FieldIfNoneMatch:        "If-None-Match",
	FieldIfModifiedSince:    "If-Modified-Since",
	FieldIfMatch:            "If-Match",
	FieldIfUnmodifiedSince:  "If-Unmodified-Since",
	FieldIfRange:            "If-Range",
	FieldRange:              "Range",
	FieldLocation:           "Location",
	FieldOrigin:             "Origin",
	FieldVary:               "Vary",
	FieldVia:                "Via",
	FieldAge:                "Age",
	FieldExpires:            "Expires",
	FieldPragma:             "Pragma",
	FieldMaxForwards:        "Max-Forwards",
	FieldTraceparent:        "Traceparent",
}

// String returns the usual spelling of the name, "" for FieldOther and FieldOdd.
func (f FieldID) String() string {
	if f >= fieldCount {
		return ""
	}
	return fieldNames[f]
}

// FieldSet is a set of FieldIDs, one bit each.
type FieldSet uint64

// Has reports whether id is in s.
func (s FieldSet) Has(id FieldID) bool { return s>>(id&63)&1 != 0 }

// Sets of known names.
const (
	// HopFields are never forwarded: RFC 9110 section 7.6.1 lists them. TE is one of them; a
	// gateway that can relay trailers sends its own "TE: trailers" (Head.TETrailers). Trailer,
	// Proxy-Authenticate and Proxy-Authorization are not on that list: Trailer describes the
	// message, and a reverse proxy that never asked for proxy credentials has no reason to take
	// them from an upstream that did (section 11.7.2 lets a proxy relay them).
	//
	// Proxy is no registered name at all. CGI makes HTTP_PROXY of it, which a program's own HTTP client
	// takes for the proxy to send its requests to (CVE-2016-5385 and its kin).
	HopFields FieldSet = 1<<FieldConnection | 1<<FieldKeepAlive | 1<<FieldProxyConnection | 1<<FieldTE |
		1<<FieldTransferEncoding | 1<<FieldUpgrade | 1<<FieldProxy

	// ForwardedFields record the client, as proxies saw it: the gateway vouches for them.
	ForwardedFields FieldSet = 1<<FieldXForwardedFor | 1<<FieldXForwardedProto | 1<<FieldXForwardedHost |
		1<<FieldXForwardedPort | 1<<FieldXForwardedScheme | 1<<FieldXForwardedPrefix | 1<<FieldXRealIP |
		1<<FieldXScheme | 1<<FieldForwarded

	// authFields carry identity.
	authFields FieldSet = 1<<FieldAuthorization | 1<<FieldWWWAuthenticate | 1<<FieldProxyAuthorization |
		1<<FieldProxyAuthenticate | 1<<FieldCookie | 1<<FieldSetCookie

	// contentFields describe how to read the body.
	contentFields FieldSet = 1<<FieldContentLength | 1<<FieldContentType | 1<<FieldContentEncoding |
		1<<FieldContentRange | 1<<FieldTrailer

	// ProtectedFields stay although Connection nominates them. Section 7.6.1 forbids a sender to nominate
	// fields meant for all recipients; obeying it all the same would let a client strip the Host, the
	// length, its own address as an outer proxy recorded it, or its identity, before the upstream sees them.
	ProtectedFields = ForwardedFields | authFields | contentFields | 1<<FieldHost | 1<<FieldXRequestID |
		1<<FieldVia | 1<<FieldMaxForwards | 1<<FieldExpect | 1<<FieldCacheControl | 1<<FieldRange | 1<<FieldDate

	// FramedFields steer how the head itself is read; parsing stops to look at them.
	FramedFields FieldSet = 1<<FieldHost | 1<<FieldConnection | 1<<FieldContentLength |
		1<<FieldTransferEncoding | 1<<FieldTE | 1<<FieldUpgrade

	// NotTrailers must not come in a trailer section: RFC 9110 section 6.5.1 (framing, routing,
	// request modifiers, authentication, response control, content format), and the fields that the
	// gateway vouches for.
	NotTrailers = HopFields | ForwardedFields | authFields | contentFields | 1<<FieldHost | 1<<FieldExpect |
		1<<FieldDate | 1<<FieldCacheControl | 1<<FieldIfNoneMatch | 1<<FieldIfModifiedSince | 1<<FieldIfMatch |
		1<<FieldIfUnmodifiedSince | 1<<FieldIfRange | 1<<FieldRange | 1<<FieldLocation | 1<<FieldVary |
		1<<FieldAge | 1<<FieldExpires | 1<<FieldPragma | 1<<FieldMaxForwards

	// PlainOnly are the names for which no FieldOdd name may pass: those that decide how a message is
	// read and those that the gateway vouches for.
	PlainOnly = NotTrailers | 1<<FieldXRequestID
)

// Looking up a name.
//
// The first eight and the last eight bytes of a name (they overlap below 16) are hashed without
// regard to case into slots, and a slot gives one candidate, which is compared word by word. The
// comparison ORs 0x20 into the letter positions of the candidate only: ORing it everywhere would
// take a CR for a hyphen.

// knownName is one candidate, padded to a cache line. For names of up to 8 bytes first and last are
// equal and padded with zeros; middle is bytes 8 to 15 where length is above 16.
type knownName struct {
	first, last, middle             uint64 // lower case
	firstFold, lastFold, middleFold uint64 // 0x20 where a letter stands
	length                          int
	_                               uint64
}

const (
	// MaxKnownName is the length of the longest name that LookupName may be asked for.
	MaxKnownName = 24
	// nameHash is an odd number found by trying random ones (about 840,000) until no two names
	// shared a slot, so that the slots fill two cache lines.
	nameHash = 0x0c2c8cffb6106b05
	nameBits = 7
)

var knownNames, nameSlots = buildNames()

func buildNames() (names [64]knownName, slots [1 << nameBits]FieldID) {
	word := func(s string) (w, fold uint64) {
		for i := range len(s) {
			c := Lower(s[i])
			w |= uint64(c) << (8 * i)
			if c >= 'a' && c <= 'z' {
				fold |= 0x20 << (8 * i)
			}
		}
		return w, fold
	}
	for id := FieldHost; id < fieldCount; id++ {
		s := fieldNames[id]
		k := &names[id]
		k.length = len(s)
		k.first, k.firstFold = word(s[:min(8, len(s))])
		k.last, k.lastFold = k.first, k.firstFold
		if len(s) > 8 {
			k.last, k.lastFold = word(s[len(s)-8:])
		}
		if len(s) > 16 {
			k.middle, k.middleFold = word(s[8:16])
		}
		slot := nameSlot(k.first, k.last)
		if len(s) > MaxKnownName || slots[slot] != FieldOther {
			panic("BUG: message: " + s + " and " + fieldNames[slots[slot]] + " share a slot: choose another nameHash")
		}
		slots[slot] = id
	}
	return names, slots
}

func nameSlot(first, last uint64) uint64 {
	return ((first | folds) ^ bits.RotateLeft64(last|folds, 29)) * nameHash >> (64 - nameBits)
}

// LookupName names the n bytes of b from i; 0 < n <= MaxKnownName. FieldOther implies nothing about
// the bytes' validity, and is returned for FieldOdd names, too: see IsPlain.
func LookupName(b []byte, i, n int) FieldID {
	// The word that ends with the name begins before it when n < 8. Shifting those bytes out is
	// cheaper than a branch on n, which is unpredictable.
	end := i + n
	if end < 8 || end > len(b) {
		return lookupShort(b[i:end])
	}
	shift := uint(max(0, 64-8*n)) & 63
	var first uint64
	if i <= len(b)-8 {
		first = UnsafeLoad(b, i)
	} else {
		first = LoadTail(b, i)
	}
	first &= ^uint64(0) >> shift
	last := UnsafeLoad(b, end-8) >> shift
	id := nameSlots[nameSlot(first, last)]
	k := &knownNames[id&63]
	if k.length != n || first|k.firstFold != k.first || last|k.lastFold != k.last {
		return FieldOther
	}
	if n > 16 && UnsafeLoad(b, i+8)|k.middleFold != k.middle { // i+8+8 <= end
		return FieldOther
	}
	return id
}

// lookupShort is LookupName for a name that ends within the first eight bytes of its buffer.
func lookupShort(name []byte) FieldID {
	var b [16]byte
	n := copy(b[8:], name)
	return LookupName(b[:], 8, n)
}

// LookupField names a field name, FieldOther where it is not known.
func LookupField(name []byte) FieldID {
	if len(name) == 0 || len(name) > MaxKnownName {
		return FieldOther
	}
	return LookupName(name, 0, len(name))
}

// Folding names.
//
// Programs that get fields as environment variables (CGI, FastCGI, WSGI, Rack) do not see the bytes
// between the words of a name: all of them make '_' of '-', PHP of '.' too, and lighttpd, like Apache
// before 2.4, of every byte but letters and digits. Where two fields have one such name they get the
// values joined, or the last one. So X_Real.IP is X-Real-IP to them.

// Fold appends the FieldOdd name with a hyphen for every byte that is not plain, in lower case: the
// other name that it may be read as.
func Fold(dst, name []byte) []byte {
	for _, c := range name {
		if Class[c]&ClassPlain == 0 {
			c = '-'
		}
		dst = append(dst, Lower(c))
	}
	return dst
}
