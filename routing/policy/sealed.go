package policy

import (
	"crypto/sha256"
	"fmt"
	"io"
)

// Sealed is text of a Secret. Immutable; the zero value is none. It never prints: whatever the verb, and in JSON too, it shows
// nothing of what it holds.
type Sealed struct{ held *sealed }

type sealed struct {
	text []byte
	sum  [sha256.Size]byte
}

// Seal makes a Sealed of text, which is its own from then on.
func Seal(text []byte) Sealed {
	if len(text) == 0 {
		return Sealed{}
	}
	return Sealed{&sealed{text, sha256.Sum256(text)}}
}

// Empty reports whether there is none.
func (s Sealed) Empty() bool { return s.held == nil }

// Open returns the text, for reading only.
func (s Sealed) Open() []byte {
	if s.held == nil {
		return nil
	}
	return s.held.text
}

// Equal reports whether s and o are the same text.
func (s Sealed) Equal(o Sealed) bool {
	if s.held == nil || o.held == nil {
		return s.held == o.held
	}
	return s.held.sum == o.held.sum
}

// Format prints a Sealed as its name.
func (Sealed) Format(to fmt.State, _ rune) { _, _ = io.WriteString(to, "text of a Secret") }
