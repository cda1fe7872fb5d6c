package h2

// Code is an error code of RFC 9113 section 7, as it stands in RST_STREAM and GOAWAY.
type Code uint32

const (
	NoError            Code = 0x0
	ProtocolError      Code = 0x1
	InternalError      Code = 0x2
	FlowControlError   Code = 0x3
	SettingsTimeout    Code = 0x4
	StreamClosed       Code = 0x5
	FrameSizeError     Code = 0x6
	RefusedStream      Code = 0x7
	Cancel             Code = 0x8
	CompressionError   Code = 0x9
	ConnectError       Code = 0xa
	EnhanceYourCalm    Code = 0xb
	InadequateSecurity Code = 0xc
	HTTP11Required     Code = 0xd
)

var codeNames = [...]string{"NO_ERROR", "PROTOCOL_ERROR", "INTERNAL_ERROR", "FLOW_CONTROL_ERROR", "SETTINGS_TIMEOUT",
	"STREAM_CLOSED", "FRAME_SIZE_ERROR", "REFUSED_STREAM", "CANCEL", "COMPRESSION_ERROR", "CONNECT_ERROR",
	"ENHANCE_YOUR_CALM", "INADEQUATE_SECURITY", "HTTP_1_1_REQUIRED"}

// String returns the name in the RFC, "UNKNOWN" for a code that it does not have.
func (c Code) String() string {
	if int(c) < len(codeNames) {
		return codeNames[c]
	}
	return "UNKNOWN"
}

// ConnError ends a connection. There is one of each, made at start, so that returning it costs no
// allocation; it must not be changed.
type ConnError struct {
	// Code is the GOAWAY's.
	Code Code
	// Flood names the exhausted allowance where Code is EnhanceYourCalm, FloodNone otherwise.
	Flood Flood
	// Reason is a short text for a log; it holds nothing the peer sent.
	Reason string
}

// Error makes e an error.
func (e *ConnError) Error() string { return e.Code.String() + ": " + e.Reason }

func connError(code Code, reason string) *ConnError { return &ConnError{Code: code, Reason: reason} }

// Connection errors. The section of RFC 9113 is beside each.
var (
	errPreface          = connError(ProtocolError, "not the HTTP/2 preface")                      // 3.4
	errFirstFrame       = connError(ProtocolError, "the first frame is not SETTINGS")             // 3.4
	errFrameTooLong     = connError(FrameSizeError, "frame longer than SETTINGS_MAX_FRAME_SIZE")  // 4.2
	errFrameLength      = connError(FrameSizeError, "frame of a wrong length")                    // 4.2
	errCompression      = connError(CompressionError, "malformed header block")                   // 4.3
	errInterleaved      = connError(ProtocolError, "frame inside a header block")                 // 4.3
	errContinuation     = connError(ProtocolError, "CONTINUATION without a header block")         // 6.10
	errStreamZero       = connError(ProtocolError, "frame on stream 0 that needs a stream")       // 6.1, 6.2, 6.3, 6.4
	errStreamNotZero    = connError(ProtocolError, "frame on a stream that belongs to stream 0")  // 6.5, 6.7, 6.8
	errIdleStream       = connError(ProtocolError, "frame on an idle stream")                     // 5.1
	errStreamID         = connError(ProtocolError, "stream id that the peer may not use")         // 5.1.1
	errHeadersClosed    = connError(StreamClosed, "HEADERS on a closed stream")                   // 5.1
	errPadding          = connError(ProtocolError, "padding longer than its frame")               // 6.1
	errSettingValue     = connError(ProtocolError, "setting out of range")                        // 6.5.2
	errSettingWindow    = connError(FlowControlError, "SETTINGS_INITIAL_WINDOW_SIZE too large")   // 6.5.2
	errSettingsAck      = connError(ProtocolError, "SETTINGS acknowledged that were not sent")    // 6.5.3
	errPush             = connError(ProtocolError, "PUSH_PROMISE is not wanted")                  // 8.4
	errWindowOverflow   = connError(FlowControlError, "connection window beyond 2^31-1")          // 6.9.1
	errWindowZero       = connError(ProtocolError, "WINDOW_UPDATE of 0 for the connection")       // 6.9
	errConnFlow         = connError(FlowControlError, "DATA beyond the connection's window")      // 6.9.1
	errSettingsOverflow = connError(FlowControlError, "stream window beyond 2^31-1 by SETTINGS")  // 6.9.2
	errGoAwayRaised     = connError(ProtocolError, "GOAWAY raised its last stream")               // 6.8
	errSettingExtended  = connError(ProtocolError, "SETTINGS_ENABLE_CONNECT_PROTOCOL taken back") // RFC 8441 section 3
)

// Fault is why the head or the framing of one stream was refused.
type Fault uint8

const (
	FaultNone Fault = iota

	// The request can be answered: the stream is open for a response.
	FaultHeadTooLarge
	FaultTooManyFields
	FaultTargetTooLong

	// Malformed by RFC 9113 section 8.1.1: the stream was reset with PROTOCOL_ERROR.
	FaultFieldName     // empty, not a token, or with an upper-case letter: 8.2.1
	FaultFieldValue    // control byte, or white space at an end: 8.2.1
	FaultConnection    // a connection-specific field: 8.2.2
	FaultPseudoUnknown // not defined, or not in this kind of message: 8.3
	FaultPseudoTwice
	FaultPseudoLate // behind a regular field
	FaultPseudoMissing
	FaultMethod
	FaultScheme
	FaultTarget
	FaultAuthority
	FaultHostConflict   // Host and :authority differ, or more than one Host
	FaultLength         // content-length is no number, or occurs twice
	FaultLengthMismatch // content-length and DATA differ: 8.1.1
	FaultStatus
	FaultHeadMissing // DATA in front of the response's head: 8.1
	FaultInterimEnd  // a 1xx response that ends its stream: 8.1
	FaultTrailers    // trailers that do not end the stream, or with pseudo-fields: 8.1
	FaultTooLarge    // a response's head, or trailers, beyond the limits
	FaultProtocol    // an extended CONNECT that is not allowed, or for an unknown protocol name: RFC 8441

	// Stream errors of framing.
	FaultSelfDependency // 5.3.1 of RFC 7540; RFC 9113 section 5.3.2 lets it pass or be an error
	FaultStreamClosed   // a frame that the stream's state does not allow
	FaultFlow           // DATA beyond the stream's window, or its window beyond 2^31-1
	FaultWindowZero     // WINDOW_UPDATE of 0
	FaultFrameLength    // PRIORITY of a wrong length: 6.3
	FaultRefused        // beyond SETTINGS_MAX_CONCURRENT_STREAMS, or while draining

	faultCount
)

var faultTable = [faultCount]struct {
	status int
	code   Code
	reason string
}{
	FaultNone:           {0, NoError, "none"},
	FaultHeadTooLarge:   {431, NoError, "header too large"},
	FaultTooManyFields:  {431, NoError, "too many header fields"},
	FaultTargetTooLong:  {414, NoError, "request target too long"},
	FaultFieldName:      {0, ProtocolError, "malformed field name"},
	FaultFieldValue:     {0, ProtocolError, "malformed field value"},
	FaultConnection:     {0, ProtocolError, "connection-specific field"},
	FaultPseudoUnknown:  {0, ProtocolError, "unknown pseudo-field"},
	FaultPseudoTwice:    {0, ProtocolError, "pseudo-field given twice"},
	FaultPseudoLate:     {0, ProtocolError, "pseudo-field behind a regular field"},
	FaultPseudoMissing:  {0, ProtocolError, "pseudo-field missing"},
	FaultMethod:         {0, ProtocolError, "malformed method"},
	FaultScheme:         {0, ProtocolError, "scheme is not http or https"},
	FaultTarget:         {0, ProtocolError, "malformed request target"},
	FaultAuthority:      {0, ProtocolError, "malformed or missing authority"},
	FaultHostConflict:   {0, ProtocolError, "Host differs from the authority"},
	FaultLength:         {0, ProtocolError, "malformed content-length"},
	FaultLengthMismatch: {0, ProtocolError, "body differs from content-length"},
	FaultStatus:         {0, ProtocolError, "malformed status code"},
	FaultInterimEnd:     {0, ProtocolError, "interim response ends the stream"},
	FaultHeadMissing:    {0, ProtocolError, "body without a head"},
	FaultTrailers:       {0, ProtocolError, "malformed trailers"},
	FaultTooLarge:       {0, Cancel, "response header or trailers too large"},
	FaultProtocol:       {0, ProtocolError, "malformed extended CONNECT"},
	FaultSelfDependency: {0, ProtocolError, "stream depends on itself"},
	FaultStreamClosed:   {0, StreamClosed, "frame on a closed stream"},
	FaultFlow:           {0, FlowControlError, "flow-control window exceeded"},
	FaultWindowZero:     {0, ProtocolError, "window update of 0"},
	FaultFrameLength:    {0, FrameSizeError, "frame of a wrong length"},
	FaultRefused:        {0, RefusedStream, "too many streams"},
}

// HTTPStatus returns the status code to answer a request with, 0 where the stream was reset.
func (f Fault) HTTPStatus() int { return faultTable[f].status }

// Code returns the error code that the stream was reset with, NoError where it can be answered.
func (f Fault) Code() Code { return faultTable[f].code }

// Reason returns a short text for an error answer or a log; it holds nothing the peer sent.
func (f Fault) Reason() string { return faultTable[f].reason }
