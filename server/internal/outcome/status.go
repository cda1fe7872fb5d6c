package outcome

// Fault is a parser's own list of faults; its zero value means none. There are at most 254 others.
type Fault interface {
	~uint8
	// Reason is a short text for an answer or a log; it holds nothing the peer sent.
	Reason() string
}

// Status is the outcome of a parse: Incomplete, Done, or a failure that carries a Fault. The zero value is
// Incomplete.
type Status[F Fault] uint8

const (
	// Incomplete asks for more bytes behind those given.
	Incomplete = 0
	// Done means that the input is complete and valid.
	Done = 1
)

// Failed returns a fault as the outcome of a parse.
func Failed[F Fault](f F) Status[F] { return Status[F](f) + Done }

// Err returns the fault of a failed parse, and the zero Fault for Incomplete and Done.
func (s Status[F]) Err() F {
	if s <= Done {
		return 0
	}
	return F(s - Done)
}

// String names the outcome for logs and tests.
func (s Status[F]) String() string {
	switch s {
	case Incomplete:
		return "incomplete"
	case Done:
		return "done"
	}
	return s.Err().Reason()
}
