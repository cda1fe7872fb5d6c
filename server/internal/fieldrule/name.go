package fieldrule

import "github.com/sluice-gateway/sluice/server/internal/message"

// Names says which field names of requests are passed on. Settings have one.
type Names uint8

const (
	PlainNames      Names = iota // letters, digits and hyphens
	UnderscoreNames              // and underscores
	TokenNames                   // all of RFC 9110 section 5.6.2
)

// NamesOf returns the rule that the configuration calls word: http.header_names.
func NamesOf(word string) Names {
	return map[string]Names{"plain": PlainNames, "underscore": UnderscoreNames, "token": TokenNames}[word]
}

// Pass reports whether a field whose name is a FieldOdd goes on. One that a Backend may read as one that
// the gateway sets, or believes from others, never does.
func (r Names) Pass(name []byte) bool {
	if r == PlainNames {
		return false
	}
	if r == UnderscoreNames {
		for _, c := range name {
			if c != '_' && message.Class[c]&message.ClassPlain == 0 {
				return false
			}
		}
	}
	var room [64]byte
	plain := message.Fold(room[:0], name)
	id := message.LookupField(plain)
	return (id == message.FieldOther || !message.PlainOnly.Has(id)) && ClaimOf(plain) == NoClaim
}
