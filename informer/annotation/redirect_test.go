package annotation

import (
	"slices"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/routing/policy"
)

func init() {
	goodValues[permanentRedirect] = "https://a.test"
	goodValues[temporalRedirect] = "https://a.test"
	examples = append(examples, []example{
		{"app-root", "/app", "/app"},
		{"app-root", "//a.test/", "//a.test/"}, // of the same host: its own stands before it
		{"app-root", "/", refused},
		{"app-root", "//", refused},
		{"app-root", "/a/..", refused},
		{"app-root", "/./", refused},
		{"app-root", "app", refused},
		{"app-root", "", refused},
		{"app-root", "https://a.test/", refused},
		{"app-root", "/x?y", refused},
		{"app-root", "/$host", refused},
		{"app-root", "/x\r\nSet-Cookie: a", refused},
		{"app-root", "/" + strings.Repeat("x", maxURL), refused},
		{"force-ssl-redirect", "true", true},
		{"force-ssl-redirect", "on", refused},
		{"from-to-www-redirect", "true", true},
		{"from-to-www-redirect", "www", refused},
		{permanentRedirect, "https://a.test", "https://a.test"},
		{permanentRedirect, "http://a.test:8080/b?c=d&e", "http://a.test:8080/b?c=d&e"},
		{permanentRedirect, "/b", "/b"},
		{permanentRedirect, "//a.test/b", refused},
		{permanentRedirect, "ftp://a.test/", refused},
		{permanentRedirect, "httpx://a.test/", refused},
		{permanentRedirect, "javascript:alert", refused},
		{permanentRedirect, "https://", refused},
		{permanentRedirect, "https:a.test", refused},
		{permanentRedirect, "https://:80/", refused},
		{permanentRedirect, "a.test", refused},
		{permanentRedirect, "", refused},
		{permanentRedirect, "https://a.test$request_uri", closing},
		{permanentRedirect, "https://a@b.test/", closing},
		{permanentRedirect, "https://a.test/ b", closing},
		{permanentRedirect, "https://a.test/\r\nSet-Cookie: a=b", closing},
		{permanentRedirect, "https://a.test/é", closing},
		{permanentRedirect, "https://a.test/" + strings.Repeat("x", maxURL), closing},
		{permanentRedirect + "-code", "308", 308},
		{permanentRedirect + "-code", "300", 300},
		{permanentRedirect + "-code", "299", refused},
		{permanentRedirect + "-code", "309", refused},
		{permanentRedirect + "-code", "-301", refused},
		{permanentRedirect + "-code", "moved", closing},
		{permanentRedirect + "-code", "", closing},
		{"preserve-trailing-slash", "true", true},
		{"preserve-trailing-slash", "keep", refused},
		{"relative-redirects", "true", true},
		{"relative-redirects", "x", refused},
		{httpsRedirect, "true", true},
		{httpsRedirect, "F", false},
		{httpsRedirect, "off", refused},
		{temporalRedirect, "https://a.test", "https://a.test"},
		{temporalRedirect, "ftp://a.test", refused},
		{temporalRedirect, "https://$host", closing},
		{temporalRedirect + "-code", "307", 307},
		{temporalRedirect + "-code", "308", refused},
		{temporalRedirect + "-code", "x", closing},
	}...)
}

// TestRedirects: what the annotations of redirects mean beside each other.
func TestRedirects(t *testing.T) {
	for _, row := range []struct {
		name        string
		annotations string // "key value", with semicolons between
		rejected    string // keys
		want        string // of the Policy
	}{
		{"both", "permanent-redirect https://p.test;temporal-redirect https://t.test", "temporal-redirect", "redirect 302 to https://t.test"},
		{"an empty temporal one is none", "permanent-redirect https://p.test;temporal-redirect ", "temporal-redirect", "redirect 301 to https://p.test"},
		{"both with codes", "permanent-redirect https://p.test;permanent-redirect-code 308;temporal-redirect https://t.test;temporal-redirect-code 307",
			"temporal-redirect permanent-redirect-code", "redirect 307 to https://t.test"},
		{"a code alone", "permanent-redirect-code 308", "permanent-redirect-code", ""},
		{"a code of none", "permanent-redirect ftp://a.test;permanent-redirect-code 308", "permanent-redirect", ""},
		{"a path", "permanent-redirect /a", "", "redirect 301 to /a"},
		{"a relative path", "permanent-redirect /a;relative-redirects true", "", "redirect 301 to /a relative"},
		{"a relative path for now", "temporal-redirect /a;relative-redirects true", "", "redirect 302 to /a relative"},
		{"a relative URL is none", "permanent-redirect https://p.test;relative-redirects true", "", "redirect 301 to https://p.test"},
	} {
		all := map[string]string{}
		for pair := range strings.SplitSeq(row.annotations, ";") {
			key, value, _ := strings.Cut(pair, " ")
			all[NginxPrefix+key] = value
		}
		var rejected []string
		s := Parse(all, func(name, _, _ string) { rejected = append(rejected, strings.TrimPrefix(name, NginxPrefix)) })
		if got := strings.Join(rejected, " "); got != row.rejected {
			t.Errorf("%s: rejected %q, want %q", row.name, got, row.rejected)
		}
		if got := strings.Join(slices.Collect(s.Policy.Lines()), "\n"); got != row.want {
			t.Errorf("%s: got %q, want %q", row.name, got, row.want)
		}
	}
}

// FuzzRedirect: what is kept of a value can be sent as a Location, and leads to where it says.
func FuzzRedirect(f *testing.F) {
	for _, e := range examples {
		if s, ok := e.want.(string); ok && s != refused {
			f.Add(e.value)
		}
	}
	f.Fuzz(func(t *testing.T, value string) {
		for _, key := range []string{permanentRedirect, temporalRedirect, "app-root"} {
			s := Parse(map[string]string{NginxPrefix + key: value}, func(_, _, _ string) {})
			to := s.AppRoot
			if r, ok := s.Policy.Filter(policy.KindRedirect).(*policy.Redirect); ok {
				to = r.To
			}
			if to == "" {
				continue
			}
			if to != value || policy.ValidField("Location", to) != nil || len(to) > maxURL ||
				to[0] != '/' && !strings.HasPrefix(strings.ToLower(to), "http://") && !strings.HasPrefix(strings.ToLower(to), "https://") ||
				key != "app-root" && strings.HasPrefix(to, "//") {
				t.Errorf("%s=%q sends to %q", key, value, to)
			}
		}
	})
}
