package annotation

import (
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/routing/policy"
)

func init() {
	goodValues[redirectFrom] = "http://inner.test/"
	examples = append(examples, []example{
		{redirectFrom, "http://inner.test:8080/a?b=c&d", "http://inner.test:8080/a?b=c&d"},
		{redirectFrom, "http://", "http://"},
		{redirectFrom, "/inner/", "/inner/"},
		{redirectFrom, "off", ""},
		{redirectFrom, "default", ""},
		{redirectFrom, "", refused},
		{redirectFrom, "~^http://", refused},
		{redirectFrom, "~a", refused},
		{redirectFrom, "http://$host/", refused},
		{redirectFrom, "http://a.test/\r\nX: y", refused},
		{redirectFrom, "http://a.test/ b", refused},
		{redirectFrom, strings.Repeat("a", maxURL+1), refused},
		{"proxy-redirect-to", "https://outer.test/x/", "https://outer.test/x/"},
		{"proxy-redirect-to", "/x", "/x"},
		{"proxy-redirect-to", "off", ""},
		{"proxy-redirect-to", "$scheme://x", refused},
		{"proxy-redirect-to", "/\r\nSet-Cookie: a=b", refused},
		{"proxy-cookie-domain", "inner.test outer.test", "inner.test outer.test"},
		{"proxy-cookie-domain", " .inner.test\t.outer.test ", "inner.test outer.test"},
		{"proxy-cookie-domain", "off", ""},
		{"proxy-cookie-domain", "inner.test", refused},
		{"proxy-cookie-domain", "a b c", refused},
		{"proxy-cookie-domain", ". .", refused},
		{"proxy-cookie-domain", "~inner.test outer.test", refused},
		{"proxy-cookie-domain", "a b;Secure", refused},
		{"proxy-cookie-domain", "a $host", refused},
		{"proxy-cookie-domain", "a b\r\nX:y", refused},
		{"proxy-cookie-domain", "", refused},
		{"proxy-cookie-path", "/inner/ /outer/", "/inner/ /outer/"},
		{"proxy-cookie-path", "/ /;Secure", refused},
		{"proxy-cookie-path", "~*^/a /b", refused},
		{"proxy-cookie-path", "off", ""},
		{"proxy-cookie-path", strings.Repeat("/a", maxURL) + " /b", refused},
		{"proxy-http-version", "1.1", "no effect"},
		{"proxy-http-version", "1.0", refused},
		{"proxy-http-version", "2", refused},
		{"http2-push-preload", "true", "no effect"},
		{"http2-push-preload", "on", refused},
	}...)
}

// TestCookiesTogether: the two changes stand in one Filter, and neither takes the other away but by off.
func TestCookiesTogether(t *testing.T) {
	for _, row := range []struct {
		domain, path, want string
	}{
		{"a.test b.test", "/a /b", "domain from a.test to b.test, path from /a to /b"},
		{"off", "/a /b", "domain stays, path from /a to /b"},
		{"a.test b.test", "bad", "domain from a.test to b.test, path stays"},
		{"off", "off", ""},
	} {
		s := Parse(map[string]string{NginxPrefix + "proxy-cookie-domain": row.domain, OwnPrefix + "proxy-cookie-path": row.path}, func(_, _, _ string) {})
		got := ""
		if f := s.Policy.Filter(policy.KindCookies); f != nil {
			got = string(f.AppendText(nil))
		}
		if got != row.want {
			t.Errorf("%q, %q: got %q, want %q", row.domain, row.path, got, row.want)
		}
	}
}
