package filter

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/sluice-gateway/sluice/routing/policy"
)

// issuer signs tokens.
type issuer struct {
	t   testing.TB
	kid string
	key ed25519.PrivateKey
}

func newIssuer(t testing.TB, kid string) *issuer {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return &issuer{t, kid, key}
}

// keys is the set of the keys of issuers.
func keysOf(issuers ...*issuer) []byte {
	var set jose.JSONWebKeySet
	for _, i := range issuers {
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: i.key.Public(), KeyID: i.kid, Use: "sig"})
	}
	text, _ := json.Marshal(set)
	return text
}

// token returns one that is good for an hour, with more claims.
func (i *issuer) token(claims string) string {
	i.t.Helper()
	return i.sign(fmt.Sprintf(`{"exp":%d%s}`, time.Now().Add(time.Hour).Unix(), claims))
}

func (i *issuer) sign(payload string) string {
	i.t.Helper()
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.EdDSA, Key: i.key}, (&jose.SignerOptions{}).WithHeader("kid", i.kid))
	if err != nil {
		i.t.Fatal(err)
	}
	signed, err := s.Sign([]byte(payload))
	if err != nil {
		i.t.Fatal(err)
	}
	text, err := signed.CompactSerialize()
	if err != nil {
		i.t.Fatal(err)
	}
	return text
}

// told answers with the fields that the Backend was sent.
func told(w http.ResponseWriter, r *http.Request) {
	fmt.Fprintf(w, "Backend %q %q %q", r.Header["X-User"], r.Header["X-Groups"], r.Header["Authorization"])
}

// TestJWT: what clients are answered, whatever they speak, at first and once their tokens are known.
func TestJWT(t *testing.T) {
	i, other := newIssuer(t, "a"), newIssuer(t, "a")
	g := newGateway(t, with(&policy.JWT{
		Keys: policy.Seal(keysOf(i)), Issuer: "me", Audiences: []string{"app"}, Claims: []string{"groups=admin"}, Fields: []string{"X-User=sub", "X-Groups=groups"},
		Cookie: "token", Realm: "staff",
	}), told)
	overHTTP2 := g.overHTTP2()
	claims := `,"iss":"me","aud":"app","sub":"alice","groups":["admin","b"]`
	good := i.token(claims)
	const challenge = `Bearer realm="staff"`
	invalid := func(why string) string { return challenge + `, error="invalid_token", error_description="` + why + `"` }
	for name, row := range map[string]struct {
		fields []string
		want   int
		says   string
	}{
		"a good token":            {[]string{"Authorization", "Bearer " + good}, 200, ""},
		"spelled otherwise":       {[]string{"Authorization", "bEARER   " + good}, 200, ""},
		"in a cookie":             {[]string{"Cookie", "x=1; token=" + good + "; token=x"}, 200, ""},
		"beside another scheme":   {[]string{"Authorization", "Basic YTpi", "Cookie", "token=" + good}, 200, ""},
		"in two cookie fields":    {[]string{"Cookie", "x=1", "Cookie", "token=" + good}, 200, ""},
		"in another cookie":       {[]string{"Cookie", "xtoken=" + good + "; TOKEN=" + good + "; token"}, 401, challenge},
		"none":                    {nil, 401, challenge},
		"nothing":                 {[]string{"Authorization", ""}, 401, challenge},
		"the scheme alone":        {[]string{"Authorization", "Bearer"}, 401, challenge},
		"another scheme":          {[]string{"Authorization", "Basic " + good}, 401, challenge},
		"in the query":            {[]string{"X", "access_token=" + good}, 401, challenge},
		"no token":                {[]string{"Authorization", "Bearer a.b.c"}, 401, invalid("it is no token that is signed in a way that is taken")},
		"quotation":               {[]string{"Authorization", `Bearer ", a="`}, 401, invalid("it is no token that is signed in a way that is taken")},
		"two fields":              {[]string{"Authorization", "Bearer " + good, "Authorization", "Bearer x"}, 400, challenge + `, error="invalid_request", error_description="there are two fields Authorization"`},
		"a stranger's":            {[]string{"Authorization", "Bearer " + other.token(claims)}, 401, invalid("the signature is not that of the token")},
		"an expired one":          {[]string{"Authorization", "Bearer " + i.sign(`{"exp":1000000000`+claims+`}`)}, 401, invalid("it has expired")},
		"one without an end":      {[]string{"Authorization", "Bearer " + i.sign(`{"x":1`+claims+`}`)}, 401, invalid("it has no end")},
		"another issuer's":        {[]string{"Authorization", "Bearer " + i.token(`,"iss":"other","aud":"app","groups":"admin"`)}, 401, invalid("it is of another issuer")},
		"another audience's":      {[]string{"Authorization", "Bearer " + i.token(`,"iss":"me","aud":"other","groups":"admin"`)}, 401, invalid("it is for another audience")},
		"one that is not enough":  {[]string{"Authorization", "Bearer " + i.token(`,"iss":"me","aud":"app","groups":["b"]`)}, 403, challenge + `, error="insufficient_scope", error_description="the token does not say what is required"`},
		"a field that is spoofed": {[]string{"Authorization", "Bearer " + good, "X-User", "root", "X-Groups", "root", "x-user", "root"}, 200, ""},
	} {
		for _, method := range []string{"GET", "HEAD", "POST"} {
			for _, ask := range []func(string, string, ...string) (*http.Response, string){g.ask, overHTTP2} {
				for range 2 {
					resp, body := ask(method, "/a?access_token="+good, row.fields...)
					if resp.StatusCode != row.want || resp.Header.Get("WWW-Authenticate") != row.says {
						t.Errorf("%s, %s: %d %q, want %d %q", name, method, resp.StatusCode, resp.Header.Get("WWW-Authenticate"), row.want, row.says)
					}
					if want := `Backend ["alice"] ["admin,b"] []`; method != "HEAD" && (body == want) != (row.want == 200) || strings.Contains(body, "root") {
						t.Errorf("%s, %s: %q", name, method, body)
					}
				}
			}
		}
	}
	if resp, body := g.ask("GET", "/.well-known/acme-challenge/x"); resp.StatusCode != 200 {
		t.Errorf("a challenge is answered %d %q", resp.StatusCode, body)
	}
	if resp, body := g.ask("POST", "/", "Content-Type", "application/grpc"); resp.Header.Get("Grpc-Status") != "16" || body != "" {
		t.Errorf("a gRPC client is answered %d %v %q", resp.StatusCode, resp.Header, body)
	}
}

// TestJWTFields: claims are those of the token, whatever a token before had, and what a field cannot have is not sent.
func TestJWTFields(t *testing.T) {
	i := newIssuer(t, "a")
	g := newGateway(t, with(&policy.JWT{Keys: policy.Seal(keysOf(i)), Fields: []string{"X-User=sub", "X-Groups=groups"}, Keep: true}), told)
	for claims, want := range map[string]string{
		`,"sub":"a","groups":["x","y"]`:   `["a"] ["x,y"]`,
		`,"sub":"b"`:                      `["b"] []`,
		`,"sub":"c\r\nX-Groups: root"`:    `[] []`,
		`,"groups":["x,root"]`:            `[] []`,
		`,"sub":{"a":1},"groups":"g"`:     `[] ["g"]`,
		`,"sub":"","groups":[]`:           `[] []`,
		`,"sub":"M\u00fcller","groups":7`: `["Müller"] ["7"]`,
	} {
		token := "Bearer " + i.token(claims)
		for range 3 {
			if _, body := g.ask("GET", "/", "Authorization", token, "X-User", "root", "X-Groups", "root"); body != fmt.Sprintf("Backend %s [%q]", want, token) {
				t.Errorf("%s: %s, want %s", claims, body, want)
			}
		}
	}
}

// TestJWTEnds: a token that was let in is not any more once it has expired, its key is gone, or the rules are others.
func TestJWTEnds(t *testing.T) {
	i, next := newIssuer(t, "a"), newIssuer(t, "b")
	p := func(audience string, issuers ...*issuer) *policy.Policy {
		return with(&policy.JWT{Keys: policy.Seal(keysOf(issuers...)), Audiences: []string{audience}})
	}
	g := newGateway(t, p("app", i), told)
	status := func(token string) int {
		resp, _ := g.ask("GET", "/", "Authorization", "Bearer "+token)
		return resp.StatusCode
	}
	token := i.token(`,"aud":"app"`)
	if got := []int{status(token), status(token)}; !slices.Equal(got, []int{200, 200}) {
		t.Fatalf("a good token is answered %d", got)
	}
	g.publish(p("other", i))
	if got := status(token); got != 401 {
		t.Errorf("for another audience it is answered %d", got)
	}
	g.publish(p("app", next))
	if got := status(token); got != 401 {
		t.Errorf("without its key it is answered %d", got)
	}
	g.publish(p("app", i, next))
	short := ""
	for life := 2 * time.Second; short == "" || status(short) != 200; life *= 2 { // a slow machine needs a longer one
		short = i.sign(fmt.Sprintf(`{"exp":%d,"aud":"app"}`, time.Now().Add(life).Unix()))
	}
	for end := time.Now().Add(time.Minute); status(short) != 401; {
		if time.Now().After(end) {
			t.Fatal("a token that was let in is let in for ever")
		}
	}
}

// keyServer has keys at a URL; answer may be changed.
type keyServer struct {
	*httptest.Server
	asked  atomic.Int32
	answer atomic.Pointer[http.HandlerFunc]
}

func newKeyServer(t *testing.T, answer http.HandlerFunc) *keyServer {
	s := &keyServer{}
	s.answer.Store(&answer)
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.asked.Add(1)
		(*s.answer.Load())(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

func serves(text []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(text) }
}

// TestJWTFromURL: keys are fetched once for all that ask at once and for all objects, and again for a key that is not known.
func TestJWTFromURL(t *testing.T) {
	i, next, stranger := newIssuer(t, "a"), newIssuer(t, "b"), newIssuer(t, "c")
	release := make(chan struct{})
	s := newKeyServer(t, func(w http.ResponseWriter, r *http.Request) {
		<-release
		serves(keysOf(i))(w, r)
	})
	g := newGateway(t, with(&policy.JWT{URL: s.URL}), told)
	var all sync.WaitGroup
	for n := range 20 {
		all.Go(func() {
			if resp, body := g.ask("GET", "/", "Authorization", "Bearer "+i.token(fmt.Sprintf(`,"n":%d`, n))); resp.StatusCode != 200 {
				t.Errorf("%d %q", resp.StatusCode, body)
			}
		})
	}
	// Others are served while the keys are not here.
	if resp, _ := g.ask("GET", "/"); resp.StatusCode != 401 {
		t.Errorf("a client without a token is answered %d", resp.StatusCode)
	}
	close(release)
	all.Wait()
	if n := s.asked.Load(); n != 1 {
		t.Errorf("the URL was asked %d times", n)
	}
	same := newGateway(t, with(&policy.JWT{URL: s.URL, Audiences: []string{"app"}}), told)
	if resp, _ := same.ask("GET", "/", "Authorization", "Bearer "+i.token(`,"aud":"app"`)); resp.StatusCode != 200 || s.asked.Load() != 1 {
		t.Errorf("for another object: %d, asked %d times", resp.StatusCode, s.asked.Load())
	}
	for range 5 {
		if resp, _ := g.ask("GET", "/", "Authorization", "Bearer "+next.token("")); resp.StatusCode != 401 {
			t.Errorf("an unknown key is answered %d", resp.StatusCode)
		}
		if resp, _ := g.ask("GET", "/", "Authorization", "Bearer "+stranger.token("")); resp.StatusCode != 401 {
			t.Errorf("a stranger is answered %d", resp.StatusCode)
		}
	}
	if n := s.asked.Load(); n > 2 {
		t.Errorf("strangers had the URL asked %d times", n)
	}
}

// TestJWTWithoutKeys: a URL that has no keys, for whatever reason, lets nobody in, and does not hold others up.
func TestJWTWithoutKeys(t *testing.T) {
	i := newIssuer(t, "a")
	hang := make(chan struct{})
	t.Cleanup(func() { close(hang) })
	for name, answer := range map[string]http.HandlerFunc{
		"an error": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500); _, _ = w.Write(keysOf(i)) },
		"a redirect": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://127.0.0.1:1/", http.StatusFound)
		},
		"nothing":         func(http.ResponseWriter, *http.Request) {},
		"a page":          serves([]byte("<html>")),
		"no keys":         serves([]byte(`{"keys":[]}`)),
		"a secret":        serves([]byte(`{"keys":[{"kty":"oct","kid":"a","k":"AAAA"}]}`)),
		"a broken answer": func(w http.ResponseWriter, _ *http.Request) { panic(http.ErrAbortHandler) },
		"less than it was": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "9999")
			_, _ = w.Write(keysOf(i))
		},
		"an endless answer": func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				if _, err := w.Write(make([]byte, 64<<10)); err != nil {
					return
				}
			}
		},
		"endless fields": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X", strings.Repeat("x", 1<<20))
			_, _ = w.Write(keysOf(i))
		},
		"silence": func(_ http.ResponseWriter, r *http.Request) {
			select {
			case <-r.Context().Done():
			case <-hang:
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newKeyServer(t, answer)
			g := newGateway(t, with(&policy.JWT{URL: s.URL}), told)
			for n := range 3 {
				resp, body := g.ask("GET", "/", "Authorization", "Bearer "+i.token(fmt.Sprintf(`,"n":%d`, n)))
				if resp.StatusCode != 503 || strings.Contains(body, "Backend") {
					t.Errorf("%d %q", resp.StatusCode, body)
				}
			}
			if n := s.asked.Load(); n > 6 { // a connection that breaks may be tried again by net/http
				t.Errorf("the URL was asked %d times", n)
			}
		})
	}
	dead := newGateway(t, with(&policy.JWT{URL: "http://127.0.0.1:1/"}), told)
	refused := newGateway(t, with(&policy.JWT{URL: newKeyServer(t, serves(keysOf(i))).URL, Refused: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}), told)
	for _, g := range []*gateway{dead, refused} {
		if resp, body := g.ask("GET", "/", "Authorization", "Bearer "+i.token("")); resp.StatusCode != 503 || strings.Contains(body, "Backend") {
			t.Errorf("%d %q", resp.StatusCode, body)
		}
	}
	untrusted := httptest.NewTLSServer(serves(keysOf(i)))
	t.Cleanup(untrusted.Close)
	if resp, _ := newGateway(t, with(&policy.JWT{URL: untrusted.URL}), told).ask("GET", "/", "Authorization", "Bearer "+i.token("")); resp.StatusCode != 503 {
		t.Errorf("keys of a server whose certificate nobody trusts are used: %d", resp.StatusCode)
	}
	for _, p := range []*policy.JWT{{}, {Keys: policy.Seal([]byte("{}"))}, {URL: "://"}} {
		if resp, body := newGateway(t, with(p), told).ask("GET", "/", "Authorization", "Bearer "+i.token("")); resp.StatusCode != 503 {
			t.Errorf("%+v: %d %q", p, resp.StatusCode, body)
		}
	}
}

// TestJWTOrOther: where one condition is enough, a token is one, and claims are never a client's own.
func TestJWTOrOther(t *testing.T) {
	i := newIssuer(t, "a")
	j := &policy.JWT{Keys: policy.Seal(keysOf(i)), Fields: []string{"X-User=sub"}, Keep: true}
	b := &policy.BasicAuth{Realm: "r", Users: staff()}
	list := &policy.Access{Allow: policy.Disjoint([]netip.Prefix{netip.MustParsePrefix("6.6.6.0/24")})}
	g := newGateway(t, with(&policy.AnyOf{Access: list, Basic: b, JWT: j}), told)
	token := "Bearer " + i.token(`,"sub":"alice"`)
	for _, row := range []struct {
		client, field string
		want          int
		body          string
	}{
		{"7.7.7.7", "", 401, ""},
		{"7.7.7.7", "Bearer x.y.z", 401, ""},
		{"7.7.7.7", basic("bcrypt", "no"), 401, ""},
		{"7.7.7.7", token, 200, `Backend ["alice"] [] []`}, // Basic has the field dropped, as ever
		{"7.7.7.7", basic("bcrypt", "pw"), 200, `Backend [] [] []`},
		{"6.6.6.6", "", 200, `Backend [] [] []`},
		{"6.6.6.6", "Bearer x.y.z", 200, `Backend [] [] []`},
	} {
		for range 2 {
			resp, body := g.ask("GET", "/", "X-Forwarded-For", row.client, "Authorization", row.field, "X-User", "root")
			if resp.StatusCode != row.want || row.want == 200 && body != row.body || strings.Contains(body, "root") {
				t.Errorf("%+v: %d %q", row, resp.StatusCode, body)
			}
			if says := strings.Join(resp.Header.Values("WWW-Authenticate"), "|"); row.want == 401 && (!strings.Contains(says, `Basic realm="r"`) || !strings.Contains(says, "Bearer")) {
				t.Errorf("%+v: the client is told %q", row, says)
			}
		}
	}
	all := newGateway(t, with(b, &policy.JWT{Keys: policy.Seal(keysOf(i)), Cookie: "token"}), told)
	for _, row := range []struct {
		field, cookie string
		want          int
	}{{basic("bcrypt", "pw"), i.token(""), 200}, {basic("bcrypt", "pw"), "", 401}, {"", i.token(""), 401}} {
		if resp, _ := all.ask("GET", "/", "Authorization", row.field, "Cookie", "token="+row.cookie); resp.StatusCode != row.want {
			t.Errorf("both: %+v: %d", row, resp.StatusCode)
		}
	}
}
