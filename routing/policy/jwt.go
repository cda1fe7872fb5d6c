package policy

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// KindJWT is the Kind of JWT.
const KindJWT Kind = "jwt"

// JWT asks for a token that is signed with a private key (sluice-gateway.io/jwt-keys).
type JWT struct {
	// URL is where the public keys are, as a JSON Web Key Set; "" where Keys are one, from Secret, which is a namespace/name.
	URL, Secret string
	Keys        Sealed
	// Algorithms are those that are taken, none for all of routing/jwt.
	Algorithms []string
	// Issuer is that of tokens, "" for any; Audiences has one of theirs, none for any.
	Issuer    string
	Audiences []string
	// Leeway is how far clocks may differ.
	Leeway time.Duration
	// Claims are what a token must say: each as Pair.
	Claims []string
	// Fields are those that the Backend is sent, with the claim that each is of: each as Pair. A client's own are not sent.
	Fields []string
	// Cookie is what has the token where the field Authorization has none, "" for nothing.
	Cookie string
	// Realm is what clients are told that tokens are for.
	Realm string
	// Keep is true where the Backend is sent the field Authorization.
	Keep bool
	// Refused are addresses that the URL must not lead to, unless they are in Allowed.
	Refused, Allowed []netip.Prefix
}

// Pair takes "name=value" apart. The name may have an equals sign where its value has none.
func Pair(s string) (name, value string) {
	name, value, _ = strings.Cut(s, "=")
	return name, value
}

// Kind implements Filter.
func (*JWT) Kind() Kind { return KindJWT }

// Equal implements Filter.
func (j *JWT) Equal(f Filter) bool {
	o := f.(*JWT)
	return string(j.AppendText(nil)) == string(o.AppendText(nil)) && j.Keys.Equal(o.Keys) &&
		slices.Equal(j.Refused, o.Refused) && slices.Equal(j.Allowed, o.Allowed)
}

// AppendText implements Filter. Of the Keys it tells that there are some, of the addresses how many ranges.
func (j *JWT) AppendText(b []byte) []byte {
	t := text{b}
	t.word("keys", j.URL)
	t.word("keys of secret", j.Secret)
	if !j.Keys.Empty() {
		t.word("keys", "sealed")
	}
	t.words("algorithm", j.Algorithms)
	t.word("issuer", j.Issuer)
	t.words("audience", j.Audiences)
	t.number("leeway", int64(j.Leeway/time.Second))
	t.words("claim", j.Claims)
	t.words("field", j.Fields)
	t.word("cookie", j.Cookie)
	t.word("realm", j.Realm)
	t.flag("authorization kept", j.Keep)
	t.number("refused ranges", int64(len(j.Refused)))
	t.number("allowed ranges", int64(len(j.Allowed)))
	return t.b
}

// text writes what a Filter has, in words with a space between; what is zero is not written.
type text struct{ b []byte }

func (t *text) name(name string) {
	if len(t.b) > 0 && t.b[len(t.b)-1] != ' ' {
		t.b = append(t.b, ' ')
	}
	t.b = append(t.b, name...)
}

func (t *text) word(name, value string) {
	if value != "" {
		t.name(name)
		t.b = append(append(t.b, ' '), Word(value)...)
	}
}

func (t *text) words(name string, values []string) {
	for _, value := range values {
		t.name(name)
		t.b = append(append(t.b, ' '), Word(value)...)
	}
}

func (t *text) number(name string, n int64) {
	if n != 0 {
		t.name(name)
		t.b = strconv.AppendInt(append(t.b, ' '), n, 10)
	}
}

func (t *text) flag(name string, on bool) {
	if on {
		t.name(name)
	}
}

// ParseKeysURL reads the URL of a set of keys, or of a provider of logins: http or https, without variables.
func ParseKeysURL(s string) error {
	if _, err := ParseAuthority(s); err != nil {
		return err
	}
	if strings.Contains(s, "$") {
		return fmt.Errorf("want a URL without variables")
	}
	return nil
}
