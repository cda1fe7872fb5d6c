package jwt

import (
	"encoding/base64"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/json"
)

// MaxToken bounds a token.
const MaxToken = 16 << 10

// Fault is why a token is not taken, in words that may be told to its sender: it has no quotation mark and nothing of the token.
type Fault string

// Error implements error.
func (f Fault) Error() string { return string(f) }

// The Faults.
const (
	// Malformed is that of what is no signed token, or signed in a way that is not taken.
	Malformed Fault = "it is no token that is signed in a way that is taken"
	// UnknownKey is that of a token whose key is not among Keys: newer Keys may have it.
	UnknownKey Fault = "it is signed with a key that is not known"
	// Forged is that of a signature that does not verify.
	Forged Fault = "the signature is not that of the token"

	unreadable   Fault = "its claims cannot be read"
	endless      Fault = "it has no end"
	expired      Fault = "it has expired"
	early        Fault = "it is not valid yet"
	otherIssuer  Fault = "it is of another issuer"
	otherService Fault = "it is for another audience"
)

// Rules are what a token must meet beside its signature. The zero value takes tokens of any algorithm, issuer and audience, and
// no error of clocks.
type Rules struct {
	// Algorithms are some of the package's; none for all.
	Algorithms []string
	// Issuer is that of the token, "" for any.
	Issuer string
	// Audiences has one of the token's, none for any.
	Audiences []string
	// Leeway is how far clocks may differ.
	Leeway time.Duration
}

// Verify returns the claims of a token that keys have signed and that meets the rules, or a Fault.
func Verify(token string, keys *Keys, rules *Rules, now time.Time) (Claims, error) {
	if len(token) > MaxToken || !canonical(token) {
		return Claims{}, Malformed
	}
	signed, err := jose.ParseSignedCompact(token, rules.algorithms())
	if err != nil || len(signed.Signatures) != 1 {
		return Claims{}, Malformed
	}
	header := &signed.Signatures[0].Protected
	for _, name := range [...]jose.HeaderKey{"crit", "b64"} {
		if _, has := header.ExtraHeaders[name]; has {
			return Claims{}, Malformed // an extension that must be understood; none of them is
		}
	}
	candidates := keys.of(header.KeyID, jose.SignatureAlgorithm(header.Algorithm))
	if len(candidates) == 0 {
		return Claims{}, UnknownKey
	}
	for _, k := range candidates {
		payload, err := signed.Verify(k.public)
		if err != nil {
			continue
		}
		return rules.claims(payload, now)
	}
	return Claims{}, Forged
}

// canonical reports whether a token has three parts in base64url, each written as the only text that stands for its bytes.
func canonical(token string) bool {
	if strings.ContainsAny(token, "\r\n") || strings.Count(token, ".") != 2 {
		return false // decoders skip line breaks
	}
	for part := range strings.SplitSeq(token, ".") {
		if _, err := strict.DecodeString(part); err != nil {
			return false
		}
	}
	return true
}

var strict = base64.RawURLEncoding.Strict()

func (r *Rules) algorithms() []jose.SignatureAlgorithm {
	names := r.Algorithms
	if len(names) == 0 {
		names = Algorithms
	}
	list := make([]jose.SignatureAlgorithm, len(names))
	for i, name := range names {
		list[i] = jose.SignatureAlgorithm(name)
	}
	return list
}

// claims reads what a signature has proved, and holds it against the rules.
func (r *Rules) claims(payload []byte, now time.Time) (Claims, error) {
	c := Claims{}
	if err := json.Unmarshal(payload, &c.all); err != nil || c.all == nil {
		return Claims{}, unreadable
	}
	end, ends, ok := c.time("exp")
	if !ok {
		return Claims{}, unreadable
	}
	start, starts, ok := c.time("nbf")
	if !ok {
		return Claims{}, unreadable
	}
	switch {
	case !ends:
		return Claims{}, endless
	case !now.Before(end.Add(r.Leeway)):
		return Claims{}, expired
	case starts && now.Add(r.Leeway).Before(start):
		return Claims{}, early
	case r.Issuer != "" && c.all["iss"] != any(r.Issuer):
		return Claims{}, otherIssuer
	case len(r.Audiences) > 0 && !c.isFor(r.Audiences):
		return Claims{}, otherService
	}
	c.Until = end.Add(r.Leeway)
	return c, nil
}
