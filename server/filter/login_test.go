package filter

import (
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/routing/policy"
)

// sealKey is a key of sessions.
func sealKey(c byte) policy.Sealed { return policy.Seal(slices.Repeat([]byte{c}, 32)) }

func loginAt(p *loginProvider) *policy.Login {
	return &policy.Login{
		Issuer: p.URL, Client: "app", Secret: "default/login", ClientSecret: policy.Seal([]byte("its secret")), Key: sealKey('a'), Scopes: []string{"openid"},
		Fields: []string{"X-User=sub", "X-Groups=groups"}, Session: time.Hour,
	}
}

// browser follows redirects and keeps cookies, like one.
type browser struct {
	t *testing.T
	*http.Client
	base string
}

func newBrowser(t *testing.T, g *gateway) *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &browser{t, &http.Client{Jar: jar, Transport: &http.Transport{}}, g.base}
}

func (b *browser) get(path string) (*http.Response, string) {
	b.t.Helper()
	resp, err := b.Get(b.base + path)
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return resp, string(body)
}

// cookies are those that the browser has for the gateway.
func (b *browser) cookies() (list []*http.Cookie) {
	at, _ := url.Parse(b.base)
	return b.Jar.Cookies(at)
}

// toldCookies answers with what the Backend was sent.
func toldCookies(w http.ResponseWriter, r *http.Request) {
	fmt.Fprintf(w, "Backend %s %q %q %q %q", r.RequestURI, r.Header["X-User"], r.Header["X-Groups"], r.Header["Cookie"], r.Header["Authorization"])
}

// TestLogin: a person signs in, comes back to where they wanted to go, is known from then on, and signs out.
func TestLogin(t *testing.T) {
	p := newLoginProvider(t)
	p.set("", `,"groups":["a","b"]`, 3600)
	g := newGateway(t, with(loginAt(p)), toldCookies)
	b := newBrowser(t, g)
	for _, path := range []string{"/a/b?c=d&e=%20f", "/", "//other.test/x", "/\\other.test"} {
		b.Jar, _ = cookiejar.New(nil)
		for range 3 {
			resp, body := b.get(path)
			if at := resp.Request.URL; resp.StatusCode != 200 || "http://"+at.Host != g.base || body != fmt.Sprintf(`Backend %s ["alice"] ["a,b"] [] []`, at.RequestURI()) {
				t.Errorf("%s: %d at %s: %q", path, resp.StatusCode, at, body)
			}
		}
	}
	// What a client says of itself is not what the Backend is told, and other cookies are.
	req, _ := http.NewRequest("POST", g.base+"/", nil)
	req.Header.Set("X-User", "root")
	req.Header.Set("x_groups", "root")
	req.Header.Set("Cookie", "other=1")
	resp, err := b.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(resp.Body)
	if string(body) != `Backend / ["alice"] ["a,b"] ["other=1"] []` {
		t.Errorf("%q", body)
	}
	for _, c := range b.cookies() {
		if strings.Contains(c.Value, "alice") || strings.Contains(c.Value, "YWxpY2") {
			t.Errorf("a cookie can be read: %s", c)
		}
	}
	b.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	resp, _ = b.get("/oauth2/logout")
	if to := resp.Header.Get("Location"); resp.StatusCode != 302 || !strings.HasPrefix(to, p.URL+"/end?client_id=app&post_logout_redirect_uri=") || len(b.cookies()) != 0 {
		t.Errorf("logout: %d %s %v", resp.StatusCode, to, b.cookies())
	}
	if resp, body := b.get("/"); resp.StatusCode != 302 || strings.Contains(body, "Backend") {
		t.Errorf("behind a logout: %d %q", resp.StatusCode, body)
	}
}

// TestLoginIsForPages: what cannot follow to the provider is told so, and nothing of the Backend.
func TestLoginIsForPages(t *testing.T) {
	p := newLoginProvider(t)
	g := newGateway(t, with(loginAt(p)), toldCookies)
	overHTTP2 := g.overHTTP2()
	for range 2 { // before the provider is known, and then
		for _, ask := range []func(string, string, ...string) (*http.Response, string){g.ask, overHTTP2} {
			for _, row := range []struct {
				method string
				fields []string
				want   int
			}{
				{"GET", nil, 302}, {"HEAD", nil, 302}, {"GET", []string{"Sec-Fetch-Mode", "navigate"}, 302},
				{"POST", nil, 401}, {"OPTIONS", nil, 401}, {"GET", []string{"Sec-Fetch-Mode", "cors"}, 401}, {"GET", []string{"X-Requested-With", "XMLHttpRequest"}, 401},
			} {
				resp, body := ask(row.method, "/a", row.fields...)
				if resp.StatusCode != row.want || strings.Contains(body, "Backend") || resp.Header.Get("Cache-Control") != "no-store" {
					t.Errorf("%+v: %d %v %q", row, resp.StatusCode, resp.Header, body)
				}
				q, _ := url.Parse(resp.Header.Get("Location"))
				if row.want == 302 && (q.Query().Get("redirect_uri") != g.base+"/oauth2/callback" || q.Query().Get("scope") != "openid") {
					t.Errorf("%+v: to %s", row, q)
				}
			}
		}
	}
	if resp, _ := g.ask("GET", "/.well-known/acme-challenge/x"); resp.StatusCode != 200 {
		t.Errorf("a challenge is answered %d", resp.StatusCode)
	}
	if resp, _ := g.ask("GET", "/", "X-Forwarded-Proto", "https"); !strings.Contains(resp.Header.Get("Set-Cookie"), "; HttpOnly; SameSite=Lax; Secure") || !strings.Contains(resp.Header.Get("Location"), "redirect_uri=https%3A") {
		t.Errorf("over TLS: %v", resp.Header)
	}
}

// TestLoginLies: a provider that breaks the rules, or does not answer, lets nobody in.
func TestLoginLies(t *testing.T) {
	for _, row := range []struct {
		lie  string
		want int
	}{
		{"nonce", 403}, {"no nonce", 403}, {"audience", 403}, {"key", 403}, {"issuer", 403}, {"expired", 403}, {"no subject", 403}, {"no token", 403}, {"unsigned", 403},
		{"dead", 503}, {"token dead", 503},
	} {
		p := newLoginProvider(t)
		p.set(row.lie, "", 3600)
		b := newBrowser(t, newGateway(t, with(loginAt(p)), toldCookies))
		if resp, body := b.get("/"); resp.StatusCode != row.want || strings.Contains(body, "Backend") {
			t.Errorf("%s: %d %q", row.lie, resp.StatusCode, body)
		}
	}
	p := newLoginProvider(t)
	for name, change := range map[string]func(*policy.Login){
		"no provider":        func(l *policy.Login) { l.Issuer = "http://127.0.0.1:1" },
		"a refused address":  func(l *policy.Login) { l.Refused = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")} },
		"another's name":     func(l *policy.Login) { l.Issuer += "/" },
		"no key":             func(l *policy.Login) { l.Key = policy.Sealed{} },
		"a short key":        func(l *policy.Login) { l.Key = policy.Seal([]byte("short")) },
		"no client":          func(l *policy.Login) { l.Client = "" },
		"a claim it has not": func(l *policy.Login) { l.Claims = []string{"groups=admin"} },
		"another secret":     func(l *policy.Login) { l.ClientSecret = policy.Seal([]byte("wrong")) },
	} {
		l := loginAt(p)
		change(l)
		b := newBrowser(t, newGateway(t, with(l), toldCookies))
		if resp, body := b.get("/"); resp.StatusCode != 503 && resp.StatusCode != 403 || strings.Contains(body, "Backend") {
			t.Errorf("%s: %d %q", name, resp.StatusCode, body)
		}
	}
}

// TestLoginCallback: an answer of the provider is taken by the browser that has asked, once, and by no other.
func TestLoginCallback(t *testing.T) {
	p := newLoginProvider(t)
	g := newGateway(t, with(loginAt(p)), toldCookies)
	stop := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	b, mallory := newBrowser(t, g), newBrowser(t, g)
	b.CheckRedirect, mallory.CheckRedirect = stop, stop
	back := func(b *browser) string { // where the provider sends the browser back to
		resp, _ := b.get("/a")
		resp, err := b.Get(resp.Header.Get("Location"))
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimPrefix(resp.Header.Get("Location"), g.base)
	}
	status := func(b *browser, path string) int {
		resp, body := b.get(path)
		if strings.Contains(body, "Backend") {
			t.Errorf("%s shows the Backend", path)
		}
		return resp.StatusCode
	}
	theirs, own := back(mallory), back(b)
	state := func(path string) string { u, _ := url.Parse(path); return u.Query().Get("state") }
	for _, path := range []string{
		theirs, // an attacker's session for a victim
		"/oauth2/callback", "/oauth2/callback?code=x", "/oauth2/callback?state=x&code=y", "/oauth2/callback?state=&code=y", "/oauth2/callback?%zz",
		"/oauth2/callback?state=" + state(own) + "&state=x&code=y", "/oauth2/callback?state=" + state(own) + "&code=x&code=y",
		"/oauth2/callback?error=access_denied&state=" + state(own), "/oauth2/callback?state=" + state(own), own + "&iss=http://other.test",
		"/oauth2/callback?code=x&iss=http://other.test&state=" + state(own), "/oauth2/callback?code=guess&state=" + state(own),
	} {
		if got := status(b, path); got != 403 && got != 400 {
			t.Errorf("%s: %d", path, got)
		}
	}
	if got := status(b, own); got != 302 {
		t.Errorf("its own answer: %d", got)
	}
	if got := status(b, own); got != 403 {
		t.Errorf("its own answer, again: %d", got)
	}
	if resp, _ := g.ask("POST", own); resp.StatusCode != 400 {
		t.Errorf("by POST: %d", resp.StatusCode)
	}
	// Two tabs.
	one, two := newBrowser(t, g), newBrowser(t, g)
	one.CheckRedirect, two.Jar, two.CheckRedirect = stop, one.Jar, stop
	first, second := back(one), back(two)
	for state(second)[0]%4 == state(first)[0]%4 { // the same place by chance: the older one is lost
		first, second = back(one), back(two)
	}
	if a, b := status(one, first), status(two, second); a != 302 || b != 302 {
		t.Errorf("two tabs: %d and %d", a, b)
	}
}

// TestLoginCookies: a cookie that was changed, is another Login's, or sealed with a key that is gone, is none.
func TestLoginCookies(t *testing.T) {
	p := newLoginProvider(t)
	l := loginAt(p)
	g := newGateway(t, with(l), toldCookies)
	b := newBrowser(t, g)
	b.get("/")
	cookies := b.cookies()
	if len(cookies) != 1 {
		t.Fatalf("%v", cookies)
	}
	name, value := cookies[0].Name, cookies[0].Value
	status := func(value string) int {
		resp, body := g.ask("GET", "/", "Cookie", name+"="+value)
		if (resp.StatusCode == 200) != strings.Contains(body, "Backend") {
			t.Errorf("%d %q", resp.StatusCode, body)
		}
		return resp.StatusCode
	}
	for _, bad := range []string{"", "1", value[:len(value)-1], value + "A", "2" + value[1:], "9" + value[1:], "0" + value[1:], value[1:], value[:len(value)/2] + "A" + value[len(value)/2+1:] + "A",
		strings.ToUpper(value), "1" + strings.Repeat("A", 3000)} {
		if got := status(bad); got != 302 {
			t.Errorf("%.20s...: %d", bad, got)
		}
	}
	if got := status(value); got != 200 {
		t.Errorf("the session itself: %d", got)
	}
	change := func(f func(*policy.Login)) {
		next := *l
		f(&next)
		g.publish(with(&next))
	}
	change(func(l *policy.Login) { l.Key, l.OldKey = sealKey('b'), sealKey('a') })
	resp, _ := g.ask("GET", "/", "Cookie", name+"="+value)
	if anew := resp.Cookies(); resp.StatusCode != 200 || len(anew) != 1 || anew[0].Name != name || anew[0].Value == value {
		t.Fatalf("with the key before: %d %v", resp.StatusCode, anew)
	}
	next := resp.Cookies()[0].Value
	change(func(l *policy.Login) { l.Key = sealKey('b') })
	if a, b := status(value), status(next); a != 302 || b != 200 {
		t.Errorf("once that is gone: %d, and %d with the new one", a, b)
	}
	for what, f := range map[string]func(*policy.Login){
		"other claims": func(l *policy.Login) { l.Claims = []string{"groups=admin"} }, "other fields": func(l *policy.Login) { l.Fields = nil },
		"another client": func(l *policy.Login) { l.Client = "other" }, "another Secret": func(l *policy.Login) { l.Secret = "default/other" }, "other scopes": func(l *policy.Login) { l.Scopes = []string{"openid", "x"} },
	} {
		change(func(l *policy.Login) { l.Key = sealKey('b'); f(l) })
		if got := status(next); got != 302 {
			t.Errorf("with %s: %d", what, got)
		}
	}
}

// TestLargeSession: a session that is too large for one cookie has several, and one that is too large for all is none.
func TestLargeSession(t *testing.T) {
	p := newLoginProvider(t)
	for size, want := range map[int]int{100: 1, 5000: 2, 8000: 4, 20000: 0} {
		p.set("", `,"groups":"`+strings.Repeat("g", size)+`"`, 3600)
		b := newBrowser(t, newGateway(t, with(loginAt(p)), func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprint(w, "Backend", len(r.Header.Get("X-Groups")), r.Header["Cookie"])
		}))
		for range 2 {
			resp, body := b.get("/")
			if n := len(b.cookies()); want > 0 && (resp.StatusCode != 200 || body != fmt.Sprint("Backend", size, []string{}) || n == 0 || n > want) || want == 0 && resp.StatusCode != 500 {
				t.Errorf("%d: %d %.40q, %d cookies", size, resp.StatusCode, body, n)
			}
		}
	}
}

// TestLoginRenewal: tokens that expire are renewed once for all requests of a session, and for nobody else.
func TestLoginRenewal(t *testing.T) {
	p := newLoginProvider(t)
	p.set("", "", 1)
	l := loginAt(p)
	l.ForwardToken = true
	b := newBrowser(t, newGateway(t, with(l), toldCookies))
	_, before := b.get("/")
	if !strings.Contains(before, `["alice"] [] [] ["Bearer access-`) {
		t.Fatalf("%q", before)
	}
	p.set("", "", 3600)
	waitFor(t, "renewal", func() bool { _, now := b.get("/"); return now != before && strings.Contains(now, `["alice"]`) })
	if _, after := b.get("/"); !strings.Contains(after, `["alice"]`) || p.count() != 1 {
		t.Errorf("%q, renewed %d times", after, p.count())
	}

	for lie, want := range map[string]int{"subject": 302, "key": 302, "token dead": 503} {
		p.set("", "", 1)
		b := newBrowser(t, newGateway(t, with(l), toldCookies))
		b.get("/")
		p.set(lie, "", 3600)
		b.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		waitFor(t, lie, func() bool { resp, _ := b.get("/"); return resp.StatusCode == want })
		p.set("", "", 3600)
	}

	p.set("", "", 1)
	many := newBrowser(t, newGateway(t, with(l), toldCookies))
	_, before = many.get("/")
	p.set("", "", 3600)
	from := p.count()
	cookies := many.cookies()
	waitFor(t, "renewal for many", func() bool {
		var all sync.WaitGroup
		var mu sync.Mutex
		seen := map[string]bool{}
		for range 10 {
			all.Go(func() {
				req, _ := http.NewRequest("GET", many.base+"/", nil)
				for _, c := range cookies {
					req.AddCookie(c)
				}
				resp, err := http.DefaultTransport.RoundTrip(req)
				if err != nil {
					t.Error(err)
					return
				}
				defer resp.Body.Close()
				body, _ := io.ReadAll(resp.Body)
				mu.Lock()
				seen[string(body)] = true
				mu.Unlock()
			})
		}
		all.Wait()
		return len(seen) == 1 && !seen[before]
	})
	if n := p.count() - from; n != 1 {
		t.Errorf("a session was renewed %d times", n)
	}
}

func (p *loginProvider) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.refreshes
}

func waitFor(t *testing.T, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !done(); {
		if time.Now().After(end) {
			t.Fatalf("no %s within a minute", what)
		}
	}
}

// TestLoginOrOther: where one condition is enough, who meets another one is not sent to sign in, and who meets none is.
func TestLoginOrOther(t *testing.T) {
	p := newLoginProvider(t)
	g := newGateway(t, with(&policy.AnyOf{
		Access: &policy.Access{Allow: policy.Disjoint([]netip.Prefix{netip.MustParsePrefix("6.6.6.0/24")})}, Basic: &policy.BasicAuth{Users: staff()}, Login: loginAt(p),
	}), toldCookies)
	for _, row := range []struct {
		client, field string
		want          int
	}{{"6.6.6.6", "", 200}, {"7.7.7.7", basic("bcrypt", "pw"), 200}, {"7.7.7.7", basic("bcrypt", "no"), 302}, {"7.7.7.7", "", 302}} {
		if resp, body := g.ask("GET", "/", "X-Forwarded-For", row.client, "Authorization", row.field, "X-User", "root"); resp.StatusCode != row.want || strings.Contains(body, "root") {
			t.Errorf("%+v: %d %q", row, resp.StatusCode, body)
		}
	}
	if resp, body := newBrowser(t, g).get("/x"); resp.StatusCode != 200 || !strings.Contains(body, `Backend /x ["alice"]`) {
		t.Errorf("who signs in: %d %q", resp.StatusCode, body)
	}
}
