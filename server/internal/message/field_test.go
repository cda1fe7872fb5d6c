package message_test

import (
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/server/internal/message"
)

// TestFieldNames looks up every known name in lower and upper case, and near misses of each.
func TestFieldNames(t *testing.T) {
	for id := message.FieldHost; id.String() != ""; id++ {
		name := id.String()
		for _, s := range []string{name, strings.ToLower(name), strings.ToUpper(name)} {
			if got := message.LookupField([]byte(s)); got != id {
				t.Errorf("LookupField(%q) = %v, want %v", s, got, id)
			}
			// Where the name stands decides which words are loaded.
			for _, before := range []string{"", "X", "GET / HTTP/1.0\r\n"} {
				for _, after := range []string{"", ":", ": 1\r\n\r\n"} {
					if got := message.LookupName([]byte(before+s+after), len(before), len(s)); got != id {
						t.Errorf("LookupName(%q in %q) = %v, want %v", s, before+s+after, got, id)
					}
				}
			}
		}
		for i := range len(name) {
			for _, flip := range []byte{0x01, 0x20, 0x80} {
				s := []byte(name)
				s[i] ^= flip
				if got := message.LookupField(s); got == id && !strings.EqualFold(string(s), name) {
					t.Errorf("LookupField(%q) = %v", s, got)
				}
			}
		}
		for _, s := range []string{name + "x", "x" + name, name[1:], name[:len(name)-1]} {
			if got := message.LookupField([]byte(s)); got == id {
				t.Errorf("LookupField(%q) = %v", s, got)
			}
		}
	}
}
