package hpack

// Indexing is how a field is represented, as far as there is a choice.
type Indexing uint8

const (
	// IndexAuto decides by the name: see autoIndexing.
	IndexAuto Indexing = iota
	// IndexYes puts the field into the dynamic table unless it takes more than half of the table.
	IndexYes
	// IndexNo spells the value out; intermediaries may index it.
	IndexNo
	// IndexNever spells the value out, and no intermediary may index it: RFC 7541 section 7.1.3. Use it
	// for every field that came with Field.Sensitive.
	IndexNever
)

// shortCookie is the length below which a cookie can be guessed byte by byte through the table.
const shortCookie = 20

// everyNth is how many new values of a name that varies pass until one is indexed.
const everyNth = 16

// autoIndexing is IndexAuto for the static names: IndexYes but for fields that identify a user, and
// for those that differ from message to message, which would only push useful entries out. Date
// stays the same for a second. For other names, see Encoder.appendOther.
var autoIndexing = [staticCount + 1]Indexing{
	NameAuthorization:      IndexNever,
	NameProxyAuthorization: IndexNever,
	NameSetCookie:          IndexNever,
	NameCookie:             IndexNo, // IndexNever below shortCookie

	NamePath:               IndexNo,
	NameStatus:             IndexNo,
	NameAge:                IndexNo,
	NameContentDisposition: IndexNo,
	NameContentLength:      IndexNo,
	NameContentLocation:    IndexNo,
	NameContentRange:       IndexNo,
	NameETag:               IndexNo,
	NameExpires:            IndexNo,
	NameFrom:               IndexNo,
	NameIfMatch:            IndexNo,
	NameIfModifiedSince:    IndexNo,
	NameIfNoneMatch:        IndexNo,
	NameIfRange:            IndexNo,
	NameIfUnmodifiedSince:  IndexNo,
	NameLastModified:       IndexNo,
	NameLink:               IndexNo,
	NameLocation:           IndexNo,
	NameMaxForwards:        IndexNo,
	NameProxyAuthenticate:  IndexNo,
	NameRange:              IndexNo,
	NameReferer:            IndexNo,
	NameRefresh:            IndexNo,
	NameRetryAfter:         IndexNo,
	NameWWWAuthenticate:    IndexNo,
}

func init() {
	for id := range autoIndexing {
		if autoIndexing[id] == IndexAuto {
			autoIndexing[id] = IndexYes
		}
	}
}
