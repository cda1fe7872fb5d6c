// Package outcome is the result type of parsers of hostile bytes.
//
// A parser that is fed a growing buffer has three answers: more bytes are needed, all is here, or a fault
// that no further byte can mend. All fit a byte, so that a parser returns them in a register, keeps them
// in its state, and counts faults in an array.
//
//	type Status = outcome.Status[Error]
//
// Goroutines: values only. What never happens here: no allocation, no import.
//
// Read first: Status.
package outcome
