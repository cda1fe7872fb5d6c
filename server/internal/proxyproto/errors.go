package proxyproto

import "github.com/sluice-gateway/sluice/server/internal/outcome"

// Status is the outcome of parsing a header.
type Status = outcome.Status[Error]

const (
	// Incomplete asks for more bytes behind those given.
	Incomplete Status = outcome.Incomplete
	// Done means that the header is complete and valid.
	Done Status = outcome.Done
)

// Error is why a header was refused. It is one byte, so that it can be counted in an array and
// turned into an error without allocating. After an Error the connection is to be closed without an
// answer: the protocol behind the header is not known.
type Error uint8

const (
	ErrNone Error = iota

	ErrSignature // neither "PROXY " nor the signature of version 2: no header at all

	// Version 1.
	ErrLineTooLong // no CR LF within MaxV1 bytes
	ErrLineEnd     // LF without CR, or CR without LF
	ErrLine        // not exactly "PROXY", protocol, two addresses and two ports with one space between
	ErrProtocol    // none of TCP4, TCP6 and UNKNOWN
	ErrAddress     // not an address of the family that the protocol names, or one with a zone
	ErrPort        // not a decimal number up to 65535 without a leading zero

	// Version 2.
	ErrVersion         // not 2
	ErrCommand         // neither LOCAL nor PROXY
	ErrFamily          // none of UNSPEC, INET, INET6 and UNIX
	ErrTransport       // none of UNSPEC, STREAM and DGRAM
	ErrHeaderTooLong   // more than MaxV2 bytes
	ErrAddressTooShort // no room for the addresses of the family
	ErrTLV             // a type-length-value does not end where the header or its parent does
	ErrTLVTwice        // a type that is read here, twice
	ErrTLVValue        // a value of the wrong length, or a control byte in a name
	ErrChecksum        // the CRC32c of the header is another

	errorCount
)

var reasons = [errorCount]string{
	ErrNone:            "none",
	ErrSignature:       "no PROXY protocol header",
	ErrLineTooLong:     "PROXY line too long",
	ErrLineEnd:         "PROXY line does not end in CR LF",
	ErrLine:            "malformed PROXY line",
	ErrProtocol:        "unknown protocol in PROXY line",
	ErrAddress:         "malformed address in PROXY line",
	ErrPort:            "malformed port in PROXY line",
	ErrVersion:         "unknown PROXY protocol version",
	ErrCommand:         "unknown PROXY protocol command",
	ErrFamily:          "unknown PROXY protocol address family",
	ErrTransport:       "unknown PROXY protocol transport",
	ErrHeaderTooLong:   "PROXY protocol header too long",
	ErrAddressTooShort: "PROXY protocol header too short for its addresses",
	ErrTLV:             "malformed PROXY protocol TLV",
	ErrTLVTwice:        "PROXY protocol TLV given twice",
	ErrTLVValue:        "malformed value of a PROXY protocol TLV",
	ErrChecksum:        "wrong checksum of PROXY protocol header",
}

// Reason returns a short text for a log; it holds nothing the peer sent.
func (e Error) Reason() string { return reasons[e] }

// Error makes e an error.
func (e Error) Error() string { return reasons[e] }

// failed returns e as the outcome of a parse.
func (e Error) failed() Status { return outcome.Failed(e) }
