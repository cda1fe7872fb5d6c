package tlsconn

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
)

var (
	// ErrBusy: as many handshakes are under way as are allowed, and none of them can be displaced.
	ErrBusy = errors.New("too many TLS handshakes under way")
	// ErrShare: the same of one source.
	ErrShare = errors.New("too many TLS handshakes under way from one address")
	// ErrAborted: Close ended the handshake.
	ErrAborted = errors.New("TLS handshake aborted")
	// ErrTimeout is for Close when the deadline of the handshake has passed.
	ErrTimeout = errors.New("TLS handshake timed out")
	// ErrDisplaced: the handshake waited for its peer longer than any other when a new one needed its
	// place.
	ErrDisplaced = errors.New("TLS handshake gave way to a newer one")

	errHandshakeSize = errors.New("TLS handshake is too large")
	errBarren        = errors.New("TLS peer sends records without data")
	errReply         = errors.New("TLS peer does not read the replies that it asks for")
	errPanic         = errors.New("TLS handshake panicked")
)

// dryError is the error that crypto/tls gets when no whole record is here. It is temporary, so that
// crypto/tls does not remember it.
type dryError struct{}

var errDry net.Error = dryError{}

func (dryError) Error() string   { return "no whole TLS record is here yet" }
func (dryError) Timeout() bool   { return true }
func (dryError) Temporary() bool { return true }

// Reason is why a handshake failed, for counting.
type Reason uint8

const (
	// ReasonProtocol: no common version or cipher suite, or a malformed message.
	ReasonProtocol Reason = iota
	// ReasonName: the name that the client asked for is unknown, and strict.
	ReasonName
	// ReasonCertificate: the peer's certificate is missing or not valid.
	ReasonCertificate
	// ReasonAlert: the peer refused with an alert, often because it does not trust our certificate.
	ReasonAlert
	// ReasonGone: the peer went away.
	ReasonGone
	// ReasonTimeout: the deadline passed.
	ReasonTimeout
	// ReasonDisplaced: newer handshakes needed the place.
	ReasonDisplaced
	// ReasonAborted: the owner closed it for reasons of its own, such as a drain.
	ReasonAborted
	// ReasonInternal: a fault of ours.
	ReasonInternal

	reasons
)

var reasonNames = [reasons]string{
	ReasonProtocol: "protocol", ReasonName: "unknown_name", ReasonCertificate: "certificate", ReasonAlert: "peer_alert",
	ReasonGone: "peer_gone", ReasonTimeout: "timeout", ReasonDisplaced: "displaced", ReasonAborted: "aborted", ReasonInternal: "internal",
}

// String is the value of the metric's label.
func (r Reason) String() string { return reasonNames[r] }

// reasonOf classifies an error of HandshakeContext.
func reasonOf(err error) Reason {
	var verification *tls.CertificateVerificationError
	var op *net.OpError
	switch {
	case errors.Is(err, errPanic):
		return ReasonInternal
	case errors.Is(err, ErrDisplaced):
		return ReasonDisplaced
	case errors.Is(err, ErrTimeout):
		return ReasonTimeout
	case errors.Is(err, ErrAborted):
		return ReasonAborted
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return ReasonGone
	case errors.As(err, &verification):
		return ReasonCertificate
	case errors.As(err, &op) && op.Op == "remote error":
		return ReasonAlert
	}
	// crypto/tls gives these no type.
	switch err.Error() {
	case "tls: no certificates configured":
		return ReasonName
	case "tls: client didn't provide a certificate":
		return ReasonCertificate
	}
	return ReasonProtocol
}
