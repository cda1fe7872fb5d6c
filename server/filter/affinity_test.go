package filter

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/routing"
	"github.com/sluice-gateway/sluice/routing/policy"
)

// visit sends a request with a session cookie, "" for none, and returns who answered, and the value of the cookie that was set.
func (f *fork) visit(cookie string, fields ...string) (body, set string) {
	f.t.Helper()
	if cookie != "" {
		fields = append(fields, "Cookie", "a=b; INGRESSCOOKIE="+cookie)
	}
	resp, body := f.ask("GET", "/x", fields...)
	if resp.StatusCode != 200 {
		f.t.Fatalf("with cookie %.50q: %d %s", cookie, resp.StatusCode, body)
	}
	for _, c := range resp.Cookies() {
		if c.Name == "INGRESSCOOKIE" {
			set = c.Value
		}
	}
	return body, set
}

var sticky = policy.Affinity{Cookie: "INGRESSCOOKIE"}

// TestAffinity: a client stays where its cookie says, whatever else it sends, and is sent a cookie once.
func TestAffinity(t *testing.T) {
	valid := regexp.MustCompile(`^[0-9a-f]{32}\|[0-9a-f]{32}$`)
	for _, persistent := range []bool{false, true} {
		a := sticky
		a.Persistent = persistent
		f := newFork(t, nil, with(&a), 4)
		names := map[string]string{} // by cookie
		for range 40 {
			body, cookie := f.visit("")
			if !valid.MatchString(cookie) {
				t.Fatalf("persistent %v: cookie %q", persistent, cookie)
			}
			if known := names[cookie]; known != "" && (!persistent || known != body) {
				t.Errorf("persistent %v: cookie %q is of %s and %s", persistent, cookie, known, body)
			}
			names[cookie] = body
		}
		if persistent && len(names) != 4 || !persistent && len(names) != 40 {
			t.Errorf("persistent %v: %d cookies", persistent, len(names))
		}
		for cookie, name := range names {
			for range 3 {
				if body, set := f.visit(cookie); body != name || set != "" {
					t.Errorf("persistent %v: cookie of %s leads to %s, and %q is set", persistent, name, body, set)
				}
			}
			for _, two := range []bool{false, true} {
				resp, body := f.over(two, "GET", "a.test", "/", "Cookie", "x=y", "Cookie", "INGRESSCOOKIE="+cookie)
				if body != name || len(resp.Cookies()) > 0 {
					t.Errorf("persistent %v, HTTP/2 %v: cookie of %s leads to %s", persistent, two, name, body)
				}
			}
		}
	}
}

// TestAffinityOutlivesChanges: clients move when their Endpoint leaves, and when one comes, to that alone; in persistent mode
// they stay. Their cookies are changed in persistent mode only, where they name nobody any more.
func TestAffinityOutlivesChanges(t *testing.T) {
	for _, persistent := range []bool{false, true} {
		a := sticky
		a.Persistent = persistent
		f := newFork(t, nil, with(&a), 6)
		all := f.endpoints[0]
		f.endpoints[0] = all[:4]
		f.update(nil, with(&a))
		names := map[string]string{}
		for range 200 {
			body, cookie := f.visit("")
			names[cookie] = body
		}
		f.endpoints[0] = all[1:4] // main0 leaves
		f.update(nil, with(&a))
		next := map[string]string{}
		for cookie, name := range names {
			body, set := f.visit(cookie)
			if body == "main0" || (body != name) != (name == "main0") || (set != "") != (persistent && name == "main0") {
				t.Errorf("persistent %v: without main0, a client of %s is at %s, and %q is set", persistent, name, body, set)
			}
			if set != "" {
				cookie = set
			}
			next[cookie] = body
		}
		f.endpoints[0] = all[1:] // main4 and main5 come
		f.update(nil, with(&a))
		moved := 0
		for cookie, name := range next {
			body, set := f.visit(cookie)
			if body != name {
				moved++
			}
			if set != "" || body != name && (persistent || body != "main4" && body != "main5") {
				t.Errorf("persistent %v: with two more, a client of %s is at %s, and %q is set", persistent, name, body, set)
			}
		}
		if !persistent && (moved < 40 || moved > 120) {
			t.Errorf("%d of 200 clients moved to two of five Endpoints that came", moved)
		}
	}
}

// TestAffinityWhileAnEndpointFails: another Endpoint answers, and the client keeps its cookie, or gets that of the other one.
func TestAffinityWhileAnEndpointFails(t *testing.T) {
	for _, row := range []struct{ persistent, change bool }{{}, {persistent: true}, {change: true}, {true, true}} {
		a := sticky
		a.Persistent, a.ChangeOnFailure = row.persistent, row.change
		f := newFork(t, nil, with(&a), 3)
		cookies := map[string]string{} // by Endpoint
		for len(cookies) < 3 {
			body, cookie := f.visit("")
			cookies[body] = cookie
		}
		f.apps[0][1].Close()
		body, set := f.visit(cookies["main1"])
		if body == "main1" || (set != "") != row.change {
			t.Errorf("%+v: %s answers, and %q is set", row, body, set)
		}
		if row.change {
			for range 5 {
				if again, set := f.visit(set); again != body || set != "" {
					t.Errorf("%+v: the new cookie of %s leads to %s, and %q is set", row, body, again, set)
				}
			}
		}
		for range 10 { // the Endpoint is ejected meanwhile
			if body, _ := f.visit(cookies["main1"]); body == "main1" {
				t.Errorf("%+v: a closed Endpoint answers", row)
			}
			if body, set := f.visit(cookies["main0"]); body != "main0" || set != "" {
				t.Errorf("%+v: a client of another Endpoint is at %s, and %q is set", row, body, set)
			}
			if body, set := f.visit(""); body == "main1" || set == "" {
				t.Errorf("%+v: a new client is at %s, and %q is set", row, body, set)
			}
		}
	}
}

// TestSessionCookie: the attributes.
func TestSessionCookie(t *testing.T) {
	const old = "Mozilla/5.0 Chrome/55.0"
	none := policy.Affinity{Cookie: "s", SameSite: "None", KnownNone: true}
	for _, row := range []struct {
		config policy.Affinity
		agent  string
		want   string // behind the value
	}{
		{policy.Affinity{Cookie: "s"}, "", `; Path=/shop; HttpOnly`},
		{policy.Affinity{Cookie: "s", Path: "/a", Domain: "a.test", MaxAge: "600", Secure: true, SameSite: "Lax"}, "", `; Max-Age=600; Domain=a\.test; Path=/a; Secure; HttpOnly; SameSite=Lax`},
		{policy.Affinity{Cookie: "s", Expires: "3600"}, "", `; Expires=([A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} [\d:]{8} GMT); Path=/shop; HttpOnly`},
		{policy.Affinity{Cookie: "s", Expires: "-1", MaxAge: "-1"}, "", `; Expires=.* GMT; Max-Age=-1; Path=/shop; HttpOnly`},
		{policy.Affinity{Cookie: "s", SameSite: "None"}, old, `; Path=/shop; HttpOnly; SameSite=None`},
		{none, "", `; Path=/shop; HttpOnly; SameSite=None`},
		{none, "Mozilla/5.0 Chrome/99.0", `; Path=/shop; HttpOnly; SameSite=None`},
		{none, old, `; Path=/shop; HttpOnly`},
		{none, "(iPhone; CPU iPhone OS 12_1)", `; Path=/shop; HttpOnly`},
		{none, "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_14_6) AppleWebKit/605 Version/12.1 Safari/605", `; Path=/shop; HttpOnly`},
		{none, "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_14_6) AppleWebKit/537 Chrome/99 Safari/537", `; Path=/shop; HttpOnly; SameSite=None`},
	} {
		g := newGatewayOf(t, with(&row.config), func(w http.ResponseWriter, _ *http.Request) {
			http.SetCookie(w, &http.Cookie{Name: "own", Value: "1"})
			fmt.Fprint(w, "served")
		}, func(b *routing.Builder, of *routing.Source) (*routing.Host, *routing.Route) {
			host, _ := b.BuildHost("", []routing.Route{{Path: "/shop", Type: routing.Prefix, Source: of}})
			return host, nil
		})
		for _, two := range []bool{false, true} {
			for _, method := range []string{"GET", "HEAD"} {
				resp, _ := g.over(two, method, "a.test", "/shop/x", "User-Agent", row.agent)
				got := strings.Join(resp.Header["Set-Cookie"], "\n")
				m := regexp.MustCompile(`^own=1\ns=[0-9a-f]{32}\|[0-9a-f]{32}` + row.want + "$").FindStringSubmatch(got)
				if m == nil {
					t.Errorf("%+v, HTTP/2 %v, %s: got %q", row, two, method, got)
				} else if len(m) > 1 {
					if at, err := time.Parse(http.TimeFormat, m[1]); err != nil || time.Until(at) < 50*time.Minute || time.Until(at) > time.Hour {
						t.Errorf("Expires=%s: %v", m[1], err)
					}
				}
			}
		}
	}
}

// TestSessionCookieOfAPath: whatever the path of a Route, the cookie has one attribute for it.
func TestSessionCookieOfAPath(t *testing.T) {
	for path, want := range map[string]string{"/": "/", "/a;Domain=evil.test": "/a%3BDomain=evil.test", "/caf\u00e9": "/caf%C3%A9", "/a b": "/a%20b"} {
		g := newGatewayOf(t, with(&policy.Affinity{Cookie: "s"}), func(http.ResponseWriter, *http.Request) {},
			func(b *routing.Builder, of *routing.Source) (*routing.Host, *routing.Route) {
				host, _ := b.BuildHost("", []routing.Route{{Path: path, Type: routing.Prefix, Source: of}})
				return host, nil
			})
		resp, _ := g.ask("GET", strings.NewReplacer(" ", "%20", "\u00e9", "%C3%A9").Replace(path))
		if got := resp.Header.Get("Set-Cookie"); !strings.HasSuffix(got, "; Path="+want+"; HttpOnly") {
			t.Errorf("%s: got %q", path, got)
		}
	}
}

// TestHostileCookies: any value is answered, and none leads out of the Backend.
func TestHostileCookies(t *testing.T) {
	for _, persistent := range []bool{false, true} {
		a := sticky
		a.Persistent = persistent
		f := newFork(t, weights(50, 50), with(&a, &policy.Canary{Header: "X-Canary"}), 2, 2)
		_, good := f.visit("")
		for _, value := range []string{
			"|", "||", "|" + good, good + "|", strings.ToUpper(good), "made-up", "made-up|made-up", strings.Repeat("a", 6000), strings.Repeat("|", 3000),
			strings.Repeat("f", 32), strings.Repeat("g", 32) + "|" + strings.Repeat("0", 32), "..%2f..%2f", "127.0.0.1:22", "=", "\"" + good + "\"", "\x80\xff",
		} {
			if _, set := f.visit(value); persistent && set == "" && !strings.EqualFold(strings.Trim(value, "|"), good) {
				t.Errorf("persistent: cookie %.40q names nobody, and none is set", value)
			}
		}
		if _, set := f.visit("", "Cookie", "ingresscookie="+good); set == "" {
			t.Errorf("persistent %v: a cookie of another name counts", persistent)
		}
	}
}

// TestAffinityAndCanary: a client stays at the Backend of its cookie, whatever it asks for; a canary without sessions has none.
func TestAffinityAndCanary(t *testing.T) {
	for _, persistent := range []bool{false, true} {
		a := sticky
		a.Persistent = persistent
		p := with(&a, &policy.Canary{Header: "X-Canary"})
		f := newFork(t, weights(100, 0), p, 2, 2)
		atMain, main := f.visit("", "X-Canary", "never")
		atCanary, canary := f.visit("", "X-Canary", "always")
		if !strings.HasPrefix(atMain, "main") || !strings.HasPrefix(atCanary, "canary") || main == "" || canary == "" {
			t.Fatalf("got %s and %s", atMain, atCanary)
		}
		for _, asked := range []string{"always", "never", "x"} {
			if body, set := f.visit(main, "X-Canary", asked); body != atMain || set != "" {
				t.Errorf("a client of %s that asks %s is at %s, and %q is set", atMain, asked, body, set)
			}
			if body, set := f.visit(canary, "X-Canary", asked); body != atCanary || set != "" {
				t.Errorf("a client of %s that asks %s is at %s, and %q is set", atCanary, asked, body, set)
			}
		}
		// Where the canary has lost its Endpoints, its clients are the main Backend's.
		f.endpoints[1] = nil
		f.update(weights(100, 0), p)
		if body, set := f.visit(canary); !strings.HasPrefix(body, "main") || (set != "") != persistent {
			t.Errorf("persistent %v: without its canary a client is at %s, and %q is set", persistent, body, set)
		}
	}
	split := weights(100, 0)
	split.Shares[1].Loose = true
	f := newFork(t, split, with(&sticky, &policy.Canary{Header: "X-Canary"}), 2, 2)
	if body, set := f.visit("", "X-Canary", "always"); !strings.HasPrefix(body, "canary") || set != "" {
		t.Errorf("without sessions: at %s, and %q is set", body, set)
	}
	body, main := f.visit("", "X-Canary", "x")
	if again, _ := f.visit(main, "X-Canary", "always"); again != body {
		t.Errorf("a client of %s goes to %s", body, again)
	}
}

// TestNoSessionWithoutAnEndpoint: an answer of the gateway's own sets no cookie.
func TestNoSessionWithoutAnEndpoint(t *testing.T) {
	f := newFork(t, nil, with(&sticky, &policy.BasicAuth{Realm: "r", Users: staff()}), 0)
	for status, fields := range map[int][]string{401: nil, 503: {"Authorization", basic("plain", "pw")}} {
		if resp, _ := f.ask("GET", "/", fields...); resp.StatusCode != status || len(resp.Cookies()) > 0 {
			t.Errorf("got %d with %v", resp.StatusCode, resp.Cookies())
		}
	}
}

// TestHash: requests for which the text is equal go to one Endpoint, or to as many as a subset has.
func TestHash(t *testing.T) {
	for _, row := range []struct {
		template string
		among    int
		key      []string
		want     int
	}{
		{"$http_x_user", 0, []string{"X-User", "u"}, 1},
		{"$cookie_sid$host", 1, []string{"Cookie", "sid=4"}, 1},
		{"${arg_k}-$request_method", 0, nil, 1},
		{"$remote_addr$binary_remote_addr", 0, []string{"X-Forwarded-For", "192.0.2.1"}, 1},
		{"fixed", 0, nil, 1},
		{"$http_nothing", 0, nil, 1},
		{"$http_x_user", 3, []string{"X-User", "u"}, 3},
		{"$http_x_user", 64, []string{"X-User", "u"}, 5},
	} {
		f := newFork(t, nil, with(&policy.Hash{Template: row.template, Among: row.among}), 5)
		seen := map[string]bool{}
		for i := range 60 {
			_, body := f.over(i%2 == 0, "GET", "a.test", "/?k=v", row.key...)
			seen[body] = true
		}
		if len(seen) != row.want {
			t.Errorf("%+v: %v", row, seen)
		}
	}
	f := newFork(t, nil, with(&policy.Hash{Template: "$request_uri"}), 5)
	seen := map[string]bool{}
	for i := range 60 {
		_, body := f.ask("GET", fmt.Sprint("/", i))
		seen[body] = true
	}
	if len(seen) != 5 {
		t.Errorf("60 texts go to %d of 5 Endpoints", len(seen))
	}
	// A session counts more.
	f = newFork(t, nil, with(&policy.Hash{Template: "fixed"}, &sticky), 5)
	clear(seen)
	for range 60 {
		body, _ := f.visit("")
		seen[body] = true
	}
	if len(seen) != 5 {
		t.Errorf("beside a hash, new clients go to %d of 5 Endpoints", len(seen))
	}
}
