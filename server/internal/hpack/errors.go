package hpack

// Error is why a header block was refused; ErrNone is success. It is one byte, so that it can be
// counted in an array and returned without allocating. After any Error the Decoder's table no longer
// matches the peer's: RFC 9113 section 4.3 makes each of them a connection error COMPRESSION_ERROR.
type Error uint8

const (
	ErrNone Error = iota

	ErrTruncated         // the block ends within a field
	ErrInteger           // an integer of more than nine continuation bytes: RFC 7541 section 5.1
	ErrIndexZero         // an indexed field with index 0: section 6.1
	ErrIndexRange        // an index beyond both tables: section 2.3.3
	ErrStringTooLong     // a string beyond Decoder.MaxString
	ErrHuffman           // EOS, or padding that is not 0 to 7 one bits: section 5.2
	ErrSizeUpdateLate    // a table size update behind a field: section 4.2
	ErrSizeUpdateRange   // a table size update beyond the announced size: section 6.3
	ErrSizeUpdateMissing // the announced size went down and the peer did not follow: section 4.2

	errorCount
)

var errorReasons = [errorCount]string{
	ErrNone:              "none",
	ErrTruncated:         "truncated header block",
	ErrInteger:           "integer too long",
	ErrIndexZero:         "index 0",
	ErrIndexRange:        "index beyond the table",
	ErrStringTooLong:     "string too long",
	ErrHuffman:           "malformed Huffman code",
	ErrSizeUpdateLate:    "table size update behind a field",
	ErrSizeUpdateRange:   "table size update too large",
	ErrSizeUpdateMissing: "table size update missing",
}

// Reason returns a short text for a log or the debug data of GOAWAY; it holds nothing the peer sent.
func (e Error) Reason() string { return errorReasons[e] }

// Error makes e an error.
func (e Error) Error() string { return errorReasons[e] }
