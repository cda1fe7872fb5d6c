package fieldrule

import "github.com/sluice-gateway/sluice/server/internal/message"

// Names is the rule for the field names of requests: http.header_names. The zero value is the strictest.
type Names uint8

const (
	PlainNames      Names = iota // letters, digits and hyphens
	UnderscoreNames              // and underscores
	TokenNames                   // all of RFC 9110 section 5.6.2
)

// NamesOf returns the rule that http.header_names calls word; PlainNames for a word that it does not know.
func NamesOf(word string) Names {
	return map[string]Names{"plain": PlainNames, "underscore": UnderscoreNames, "token": TokenNames}[word]
}

// Pass reports whether a field whose name the parser has marked as message.FieldOdd goes on. A name that a Backend may read
// as that of a field which the gateway sets, or as a claim, never does.
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
