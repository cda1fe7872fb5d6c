package filter

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"
)

// loginProvider is one of OpenID Connect: it lets everybody in, and is strict about how it is asked. What is lies is how it breaks
// the rules itself.
type loginProvider struct {
	*httptest.Server
	t      *testing.T
	signer *issuer

	mu sync.Mutex
	// Guarded by mu:
	codes, refresh map[string]url.Values // by what a client has of them
	lifetime       int                   // of access tokens, in seconds
	claims         string
	lies           string
	refreshes      int
}

func newLoginProvider(t *testing.T) *loginProvider {
	p := &loginProvider{t: t, signer: newIssuer(t, "a"), codes: map[string]url.Values{}, refresh: map[string]url.Values{}, lifetime: 3600}
	mux := http.NewServeMux()
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		if p.lie("dead") {
			w.WriteHeader(500)
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]any{
			"issuer": p.URL, "authorization_endpoint": p.URL + "/authorize", "token_endpoint": p.URL + "/token", "jwks_uri": p.URL + "/keys",
			"id_token_signing_alg_values_supported": []string{"EdDSA"}, "end_session_endpoint": p.URL + "/end",
		})
	})
	mux.HandleFunc("/keys", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(keysOf(p.signer)) })
	mux.HandleFunc("/authorize", func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		if q.Get("response_type") != "code" || q.Get("client_id") != "app" || q.Get("code_challenge_method") != "S256" || q.Get("state") == "" || q.Get("nonce") == "" {
			w.WriteHeader(400)
			return
		}
		code := rand.Text()
		p.mu.Lock()
		p.codes[code] = q
		p.mu.Unlock()
		back, _ := url.Parse(q.Get("redirect_uri"))
		back.RawQuery = url.Values{"code": {code}, "state": {q.Get("state")}, "iss": {p.URL}}.Encode()
		http.Redirect(w, r, back.String(), http.StatusFound)
	})
	mux.HandleFunc("/token", p.token)
	p.Server = httptest.NewServer(mux)
	t.Cleanup(p.Close)
	return p
}

func (p *loginProvider) lie(what string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.lies == what
}

// set changes how the provider answers from now on.
func (p *loginProvider) set(lies, claims string, lifetime int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lies, p.claims, p.lifetime = lies, claims, lifetime
}

func (p *loginProvider) token(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	refuse := func(why string) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(400)
		fmt.Fprintf(w, `{"error":"invalid_grant","error_description":%q}`, why)
	}
	id, secret, ok := r.BasicAuth()
	if !ok {
		id, secret = r.FormValue("client_id"), r.FormValue("client_secret")
	}
	if id != "app" || secret != "its secret" {
		refuse("client")
		return
	}
	if p.lies == "token dead" {
		w.WriteHeader(500)
		return
	}
	var q url.Values
	switch r.FormValue("grant_type") {
	case "authorization_code":
		code := r.FormValue("code")
		q = p.codes[code]
		delete(p.codes, code) // one use
		sum := sha256.Sum256([]byte(r.FormValue("code_verifier")))
		if q == nil || q.Get("redirect_uri") != r.FormValue("redirect_uri") || q.Get("code_challenge") != base64.RawURLEncoding.EncodeToString(sum[:]) {
			refuse("code")
			return
		}
	case "refresh_token":
		token := r.FormValue("refresh_token")
		q = p.refresh[token]
		delete(p.refresh, token)
		if q == nil {
			refuse("refresh token")
			return
		}
		q = url.Values{}
		p.refreshes++
	default:
		refuse("grant")
		return
	}
	answer := map[string]any{"access_token": "access-" + rand.Text(), "token_type": "Bearer", "expires_in": p.lifetime}
	next := rand.Text()
	p.refresh[next] = q
	answer["refresh_token"] = next
	nonce, audience, by, subject, end := q.Get("nonce"), "app", p.signer, "alice", time.Now().Add(time.Hour).Unix()
	issuer := p.URL
	switch p.lies {
	case "nonce":
		nonce = "other"
	case "no nonce":
		nonce = ""
	case "audience":
		audience = "other"
	case "key":
		by = newIssuer(p.t, "a")
	case "issuer":
		issuer = "https://other.test"
	case "expired":
		end = 1
	case "subject":
		subject = "mallory"
	case "no subject":
		subject = ""
	}
	payload := fmt.Sprintf(`{"iss":%q,"aud":%q,"sub":%q,"exp":%d,"iat":%d,"nonce":%q%s}`, issuer, audience, subject, end, time.Now().Unix(), nonce, p.claims)
	if p.lies != "no token" {
		answer["id_token"] = by.sign(payload)
	}
	if p.lies == "unsigned" {
		answer["id_token"] = base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + "." + base64.RawURLEncoding.EncodeToString([]byte(payload)) + "."
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(answer)
}
