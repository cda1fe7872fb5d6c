package hpack

import "math/bits"

// NameID is a field name by number. 1 to 61 are the names of the static table (RFC 7541 appendix A),
// each by its lowest index there. FirstFreeID and above are the caller's, see Decoder.Annotate. The
// zero value is a name without number.
type NameID uint8

// The names of the static table.
const (
	NameOther              NameID = 0
	NameAuthority          NameID = 1
	NameMethod             NameID = 2
	NamePath               NameID = 4
	NameScheme             NameID = 6
	NameStatus             NameID = 8
	NameAcceptCharset      NameID = 15
	NameAcceptEncoding     NameID = 16
	NameAcceptLanguage     NameID = 17
	NameAcceptRanges       NameID = 18
	NameAccept             NameID = 19
	NameAllowOrigin        NameID = 20 // access-control-allow-origin
	NameAge                NameID = 21
	NameAllow              NameID = 22
	NameAuthorization      NameID = 23
	NameCacheControl       NameID = 24
	NameContentDisposition NameID = 25
	NameContentEncoding    NameID = 26
	NameContentLanguage    NameID = 27
	NameContentLength      NameID = 28
	NameContentLocation    NameID = 29
	NameContentRange       NameID = 30
	NameContentType        NameID = 31
	NameCookie             NameID = 32
	NameDate               NameID = 33
	NameETag               NameID = 34
	NameExpect             NameID = 35
	NameExpires            NameID = 36
	NameFrom               NameID = 37
	NameHost               NameID = 38
	NameIfMatch            NameID = 39
	NameIfModifiedSince    NameID = 40
	NameIfNoneMatch        NameID = 41
	NameIfRange            NameID = 42
	NameIfUnmodifiedSince  NameID = 43
	NameLastModified       NameID = 44
	NameLink               NameID = 45
	NameLocation           NameID = 46
	NameMaxForwards        NameID = 47
	NameProxyAuthenticate  NameID = 48
	NameProxyAuthorization NameID = 49
	NameRange              NameID = 50
	NameReferer            NameID = 51
	NameRefresh            NameID = 52
	NameRetryAfter         NameID = 53
	NameServer             NameID = 54
	NameSetCookie          NameID = 55
	NameStrictTransport    NameID = 56 // strict-transport-security
	NameTransferEncoding   NameID = 57
	NameUserAgent          NameID = 58
	NameVary               NameID = 59
	NameVia                NameID = 60
	NameWWWAuthenticate    NameID = 61

	// FirstFreeID is the first NameID whose meaning the caller of Annotate defines.
	FirstFreeID NameID = 62
)

// staticCount is the number of entries of the static table; dynamic indices begin above it.
const staticCount = 61

var staticTable = [staticCount + 1]struct{ name, value string }{
	1:  {":authority", ""},
	2:  {":method", "GET"},
	3:  {":method", "POST"},
	4:  {":path", "/"},
	5:  {":path", "/index.html"},
	6:  {":scheme", "http"},
	7:  {":scheme", "https"},
	8:  {":status", "200"},
	9:  {":status", "204"},
	10: {":status", "206"},
	11: {":status", "304"},
	12: {":status", "400"},
	13: {":status", "404"},
	14: {":status", "500"},
	15: {"accept-charset", ""},
	16: {"accept-encoding", "gzip, deflate"},
	17: {"accept-language", ""},
	18: {"accept-ranges", ""},
	19: {"accept", ""},
	20: {"access-control-allow-origin", ""},
	21: {"age", ""},
	22: {"allow", ""},
	23: {"authorization", ""},
	24: {"cache-control", ""},
	25: {"content-disposition", ""},
	26: {"content-encoding", ""},
	27: {"content-language", ""},
	28: {"content-length", ""},
	29: {"content-location", ""},
	30: {"content-range", ""},
	31: {"content-type", ""},
	32: {"cookie", ""},
	33: {"date", ""},
	34: {"etag", ""},
	35: {"expect", ""},
	36: {"expires", ""},
	37: {"from", ""},
	38: {"host", ""},
	39: {"if-match", ""},
	40: {"if-modified-since", ""},
	41: {"if-none-match", ""},
	42: {"if-range", ""},
	43: {"if-unmodified-since", ""},
	44: {"last-modified", ""},
	45: {"link", ""},
	46: {"location", ""},
	47: {"max-forwards", ""},
	48: {"proxy-authenticate", ""},
	49: {"proxy-authorization", ""},
	50: {"range", ""},
	51: {"referer", ""},
	52: {"refresh", ""},
	53: {"retry-after", ""},
	54: {"server", ""},
	55: {"set-cookie", ""},
	56: {"strict-transport-security", ""},
	57: {"transfer-encoding", ""},
	58: {"user-agent", ""},
	59: {"vary", ""},
	60: {"via", ""},
	61: {"www-authenticate", ""},
}

// String returns the name, "" where it is not one of the static table.
func (id NameID) String() string {
	if id > staticCount {
		return ""
	}
	return staticTable[id].name
}

// staticField is an entry of the static table as the Decoder hands it out.
type staticField struct {
	name, value []byte
	id          NameID
}

const (
	// staticHash is an odd number found by trying random ones (about 170,000) until no two names shared a slot.
	staticHash = 0xf015aae43361b627
	staticBits = 7
)

var staticFields, staticSlots = buildStatic()

func buildStatic() (fields [staticCount + 1]staticField, slots [1 << staticBits]NameID) {
	for i := 1; i <= staticCount; i++ {
		e := staticTable[i]
		id := NameID(i)
		if i > 1 && staticTable[i-1].name == e.name {
			id = fields[i-1].id
		}
		fields[i] = staticField{[]byte(e.name), []byte(e.value), id}
		if id == NameID(i) {
			slot := staticSlot(fields[i].name)
			if other := slots[slot]; other != 0 {
				panic("BUG: hpack: " + e.name + " and " + other.String() + " share a slot: choose another staticHash")
			}
			slots[slot] = id
		}
	}
	return fields, slots
}

// staticSlot hashes a name by its first and last eight bytes, which tells the static names apart.
func staticSlot(name []byte) uint64 {
	first, last := ends(name)
	return (first ^ bits.RotateLeft64(last, 29)) * staticHash >> (64 - staticBits)
}

// LookupName returns the NameID of a lower-case name of the static table, NameOther for any other.
//
// hot: runs per request; no alloc, no lock.
func LookupName(name []byte) NameID {
	if len(name) == 0 {
		return NameOther
	}
	id := staticSlots[staticSlot(name)]
	if staticTable[id].name != string(name) {
		return NameOther
	}
	return id
}

// staticMatch returns the static index of the whole field, 0 where there is none.
func staticMatch(id NameID, value []byte) NameID {
	first, last := id, id
	switch id {
	case NameMethod:
		last = 3
	case NamePath:
		last = 5
	case NameScheme:
		last = 7
	case NameStatus:
		last = 14
	case NameAcceptEncoding:
	default:
		if len(value) == 0 {
			return id
		}
		return 0
	}
	for i := first; i <= last; i++ {
		if staticTable[i].value == string(value) {
			return i
		}
	}
	return 0
}
