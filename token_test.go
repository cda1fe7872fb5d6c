package sluice

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"fmt"
	mathrand "math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// signer signs tokens, with a key that its one byte makes.
type signer byte

const (
	honest signer = iota
	evil
)

func (s signer) key() ed25519.PrivateKey {
	seed := make([]byte, ed25519.SeedSize)
	seed[0] = byte(s)
	return ed25519.NewKeyFromSeed(seed)
}

// keys is the set of the signer's keys.
func (s signer) keys() string {
	text, _ := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: s.key().Public(), KeyID: "a", Use: "sig"}}})
	return string(text)
}

func (s signer) sign(t testing.TB, payload string) string {
	t.Helper()
	by, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.EdDSA, Key: s.key()}, (&jose.SignerOptions{}).WithHeader("kid", "a"))
	if err != nil {
		t.Fatal(err)
	}
	signed, err := by.Sign([]byte(payload))
	if err != nil {
		t.Fatal(err)
	}
	text, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// strangeTokens are those that nothing of tokenAnnotations lets in.
func strangeTokens(t testing.TB) []string {
	end := time.Now().Add(time.Hour).Unix()
	good := fmt.Sprintf(`{"exp":%d,"iss":"me","aud":"app","groups":["admin"]}`, end)
	signed := honest.sign(t, good)
	parts := strings.Split(signed, ".")
	encode := base64.RawURLEncoding.EncodeToString
	return []string{
		evil.sign(t, good),
		honest.sign(t, `{"exp":1000000000,"iss":"me","aud":"app","groups":["admin"]}`),
		honest.sign(t, `{"iss":"me","aud":"app","groups":["admin"]}`),
		encode([]byte(`{"alg":"none"}`)) + "." + parts[1] + ".",
		parts[0] + "." + encode([]byte(fmt.Sprintf(`{"exp":%d,"iss":"me"}`, end+1))) + "." + parts[2],
		"a.b.c",
	}
}

// tokenAnnotations ask for a token, in any spelling, or try to.
func tokenAnnotations(r *mathrand.Rand, urls []string) (annotations []string) {
	one := func(of ...string) string { return of[r.IntN(len(of))] }
	add := func(key, value string) {
		annotations = append(annotations, fmt.Sprintf("sluice-gateway.io/jwt-%s: %q", key, value))
	}
	if r.IntN(6) > 0 {
		add("keys", one("users", "users", "users", "shop/users", "evil/users", "no", "a/b/c", "", urls[r.IntN(len(urls))], urls[r.IntN(len(urls))]))
	} else {
		add("issuer", "me") // and no keys
	}
	for _, row := range [][]string{
		{"audiences", "app", "", "a\"b"}, {"algorithms", "EdDSA", "none", "HS256", "EdDSA, RS256"}, {"leeway", "0", "600", "x"}, {"claim-fields", "X-User=sub", "X", "Host=sub"},
		{"required-claims", "groups=admin", "x"}, {"cookie", "token", ";"}, {"forward-token", "true", "x"}, {"realm", "r", "a\"b"}, {"audience", "app"},
	} {
		if r.IntN(6) == 0 {
			add(row[0], one(row[1:]...))
		}
	}
	return annotations
}
