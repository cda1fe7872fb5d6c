package clienthello

import "github.com/sluice-gateway/sluice/server/internal/outcome"

// Status is the outcome of parsing a hello.
type Status = outcome.Status[Error]

const (
	// Incomplete asks for more bytes behind those given.
	Incomplete Status = outcome.Incomplete
	// Done means that the hello is complete and valid.
	Done Status = outcome.Done
)

// Error is why a hello was refused. It is one byte, so that it can be counted in an array and turned
// into an error without allocating. After an Error the connection is to be closed, after an alert
// unless it is ErrNotTLS.
type Error uint8

const (
	ErrNone Error = iota

	ErrNotTLS // the first two bytes begin no handshake record: another protocol

	// Records: RFC 8446 section 5.1.
	ErrRecordType    // another type inside the message
	ErrRecordVersion // major version other than 3
	ErrRecordLength  // empty, or longer than 2^14 bytes
	ErrTooLarge      // the message ends behind Limits.MaxBytes

	// The message: RFC 8446 section 4.1.2.
	ErrMessage      // not a ClientHello
	ErrTrailing     // bytes behind the message in its last record
	ErrLength       // a length does not fit, or bytes are left behind the last field
	ErrVersion      // legacy_version below TLS 1.0
	ErrSessionID    // longer than 32 bytes
	ErrCipherSuites // none, or half a one
	ErrCompression  // null compression is not offered

	// Extensions.
	ErrExtensionTwice
	ErrTooManyExtensions // more than maxExtensions
	ErrPreSharedKey      // not the last extension: RFC 8446 section 4.2.11
	ErrServerName        // not exactly one name of type host_name: RFC 6066 section 3
	ErrHostName          // the name is no DNS host name
	ErrALPN              // empty list or empty name: RFC 7301 section 3.1
	ErrSupportedVersions // empty, or half a version: RFC 8446 section 4.2.1

	errorCount
)

// Alerts that a refused hello is answered with: RFC 8446 section 6.
const (
	alertUnexpectedMessage = 10
	alertRecordOverflow    = 22
	alertIllegalParameter  = 47
	alertDecodeError       = 50
	alertProtocolVersion   = 70
	alertUnrecognizedName  = 112
)

var errorTable = [errorCount]struct {
	alert  uint8
	reason string
}{
	ErrNone:              {0, "none"},
	ErrNotTLS:            {0, "not TLS"},
	ErrRecordType:        {alertUnexpectedMessage, "another record inside the ClientHello"},
	ErrRecordVersion:     {alertProtocolVersion, "unknown TLS record version"},
	ErrRecordLength:      {alertRecordOverflow, "TLS record empty or too long"},
	ErrTooLarge:          {alertIllegalParameter, "ClientHello too large"},
	ErrMessage:           {alertUnexpectedMessage, "not a ClientHello"},
	ErrTrailing:          {alertUnexpectedMessage, "bytes behind the ClientHello"},
	ErrLength:            {alertDecodeError, "malformed ClientHello"},
	ErrVersion:           {alertProtocolVersion, "TLS version too old"},
	ErrSessionID:         {alertDecodeError, "session id too long"},
	ErrCipherSuites:      {alertDecodeError, "malformed list of cipher suites"},
	ErrCompression:       {alertIllegalParameter, "null compression not offered"},
	ErrExtensionTwice:    {alertIllegalParameter, "extension given twice"},
	ErrTooManyExtensions: {alertIllegalParameter, "too many extensions"},
	ErrPreSharedKey:      {alertIllegalParameter, "pre_shared_key is not the last extension"},
	ErrServerName:        {alertDecodeError, "malformed server_name"},
	ErrHostName:          {alertUnrecognizedName, "server name is not a host name"},
	ErrALPN:              {alertDecodeError, "malformed list of application protocols"},
	ErrSupportedVersions: {alertDecodeError, "malformed list of versions"},
}

// Alert returns the description of the alert to answer with, 0 for none. See AppendAlert.
func (e Error) Alert() uint8 { return errorTable[e].alert }

// Reason returns a short text for a log; it holds nothing the peer sent.
func (e Error) Reason() string { return errorTable[e].reason }

// Error makes e an error.
func (e Error) Error() string { return errorTable[e].reason }

// failed returns e as the outcome of a parse.
func (e Error) failed() Status { return outcome.Failed(e) }

// UnrecognizedName is the alert for a valid name that is served nowhere: RFC 6066 section 3.
const UnrecognizedName = alertUnrecognizedName

// AppendAlert appends the record of a fatal alert, which a client understands before any key is
// agreed on. The caller closes the connection behind it.
func AppendAlert(dst []byte, description uint8) []byte {
	const typeAlert, fatal = 21, 2
	return append(dst, typeAlert, 3, 3, 0, 2, fatal, description)
}
