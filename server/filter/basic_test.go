package filter

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"github.com/sluice-gateway/sluice/routing/policy"
)

// staff has a user of each form, with the password "pw", and one whose hash is as slow as it may be.
func staff() policy.Users {
	return policy.NewUsers(map[string]string{
		"plain": "{PLAIN}pw", "colon": "{PLAIN}p:w", "sha": "{SHA}GpHWL3ymc5liWkNopqtdSjuqYHM=", "bcrypt": "$2y$05$abcdefghijklmnopqrstuuHIrMEWpUCQe2YqFR3sXwQ75u4od..9q",
		"sha512": "$6$rounds=1400$anotherlong$Ue8V2Wt9.jC6uIDQnvFB.eZ5XCSsEV6o2oe.wCwKjyDRAP/6IBimjKACHggUg/G3769odbqc6uGEnnlldpU490",
	})
}

func basic(name, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(name+":"+password))
}

// overHTTP2 returns an ask for one connection without TLS.
func (g *gateway) overHTTP2() func(method, path string, fields ...string) (*http.Response, string) {
	transport := &http.Transport{Protocols: new(http.Protocols)}
	transport.Protocols.SetUnencryptedHTTP2(true)
	g.t.Cleanup(transport.CloseIdleConnections)
	return func(method, path string, fields ...string) (*http.Response, string) {
		g.t.Helper()
		return g.askBy(transport, method, path, fields...)
	}
}

func TestBasic(t *testing.T) {
	g := newGateway(t, with(&policy.BasicAuth{Realm: "Staff only", Users: staff()}), func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "Backend %q", r.Header["Authorization"])
	})
	overHTTP2 := g.overHTTP2()
	for _, row := range []struct {
		name, field string
		want        int
	}{
		{"nothing", "", 401},
		{"plain", basic("plain", "pw"), 200},
		{"a colon in the password", basic("colon", "p:w"), 200},
		{"SHA", basic("sha", "pw"), 200},
		{"bcrypt", basic("bcrypt", "pw"), 200},
		{"SHA-512", basic("sha512", "pw"), 200},
		{"lower case", strings.Replace(basic("plain", "pw"), "Basic", "bASIC", 1), 200},
		{"more spaces", strings.Replace(basic("plain", "pw"), " ", "   ", 1), 200},
		{"no padding", strings.TrimRight(basic("plain", "pw"), "="), 200},
		{"a wrong password", basic("plain", "pwx"), 401},
		{"an empty password", basic("plain", ""), 401},
		{"somebody else's", basic("colon", "pw"), 401},
		{"nobody", basic("nobody", "pw"), 401},
		{"nobody's name", basic("", "pw"), 401},
		{"no colon", "Basic cHc=", 401},
		{"no base64", "Basic !!!", 401},
		{"no token", "Basic", 401},
		{"no space", "Basic" + basic("plain", "pw")[6:], 401},
		{"another scheme", "Bearer " + basic("plain", "pw")[6:], 401},
		{"a NUL", basic("plain", "pw\x00"), 401},
		{"a long one", basic("plain", strings.Repeat("p", 3000)), 401},
		{"a long one of one byte more than is decoded", basic("plain", strings.Repeat("p", 512)), 401},
	} {
		for range 2 { // the second time it is known
			for _, method := range []string{"GET", "HEAD", "DELETE"} {
				for _, ask := range []func(string, string, ...string) (*http.Response, string){g.ask, overHTTP2} {
					resp, body := ask(method, "/", "Authorization", row.field)
					if resp.StatusCode != row.want || strings.Contains(body, "Backend") != (row.want == 200 && method != "HEAD") || strings.Contains(body, "Basic") {
						t.Errorf("%s, %s: %d %q", row.name, method, resp.StatusCode, body)
					}
					if got := resp.Header.Get("WWW-Authenticate"); (got == `Basic realm="Staff only"`) != (row.want == 401) {
						t.Errorf("%s, %s: %q", row.name, method, got)
					}
				}
			}
		}
	}
	if resp, body := g.ask("GET", "/.well-known/acme-challenge/x"); resp.StatusCode != 200 {
		t.Errorf("a challenge is answered %d %q", resp.StatusCode, body)
	}
	if resp, _ := g.ask("GET", "/x/../.well-known/acme-challenge-not/../../"); resp.StatusCode != 401 {
		t.Errorf("a path that only looks like a challenge is answered %d", resp.StatusCode)
	}
	resp, body := g.ask("POST", "/", "Content-Type", "application/grpc")
	if resp.StatusCode != 200 || resp.Header.Get("Grpc-Status") != "16" || body != "" {
		t.Errorf("a gRPC client is answered %d %v %q", resp.StatusCode, resp.Header, body)
	}
	if resp, _ := g.ask("GET", "/", "Authorization", "", "Authorization", basic("plain", "pw")); resp.StatusCode != 401 {
		t.Errorf("the second of two fields is taken: %d", resp.StatusCode)
	}
}

// TestVerifiedEndsWithItsSecret: what one version of a Secret lets in is not let in by the next, however often it was.
func TestVerifiedEndsWithItsSecret(t *testing.T) {
	auth := func(password string) *policy.Policy {
		return with(&policy.BasicAuth{Users: policy.NewUsers(map[string]string{"u": "{PLAIN}" + password})})
	}
	g := newGateway(t, auth("0"), func(http.ResponseWriter, *http.Request) {})
	for i := range 5 {
		old, now := fmt.Sprint(i), fmt.Sprint(i+1)
		for range 3 {
			if resp, _ := g.ask("GET", "/", "Authorization", basic("u", old)); resp.StatusCode != 200 {
				t.Fatalf("%d", resp.StatusCode)
			}
		}
		g.publish(auth(now))
		if resp, _ := g.ask("GET", "/", "Authorization", basic("u", old)); resp.StatusCode != 401 {
			t.Fatalf("an old password is answered %d", resp.StatusCode)
		}
	}
	g.publish(with(&policy.BasicAuth{}))
	if resp, _ := g.ask("GET", "/", "Authorization", basic("u", "5")); resp.StatusCode != 401 {
		t.Errorf("nobody is let in with %d", resp.StatusCode)
	}
	g.publish(with(&policy.BasicAuth{Users: policy.NewUsers(map[string]string{"u": "what is no hash"})}))
	if resp, _ := g.ask("GET", "/", "Authorization", basic("u", "what is no hash")); resp.StatusCode != 503 {
		t.Errorf("a hash that cannot be read is answered %d", resp.StatusCode)
	}
}

// TestManyPasswords: guesses from many connections are refused, and none takes another's place or answer.
func TestManyPasswords(t *testing.T) {
	g := newGateway(t, with(&policy.BasicAuth{Users: staff()}), func(http.ResponseWriter, *http.Request) {})
	var all sync.WaitGroup
	for i := range 40 {
		all.Go(func() {
			password, want := "pw", 200
			if i%2 == 0 {
				password, want = fmt.Sprint("pw", i), 401
			}
			resp, _ := g.ask("GET", "/", "Authorization", basic("bcrypt", password))
			if resp.StatusCode != want {
				t.Errorf("%q: %d", password, resp.StatusCode)
			}
		})
	}
	all.Wait()
}

// TestSatisfy: the list and the password, both or either.
func TestSatisfy(t *testing.T) {
	list := &policy.Access{Allow: policy.Disjoint([]netip.Prefix{netip.MustParsePrefix("6.6.6.0/24")})}
	b := &policy.BasicAuth{Realm: "r", Users: staff()}
	app := func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Header.Get("Authorization")) }
	both, either := newGateway(t, with(list, b), app), newGateway(t, with(&policy.AnyOf{Access: list, Basic: b}), app)
	for _, row := range []struct {
		path, client, field string
		both, either        int
	}{
		{"/", "6.6.6.6", basic("bcrypt", "pw"), 200, 200},
		{"/", "6.6.6.6", basic("bcrypt", "no"), 401, 200},
		{"/", "6.6.6.6", "", 401, 200},
		{"/", "7.7.7.7", basic("bcrypt", "pw"), 403, 200},
		{"/", "7.7.7.7", basic("bcrypt", "no"), 403, 401},
		{"/", "7.7.7.7", "", 403, 401},
		{"/.well-known/acme-challenge/x", "6.6.6.6", "", 200, 200},
		{"/.well-known/acme-challenge/x", "7.7.7.7", "", 403, 403}, // the list is what is left
	} {
		for range 2 {
			for _, side := range []struct {
				g    *gateway
				want int
			}{{both, row.both}, {either, row.either}} {
				resp, body := side.g.ask("GET", row.path, "X-Forwarded-For", row.client, "Authorization", row.field)
				challenge := ""
				if side.want == 401 {
					challenge = `Basic realm="r"`
				}
				if resp.StatusCode != side.want || resp.Header.Get("WWW-Authenticate") != challenge || strings.Contains(body, "Basic") {
					t.Errorf("%v: %d, want %d; %q %q", row, resp.StatusCode, side.want, resp.Header.Get("WWW-Authenticate"), body)
				}
			}
		}
	}
}

// TestDenyIsNoLeave: where any condition is enough, not to be denied is none.
func TestDenyIsNoLeave(t *testing.T) {
	g := newGateway(t, with(&policy.AnyOf{
		Access: &policy.Access{Deny: policy.Disjoint([]netip.Prefix{netip.MustParsePrefix("6.6.6.0/24")})}, Basic: &policy.BasicAuth{Users: staff()},
	}), func(http.ResponseWriter, *http.Request) {})
	for _, row := range []struct {
		path, client, field string
		want                int
	}{
		{"/", "7.7.7.7", "", 401},
		{"/", "6.6.6.6", "", 401},
		{"/", "7.7.7.7", basic("plain", "pw"), 200},
		{"/", "6.6.6.6", basic("plain", "pw"), 200},
		{"/.well-known/acme-challenge/x", "7.7.7.7", "", 200},
		{"/.well-known/acme-challenge/x", "6.6.6.6", "", 403},
	} {
		if resp, _ := g.ask("GET", row.path, "X-Forwarded-For", row.client, "Authorization", row.field); resp.StatusCode != row.want {
			t.Errorf("%v: %d", row, resp.StatusCode)
		}
	}
}
