package filter

import (
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/routing"
	"github.com/sluice-gateway/sluice/routing/expression"
	"github.com/sluice-gateway/sluice/routing/policy"
	"github.com/sluice-gateway/sluice/server"
	"github.com/sluice-gateway/sluice/server/filter/rewrite"
)

// regular has the paths of a gateway's only Host be one expression.
func regular(t *testing.T, p *policy.Policy, path string, app http.HandlerFunc) *gateway {
	t.Helper()
	pattern, err := expression.ParsePattern(path)
	if err != nil {
		t.Fatal(err)
	}
	return newGatewayOf(t, p, app, func(b *routing.Builder, of *routing.Source) (*routing.Host, *routing.Route) {
		r := routing.Route{Path: path, Source: of}
		return b.BuildExpressions("", []routing.Expression{{Route: r, Pattern: pattern}}, routing.Route{}), nil
	})
}

func echoURI(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.RequestURI) }

// TestRewriteGroups: what groups have matched is decoded, normalised and encoded anew; the query stays as it is.
func TestRewriteGroups(t *testing.T) {
	for _, row := range []struct {
		path, target string
		asked, want  string // want begins with a status where the Backend is not asked
	}{
		{"/something(/|$)(.*)", "/$2", "/something", "/"},
		{"/something(/|$)(.*)", "/$2", "/something/new", "/new"},
		{"/something(/|$)(.*)", "/$2", "/SOMETHING/a/b?c=d", "/a/b?c=d"},
		{"/a/(.*)", "/x$1/y$2/z$3", "/a/q", "/xq/y/z"},
		{"/e/(.*)", "/$1", "/e/a%20b", "/a%20b"},
		{"/e/(.*)", "/$1", "/e/%61%62", "/ab"},
		{"/e/(.*)", "/$1", "/e/x%2Fy", "/x/y"},
		{"/e/(.*)", "/$1", "/e//c//d", "/c/d"},
		{"/e/(.*)", "/$1", "/e/q%3Fr?s=%20t", "/q%3Fr?s=%20t"},
		{"/e/(.*)", "/$1", "/e/100%25%23", "/100%25%23"},
		{"/e/(.*)", "/$1", "/e/%22%3C%3E%5C%5E%60%7B%7C%7D~%2B%26%3B", "/%22%3C%3E%5C%5E%60%7B%7C%7D~+&;"},
		{"/e/([^/]*)", "/$1", "/e/%c3%a9%7f%0d%0aX:y", "/%C3%A9%7F%0D%0AX:y"},
		{"/e/(?<id>[^/]+)/(?<rest>.*)", "/$rest.$id", "/e/7/x", "/x.7"},
		{"/e/(?<id>[^/]+)", "/$id/$1$10", "/e/7", "/7/770"},
		{"/a|/b/(.*)", "/n/$1", "/b/x", "/n/x"},
		{"/e(.*)", "/files$1", "/e/x", "/files/x"},
		{"/e(.*)", "/files/$1", "/e../secret", "400"}, // out of /files
		{"/e/(.*)", "$1", "/e/x", "500"},
		{"/e/(.*)", "$1", "/e/", "500"},
		{"/e(.*)", "$1", "/e/x", "/x"},
		{"/e/(.*)", "https://$host/n/$1", "/e/a%20b?c=d", "302 https://127.0.0.1/n/a%20b?c=d"},
		{"/e/(.*)", "https://a.test/", "/e/x?y", "302 https://a.test/?y"},
		{"/e/([^/]*)", "$scheme://a.test/$1", "/e/%0d%0aX:y", "302 http://a.test/%0D%0AX:y"},
		{"/same", "/same", "/SAME/x?y", "/SAME/x?y"},
	} {
		g := regular(t, with(&policy.Rewrite{Target: row.target, Paths: []string{row.path}}), row.path, echoURI)
		for _, ask := range []func(*gateway, string) (*http.Response, string){askPlain, askHTTP2} {
			resp, body := ask(g, row.asked)
			got := body
			if resp.StatusCode != 200 {
				got = fmt.Sprint(resp.StatusCode)
				if to := resp.Header.Get("Location"); to != "" {
					got += " " + to
				}
			}
			if got != row.want {
				t.Errorf("%v over %s: %q", row, resp.Proto, got)
			}
		}
	}
}

// TestRewriteWithAccess: an address list behind a rewrite to a URL is not reached, and before the Backend it is.
func TestRewriteWithAccess(t *testing.T) {
	closed := &policy.Access{Deny: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}
	for target, want := range map[string]int{"/n/$1": 403, "https://a.test/$1": 302} {
		g := regular(t, with(&policy.Rewrite{Target: target, Paths: []string{"/e/(.*)"}}, closed), "/e/(.*)", echoURI)
		for _, method := range []string{"GET", "HEAD", "POST"} {
			if resp, _ := g.ask(method, "/e/x"); resp.StatusCode != want {
				t.Errorf("%s to %s: %d, want %d", method, target, resp.StatusCode, want)
			}
		}
	}
}

// TestRewriteUnknownName: a Route whose target cannot be made answers 503.
func TestRewriteUnknownName(t *testing.T) {
	g := regular(t, with(&policy.Rewrite{Target: "/$none", Paths: []string{"/e/(.*)"}}), "/e/(.*)", echoURI)
	if resp, _ := g.ask("GET", "/e/x"); resp.StatusCode != 503 {
		t.Errorf("got %d", resp.StatusCode)
	}
}

// TestSlash: a client is sent to the Route's path, however it has spelt it.
func TestSlash(t *testing.T) {
	g := newGatewayOf(t, with(&policy.Slash{}), echoURI, func(b *routing.Builder, of *routing.Source) (*routing.Host, *routing.Route) {
		h, _ := b.BuildHost("", []routing.Route{{Path: "/my path", Type: routing.Exact, Source: of}})
		return h, nil
	})
	for asked, query := range map[string]string{"/my%20path": "", "//my%20path?a=1&b=%0d": "?a=1&b=%0d", "/x/../%6dy%20path?": ""} {
		for _, method := range []string{"GET", "HEAD", "POST"} {
			resp, _ := g.ask(method, asked)
			if want := "http://127.0.0.1/my%20path/" + query; resp.StatusCode != 301 || resp.Header.Get("Location") != want {
				t.Errorf("%s %s: %d %q, want %q", method, asked, resp.StatusCode, resp.Header.Get("Location"), want)
			}
		}
		if resp, _ := askHTTP2(g, asked); resp.StatusCode != 301 {
			t.Errorf("%s over HTTP/2: %d", asked, resp.StatusCode)
		}
	}
	g.publish(with(&policy.Slash{Relative: true}))
	for _, ask := range []func(*gateway, string) (*http.Response, string){askPlain, askHTTP2} {
		if resp, _ := ask(g, "/my%20path?a"); resp.StatusCode != 301 || resp.Header.Get("Location") != "/my%20path/?a" {
			t.Errorf("relative: %d %q", resp.StatusCode, resp.Header.Get("Location"))
		}
	}
}

func askPlain(g *gateway, path string) (*http.Response, string) { return g.ask("GET", path) }

func askHTTP2(g *gateway, path string) (*http.Response, string) {
	g.t.Helper()
	return g.over(true, "GET", strings.TrimPrefix(g.base, "http://"), path)
}

// FuzzRewriteTarget: no target that an object may have fails to be made, but for a name that no path has.
func FuzzRewriteTarget(f *testing.F) {
	for _, target := range []string{"/$1", "$1$2", "/$id/$idx", "/$", "/$$", "https://$host/$1", "$scheme", "/a$_9z.b", "/$10"} {
		f.Add(target, "/(?<id>.*)")
	}
	f.Fuzz(func(t *testing.T, target, path string) {
		r := &policy.Rewrite{Target: target, Paths: []string{path}}
		made, err := rewrite.NewTarget(r, server.Env{})
		if (made == nil) != (err != nil) {
			t.Fatalf("%q gives %v, %v", target, made, err)
		}
		known := true
		pattern, bad := expression.ParsePattern(path)
		for name := range r.Names() {
			known = known && bad == nil && pattern.Group(name) > 0
		}
		if err == nil && !known {
			t.Errorf("%q is taken with %q, and names a group that is none", target, path)
		}
	})
}
