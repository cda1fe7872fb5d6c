package policy

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"iter"
	"maps"
	"slices"
)

// Users are names and the hashes of their passwords, which came from a Secret. Immutable. It never prints: whatever the verb,
// and in JSON too, it shows nothing of what it holds.
type Users struct{ held *users }

type users struct {
	hashes map[string]string
	sum    [sha256.Size]byte // over all of it
}

// NewUsers makes Users of hashes by name. The map is theirs from then on.
func NewUsers(hashes map[string]string) Users {
	h := sha256.New()
	write := func(s string) {
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(s))))
		h.Write([]byte(s))
	}
	for _, name := range slices.Sorted(maps.Keys(hashes)) {
		write(name)
		write(hashes[name])
	}
	u := &users{hashes: hashes}
	h.Sum(u.sum[:0])
	return Users{u}
}

// Len returns how many there are.
func (u Users) Len() int {
	if u.held == nil {
		return 0
	}
	return len(u.held.hashes)
}

// All yields names and hashes.
func (u Users) All() iter.Seq2[string, string] {
	if u.held == nil {
		return func(func(string, string) bool) {}
	}
	return maps.All(u.held.hashes)
}

// Equal reports whether u and o are the same names with the same hashes.
func (u Users) Equal(o Users) bool {
	if u.Len() == 0 || o.Len() == 0 {
		return u.Len() == o.Len()
	}
	return u.held.sum == o.held.sum
}

// Format prints Users as their name.
func (Users) Format(to fmt.State, _ rune) { _, _ = io.WriteString(to, "Users of a Secret") }
