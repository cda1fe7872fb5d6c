package jwt

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// signers has a private key of each type.
var signers = sync.OnceValue(func() map[string]crypto.Signer {
	made := map[string]crypto.Signer{}
	made["rsa"], _ = rsa.GenerateKey(rand.Reader, 2048)
	made["P-256"], _ = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	made["P-384"], _ = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	made["P-521"], _ = ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	_, made["ed25519"], _ = ed25519.GenerateKey(rand.Reader)
	return made
})

// typeOf names the signer that an algorithm needs.
func typeOf(algorithm string) string {
	switch algorithm {
	case "ES256":
		return "P-256"
	case "ES384":
		return "P-384"
	case "ES512":
		return "P-521"
	case "EdDSA":
		return "ed25519"
	}
	return "rsa"
}

func sign(t testing.TB, algorithm, kid, payload string) string {
	t.Helper()
	options := &jose.SignerOptions{}
	if kid != "" {
		options = options.WithHeader("kid", kid)
	}
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.SignatureAlgorithm(algorithm), Key: signers()[typeOf(algorithm)]}, options)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := s.Sign([]byte(payload))
	if err != nil {
		t.Fatal(err)
	}
	token, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// setOf is the text of a set with the public keys of signers, which are called as their types; edit changes each.
func setOf(t testing.TB, edit func(*jose.JSONWebKey)) []byte {
	t.Helper()
	var set jose.JSONWebKeySet
	for name, s := range signers() {
		k := jose.JSONWebKey{Key: s.Public(), KeyID: name}
		if edit != nil {
			edit(&k)
		}
		set.Keys = append(set.Keys, k)
	}
	text, err := json.Marshal(set)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func keysOf(t testing.TB, edit func(*jose.JSONWebKey)) *Keys {
	t.Helper()
	keys, _, err := ParseKeys(setOf(t, edit))
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

var now = time.Unix(1_800_000_000, 0)

const good = `{"exp":1800000060,"iss":"https://issuer.test","aud":"app","sub":"alice"}`

// TestAlgorithms: each is taken, with its kid, without, and with one that no key has while keys have none.
func TestAlgorithms(t *testing.T) {
	named, anonymous := keysOf(t, nil), keysOf(t, func(k *jose.JSONWebKey) { k.KeyID = "" })
	for _, a := range Algorithms {
		for _, row := range []struct {
			keys *Keys
			kid  string
			want error
		}{
			{named, typeOf(a), nil}, {named, "", nil}, {named, "other", UnknownKey}, {anonymous, "other", nil}, {anonymous, "", nil},
		} {
			token := sign(t, a, row.kid, good)
			c, err := Verify(token, row.keys, &Rules{Issuer: "https://issuer.test", Audiences: []string{"other", "app"}}, now)
			if err != row.want || err == nil && (!c.Has("sub", "alice") || !c.Until.Equal(now.Add(time.Minute))) {
				t.Errorf("%s with kid %q: %v", a, row.kid, err)
			}
			if row.want != nil {
				continue
			}
			if _, err := Verify(token, row.keys, &Rules{Algorithms: []string{"HS256", "none"}}, now); err != Malformed {
				t.Errorf("%s is taken where it may not be: %v", a, err)
			}
			last := token[len(token)-20:]
			for _, bad := range []string{token[:len(token)-20] + strings.Map(rot, last), token[:len(token)-1], token + "A"} {
				if _, err := Verify(bad, row.keys, &Rules{}, now); err == nil {
					t.Errorf("%s: a token with another signature is taken", a)
				}
			}
		}
	}
}

func rot(r rune) rune {
	if r >= 'a' && r <= 'y' || r >= 'A' && r <= 'Y' || r >= '0' && r <= '8' {
		return r + 1
	}
	return 'A'
}

// TestRefused: what a stranger can make without a private key.
func TestRefused(t *testing.T) {
	keys := keysOf(t, nil)
	raw := base64.RawURLEncoding.EncodeToString
	token := sign(t, "RS256", "rsa", good)
	parts := strings.Split(token, ".")
	public := signers()["rsa"].Public().(*rsa.PublicKey)
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	withHMAC := func(secret []byte) string {
		head := raw([]byte(`{"alg":"HS256","kid":"rsa"}`)) + "." + raw([]byte(good))
		mac := hmac.New(sha256.New, secret)
		mac.Write([]byte(head))
		return head + "." + raw(mac.Sum(nil))
	}
	_, stranger, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	by := func(options *jose.SignerOptions) string {
		s, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.EdDSA, Key: stranger}, options)
		if err != nil {
			t.Fatal(err)
		}
		signed, err := s.Sign([]byte(good))
		if err != nil {
			t.Fatal(err)
		}
		text, _ := signed.CompactSerialize()
		return text
	}
	for name, token := range map[string]string{
		"nothing":                   "",
		"dots":                      "..",
		"none":                      raw([]byte(`{"alg":"none"}`)) + "." + parts[1] + ".",
		"none, spelled otherwise":   raw([]byte(`{"alg":"nOnE"}`)) + "." + parts[1] + "." + parts[2],
		"no algorithm":              raw([]byte(`{"kid":"rsa"}`)) + "." + parts[1] + "." + parts[2],
		"no signature":              parts[0] + "." + parts[1] + ".",
		"another payload":           parts[0] + "." + raw([]byte(strings.Replace(good, "alice", "mallory", 1))) + "." + parts[2],
		"HMAC with the key as PEM":  withHMAC(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})),
		"HMAC with the key as DER":  withHMAC(der),
		"HMAC with the modulus":     withHMAC(public.N.Bytes()),
		"HMAC with nothing":         withHMAC(nil),
		"another algorithm's key":   raw([]byte(`{"alg":"ES256","kid":"rsa"}`)) + "." + parts[1] + "." + parts[2],
		"a stranger's key":          by((&jose.SignerOptions{}).WithHeader("kid", "ed25519")),
		"a key of its own":          by((&jose.SignerOptions{EmbedJWK: true}).WithHeader("kid", "ed25519")),
		"a key from elsewhere":      by((&jose.SignerOptions{}).WithHeader("jku", "http://127.0.0.1/").WithHeader("kid", "ed25519")),
		"a line break":              token[:20] + "\n" + token[20:],
		"padding":                   token + "=",
		"bits that are no byte's":   token[:len(token)-1] + string(token[len(token)-1]+1),
		"JSON":                      `{"payload":"` + parts[1] + `","protected":"` + parts[0] + `","signature":"` + parts[2] + `"}`,
		"an extension":              raw([]byte(`{"alg":"RS256","kid":"rsa","crit":["b64"],"b64":false}`)) + "." + parts[1] + "." + parts[2],
		"encrypted":                 token + ".." + parts[2],
		"too long":                  token + strings.Repeat("A", MaxToken),
		"a header with a kid twice": raw([]byte(`{"alg":"RS256","kid":"rsa","kid":"x"}`)) + "." + parts[1] + "." + parts[2],
	} {
		if _, err := Verify(token, keys, &Rules{}, now); err == nil {
			t.Errorf("%s: it is taken", name)
		}
	}
}

func TestRules(t *testing.T) {
	keys := keysOf(t, nil)
	rules := &Rules{Issuer: "https://issuer.test", Audiences: []string{"app", "api"}, Leeway: 10 * time.Second}
	claims := func(exp, rest string) string {
		return `{"exp":` + exp + `,"iss":"https://issuer.test","aud":["x","api"]` + rest + `}`
	}
	for _, row := range []struct {
		payload string
		want    error
	}{
		{claims("1800000001", ""), nil},
		{claims("1799999991", ""), nil}, // by the leeway
		{claims("1799999990", ""), expired},
		{claims("1800000001.5", ""), nil},
		{claims(`"1800000001"`, ""), unreadable},
		{claims("null", ""), unreadable},
		{claims("-1", ""), unreadable},
		{claims("1e300", ""), unreadable},
		{`{"iss":"https://issuer.test","aud":"app"}`, endless},
		{claims("1800000001", `,"nbf":1800000010`), nil},
		{claims("1800000001", `,"nbf":1800000011`), early},
		{claims("1800000001", `,"nbf":"soon"`), unreadable},
		{`{"exp":1800000001,"iss":"https://issuer.test/","aud":"app"}`, otherIssuer},
		{`{"exp":1800000001,"aud":"app"}`, otherIssuer},
		{`{"exp":1800000001,"iss":["https://issuer.test"],"aud":"app"}`, otherIssuer},
		{`{"exp":1800000001,"iss":"https://issuer.test","aud":"ap"}`, otherService},
		{`{"exp":1800000001,"iss":"https://issuer.test","aud":[]}`, otherService},
		{`{"exp":1800000001,"iss":"https://issuer.test","aud":[7,{}]}`, otherService},
		{`{"exp":1800000001,"iss":"https://issuer.test"}`, otherService},
		{claims("1800000001", `,"exp":1`), unreadable}, // twice: whichever a reader believes
		{claims("1800000001", `,"EXP":1`), nil},
		{`null`, unreadable}, {`[]`, unreadable}, {``, unreadable}, {`{`, unreadable}, {`"x"`, unreadable},
	} {
		if _, err := Verify(sign(t, "EdDSA", "", row.payload), keys, rules, now); err != row.want {
			t.Errorf("%s: %v, want %v", row.payload, err, row.want)
		}
	}
}

func TestClaims(t *testing.T) {
	c, err := Verify(sign(t, "EdDSA", "", `{"exp":1800000060,"sub":"alice","n":12345678901,"half":0.5,"yes":true,"groups":["a","b"],"dn":["cn=a,o=b"],
		"https://x.test/roles":["admin"],"realm":{"roles":["r1","r2"],"deep":{"er":"x"}},"scope":"read write","name":"a\r\nX: y","padded":" a","nothing":null,"empty":"","lists":[["a"]]}`),
		keysOf(t, nil), &Rules{}, now)
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"sub": "alice", "n": "12345678901", "half": "0.5", "yes": "true", "groups": "a,b", "dn": "-", "https://x.test/roles": "admin", "realm.roles": "r1,r2", "realm.deep.er": "x",
		"realm": "-", "realm.none": "-", "realm.deep.er.x": "-", "name": "-", "padded": "-", "nothing": "-", "empty": "", "lists": "-", "none": "-", "scope": "read write",
	} {
		got, ok := c.Text(path)
		if !ok {
			got = "-"
		}
		if got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
	for _, row := range []struct {
		path, value string
		want        bool
	}{
		{"sub", "alice", true}, {"sub", "Alice", false}, {"sub", "", false}, {"groups", "b", true}, {"groups", "a,b", false}, {"groups", "", false}, {"dn", "cn=a,o=b", true},
		{"realm.roles", "r2", true}, {"yes", "true", true}, {"n", "12345678901", true}, {"scope", "read", true}, {"scope", "rea", false}, {"scope", "read write", false},
		{"none", "", false}, {"nothing", "", false}, {"empty", "", true}, {"realm", "", false},
	} {
		if got := c.Has(row.path, row.value); got != row.want {
			t.Errorf("%s=%s: %v", row.path, row.value, got)
		}
	}
}

func TestParseKeys(t *testing.T) {
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	set := func(keys ...jose.JSONWebKey) string {
		text, err := json.Marshal(jose.JSONWebKeySet{Keys: keys})
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	p256 := signers()["P-256"].Public()
	for name, row := range map[string]struct {
		text           string
		keys, unusable int
	}{
		"all":                         {string(setOf(t, nil)), 5, 0},
		"private ones":                {set(jose.JSONWebKey{Key: signers()["P-256"]}), 1, 0},
		"for encryption":              {string(setOf(t, func(k *jose.JSONWebKey) { k.Use = "enc" })), 0, 5},
		"of another algorithm":        {set(jose.JSONWebKey{Key: p256, Algorithm: "RS256"}, jose.JSONWebKey{Key: p256, Algorithm: "ES256"}, jose.JSONWebKey{Key: p256, Algorithm: "HS256"}), 1, 2},
		"short":                       {set(jose.JSONWebKey{Key: small.Public()}), 0, 1},
		"a secret":                    {set(jose.JSONWebKey{Key: []byte("0123456789abcdef")}), 0, 1},
		"unknown types":               {`{"keys":[{"kty":"new"},{},7,null]}`, 0, 4},
		"none":                        {`{"keys":[]}`, 0, 0},
		"another thing":               {`{}`, 0, 0},
		"a page":                      {`<html>`, 0, 0},
		"nothing":                     {``, 0, 0},
		"a point that is not on it":   {`{"keys":[{"kty":"EC","crv":"P-256","x":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE","y":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE"}]}`, 0, 1},
		"more keys than can be":       {`{"keys":[` + strings.Repeat(`{},`, maxKeys) + `{}]}`, 0, 0},
		"a text that is longer":       {`{"keys":[` + strings.Repeat(" ", MaxKeySet) + `]}`, 0, 0},
		"an exponent that is no good": {`{"keys":[{"kty":"RSA","n":"` + strings.Repeat("A", 342) + `","e":"AQAB"}]}`, 0, 1},
	} {
		keys, unusable, err := ParseKeys([]byte(row.text))
		n := 0
		if keys != nil {
			n = len(keys.list)
		}
		if n != row.keys || unusable != row.unusable || (err == nil) != (n > 0) {
			t.Errorf("%s: %d keys, %d unusable, %v", name, n, unusable, err)
		}
	}
}

// FuzzVerify: nothing that was not signed by a private key is taken, whatever is made of a token that was.
func FuzzVerify(f *testing.F) {
	keys := keysOf(f, nil)
	taken := map[string]bool{}
	for _, a := range []string{"RS256", "PS256", "ES256", "EdDSA"} {
		token := sign(f, a, typeOf(a), good)
		taken[token] = true
		f.Add(token)
		f.Add(strings.Replace(token, ".", "..", 1))
		f.Add(token[:len(token)/2])
	}
	f.Add(base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + ".e30.")
	f.Fuzz(func(t *testing.T, token string) {
		c, err := Verify(token, keys, &Rules{}, now)
		if err == nil && (!taken[token] || !c.Has("sub", "alice")) {
			// A corpus entry of another run has other keys; here nothing but the seeds is signed.
			t.Errorf("%q is taken", token)
		}
	})
}

// FuzzKeys: a set of keys from anywhere breaks nothing, and neither does what it is then asked.
func FuzzKeys(f *testing.F) {
	f.Add(setOf(f, nil))
	f.Add([]byte(`{"keys":[{"kty":"RSA","n":"AQAB","e":"AQAB"}]}`))
	token := sign(f, "RS256", "", good)
	f.Fuzz(func(t *testing.T, text []byte) {
		keys, _, err := ParseKeys(text)
		if (keys == nil) != (err != nil) {
			t.Fatalf("%v and %v", keys, err)
		}
		if keys != nil {
			_, _ = Verify(token, keys, &Rules{}, now)
		}
	})
}
