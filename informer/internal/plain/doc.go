// Package plain makes text from objects fit for a line that people read: of a log, of an Event, on a terminal.
//
// What an object says may be of any length, and hold characters that forge a line or move a cursor. Every Rejection
// with a piece of an object passes here.
//
// Read first: Short; then TestShort.
package plain
