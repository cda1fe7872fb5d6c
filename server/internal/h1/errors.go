package h1

import "github.com/sluice-gateway/sluice/server/internal/outcome"

// Status is the outcome of parsing a head.
type Status = outcome.Status[Error]

const (
	// Incomplete asks for more bytes behind those given.
	Incomplete Status = outcome.Incomplete
	// Done means that the head is complete and valid.
	Done Status = outcome.Done
)

// Error is why a message was refused. It is one byte, so that it can be counted in an array and
// turned into an error without allocating. After an Error the connection cannot be read further:
// where the next message begins is not known.
type Error uint8

const (
	ErrNone Error = iota

	// The request line and status line.
	ErrMethod        // not a token, or longer than 32 bytes
	ErrTarget        // control byte, empty, unknown form, form not allowed for the method
	ErrFragment      // '#' in the target
	ErrTargetTooLong // longer than Limits.MaxTarget
	ErrVersion       // not HTTP/d.d, missing (HTTP/0.9), or followed by anything but CR LF
	ErrVersionNotSupported
	ErrHTTP2Preface // "PRI * HTTP/2.0": the client speaks HTTP/2 with prior knowledge
	ErrStatusCode   // not three digits from 100 up
	ErrReason       // control byte in the reason phrase

	// Lines and fields.
	ErrBareCR
	ErrBareLF
	ErrObsFold       // a line begins with white space: a folded value, or space before the first field
	ErrFieldName     // empty, or not a token
	ErrSpaceInName   // white space before the colon
	ErrFieldValue    // control byte in the value
	ErrHeadTooLarge  // longer than Limits.MaxHead
	ErrTooManyFields // more than Limits.MaxFields

	// Routing.
	ErrHostMissing // HTTP/1.1 without Host
	ErrHostTwice
	ErrHost         // not host[:port]
	ErrHostConflict // Host differs from the authority of an absolute-form target

	// Framing.
	ErrContentLength      // not 1*DIGIT, or beyond 63 bits
	ErrContentLengthTwice // also when the values agree: RFC 9112 section 6.3 allows either
	ErrTransferEncoding   // anything but one field "chunked"
	ErrTransferEncodingOld
	ErrBothLengths     // Content-Length and Transfer-Encoding
	ErrConnectionList  // more than 64 connection options that are not known
	ErrChunkSize       // missing, not hexadecimal, or beyond 63 bits
	ErrChunkExtension  // control byte, too long, too many
	ErrChunkEnd        // chunk data not followed by CR LF
	ErrTrailer         // malformed trailer field
	ErrTrailerTooLarge // beyond MaxTrailer bytes or MaxTrailerFields fields

	errorCount
)

var errorTable = [errorCount]struct {
	status int
	reason string
}{
	ErrNone:                {0, "none"},
	ErrMethod:              {400, "malformed method"},
	ErrTarget:              {400, "malformed request target"},
	ErrFragment:            {400, "fragment in request target"},
	ErrTargetTooLong:       {414, "request target too long"},
	ErrVersion:             {400, "malformed HTTP version"},
	ErrVersionNotSupported: {505, "only HTTP/1.0 and HTTP/1.1 are spoken here"},
	ErrHTTP2Preface:        {505, "HTTP/2 is not spoken here"},
	ErrStatusCode:          {400, "malformed status code"},
	ErrReason:              {400, "control byte in reason phrase"},
	ErrBareCR:              {400, "CR without LF"},
	ErrBareLF:              {400, "LF without CR"},
	ErrObsFold:             {400, "line begins with white space"},
	ErrFieldName:           {400, "malformed field name"},
	ErrSpaceInName:         {400, "white space in field name"},
	ErrFieldValue:          {400, "control byte in field value"},
	ErrHeadTooLarge:        {431, "header too large"},
	ErrTooManyFields:       {431, "too many header fields"},
	ErrHostMissing:         {400, "Host is missing"},
	ErrHostTwice:           {400, "more than one Host"},
	ErrHost:                {400, "malformed Host"},
	ErrHostConflict:        {400, "Host differs from request target"},
	ErrContentLength:       {400, "malformed Content-Length"},
	ErrContentLengthTwice:  {400, "more than one Content-Length"},
	ErrTransferEncoding:    {400, "Transfer-Encoding is not chunked"},
	ErrTransferEncodingOld: {400, "Transfer-Encoding in HTTP/1.0"},
	ErrBothLengths:         {400, "Content-Length beside Transfer-Encoding"},
	ErrConnectionList:      {400, "too many connection options"},
	ErrChunkSize:           {400, "malformed chunk size"},
	ErrChunkExtension:      {400, "malformed or oversized chunk extension"},
	ErrChunkEnd:            {400, "chunk data does not end in CR LF"},
	ErrTrailer:             {400, "malformed trailer field"},
	ErrTrailerTooLarge:     {431, "trailer too large"},
}

// HTTPStatus returns the status code to answer a client's request with. A response that fails to
// parse is the upstream's fault: answer 502 in any case.
func (e Error) HTTPStatus() int { return errorTable[e].status }

// Reason returns a short text for an error answer or a log; it holds nothing the peer sent.
func (e Error) Reason() string { return errorTable[e].reason }

// Error makes e an error.
func (e Error) Error() string { return errorTable[e].reason }

// failed returns e as the outcome of a parse.
func (e Error) failed() Status { return outcome.Failed(e) }
