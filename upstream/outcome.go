package upstream

// Outcome is how an exchange with an Endpoint ended, as passive health and metrics see it. The
// status code of a complete response plays no part unless a Backend asks for it: it is the application's answer.
type Outcome uint8

const (
	// OK is a response received to its end, whatever its status.
	OK Outcome = iota
	// Canceled means that the client left, or the gateway ended the exchange for a reason of its
	// own; no evidence about the Endpoint.
	Canceled
	// Stale means that a reused Conn was closed before any response byte: the keep-alive race, no
	// evidence about the Endpoint either.
	Stale
	// ConnectFailed means that the connection was refused or unreachable.
	ConnectFailed
	// ConnectTimeout means that the connection did not come about in time.
	ConnectTimeout
	// Reset means that the connection broke before a response byte, on a fresh Conn.
	Reset
	// Truncated means that the response ended before its announced end.
	Truncated
	// Malformed means that the response broke the protocol.
	Malformed
	// ResponseTimeout means that the response, or the next part of it, did not come in time.
	ResponseTimeout
	// ServerError is a complete answer of 500, 502, 503 or 504, of a Backend where that counts: Backend.Verdict.
	ServerError

	// Outcomes is the number of Outcomes, for arrays indexed by Outcome.
	Outcomes = iota
)

// String returns the metric label.
func (o Outcome) String() string {
	return [Outcomes]string{
		"ok", "canceled", "stale", "connect_failed", "connect_timeout",
		"reset", "truncated", "malformed", "response_timeout",
		"server_error",
	}[o]
}

// Failed reports whether o counts against the Endpoint.
func (o Outcome) Failed() bool { return o >= ConnectFailed }

// connecting reports that the connection did not come about, so that nothing was sent.
func (o Outcome) connecting() bool { return o == ConnectFailed || o == ConnectTimeout }
