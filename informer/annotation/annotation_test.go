package annotation

import (
	"cmp"
	"crypto/tls"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/sluice-gateway/sluice/routing"
)

func TestRows(t *testing.T) {
	for i, r := range rows {
		if r.Doc == "" || r.Set == nil || r.Get == nil || r.Scope == "" || r.Value == "" {
			t.Errorf("%s: incomplete row", r.Key)
		}
		if strings.ContainsAny(r.Doc+r.Value+r.Default, "|\n") {
			t.Errorf("%s: a bar or a line break ends the table of ANNOTATIONS.md", r.Key)
		}
		if i > 0 && rows[i-1].Key == r.Key {
			t.Errorf("%s: two rows", r.Key)
		}
	}
}

// refused stands for a value that leaves every default, and closing for one that closes the object.
const (
	refused = "refused"
	closing = "closing"
)

// partly is a value that is refused and has an effect.
type partly struct{ value any }

func refusedAs(value any) partly { return partly{value} }

// example is the result of a value: the return of its Row's Get, or refused, or closing, or refusedAs.
type example struct {
	key, value string
	want       any
}

// examples are of all Rows. Those of a concern may stand in its own test, which adds them.
var examples = []example{
	{"auth-snippet", "return 200;", closing},
	{"auth-tls-error-page", "https://a.test/b?c", "https://a.test/b?c"},
	{"auth-tls-error-page", "/b", "/b"},
	{"auth-tls-error-page", "b", refused},
	{"auth-tls-error-page", "//a.test/b", refused},
	{"auth-tls-error-page", "https://u:p@a.test/", refused},
	{"auth-tls-error-page", "https://$host/", refused},
	{"auth-tls-match-cn", "CN=a.*", "^(?:CN=a.*)"},
	{"auth-tls-match-cn", "a.*", closing},
	{"auth-tls-match-cn", "CN=(", closing},
	{"auth-tls-match-cn", "CN=a)|(b", closing},
	{"auth-tls-pass-certificate-to-upstream", "true", true},
	{"auth-tls-pass-certificate-to-upstream", "yes", refused},
	{"auth-tls-secret", "shop/ca", "shop/ca"},
	{"auth-tls-verify-client", "optional", routing.ClientAuthOptional},
	{"auth-tls-verify-client", "off", routing.ClientAuthOff},
	{"auth-tls-verify-client", "yes", refused},
	{"auth-tls-verify-depth", "3", 3},
	{"auth-tls-verify-depth", "many", refused},
	{"auth-tls-no-such-thing", "x", closing},
	{"backend-protocol", "grpcs", "GRPCS"},
	{"backend-protocol", "auto_http", "AUTO_HTTP"},
	{"backend-protocol", "fcgi", "HTTPFCGI"}, // a known protocol that is not spoken here differs from an unknown word
	{"backend-protocol", "", refused},
	{"backend-protocol", "SPDY", refused},
	{"proxy-body-size", "1000", int64(1000)},
	{"proxy-body-size", "1b", int64(1)},
	{"proxy-body-size", "8k", int64(8 << 10)},
	{"proxy-body-size", "8M", int64(8 << 20)},
	{"proxy-body-size", "2g", int64(2 << 30)},
	{"proxy-body-size", "0", int64(-1)},
	{"proxy-body-size", "0m", int64(-1)},
	{"proxy-body-size", "8589934591g", int64(8589934591 << 30)}, // the largest that fits
	{"proxy-body-size", "8589934592g", refused},
	{"proxy-body-size", "", refused},
	{"proxy-body-size", "m", refused},
	{"proxy-body-size", "1mb", refused},
	{"proxy-body-size", "1.5m", refused},
	{"proxy-body-size", "-1", refused},
	{"proxy-body-size", "+1", refused},
	{"proxy-connect-timeout", "5", 5 * int64(time.Second)},
	{"proxy-connect-timeout", "5s", refused},
	{"proxy-read-timeout", "60", 60 * int64(time.Second)},
	{"proxy-read-timeout", "31622400", 31622400 * int64(time.Second)},
	{"proxy-read-timeout", "31622401", refused},
	{"proxy-read-timeout", "0", refused},
	{"proxy-read-timeout", "60s", refused},
	{"proxy-send-timeout", "7", 7 * int64(time.Second)},
	{"proxy-send-timeout", "-7", refused},
	{"proxy-ssl-ciphers", "DEFAULT", Ciphers("")},
	{"proxy-ssl-ciphers", "AES128-SHA", Ciphers("AES128-SHA")},
	{"proxy-ssl-ciphers", "", refused},
	{"proxy-ssl-name", "A.Test", "a.test"},
	{"proxy-ssl-name", "$host", refused},
	{"proxy-ssl-protocols", "TLSv1.3", [...]uint16{tls.VersionTLS13, tls.VersionTLS13}},
	{"proxy-ssl-protocols", "TLSv1 TLSv1.1 TLSv1.2", [...]uint16{tls.VersionTLS10, tls.VersionTLS12}},
	{"proxy-ssl-protocols", "", refused},
	{"proxy-ssl-protocols", "SSLv3", refused},
	{"proxy-ssl-protocols", "TLSv1.1 TLSv1.3", refused},
	{"proxy-ssl-secret", "shop/pay-ca", "shop/pay-ca"},
	{"proxy-ssl-secret", "", closing},
	{"proxy-ssl-server-name", "on", true},
	{"proxy-ssl-server-name", "true", refused},
	{"proxy-ssl-verify", "on", true},
	{"proxy-ssl-verify", "off", false},
	{"proxy-ssl-verify", "true", refused},
	{"proxy-ssl-verify-depth", "0", 0},
	{"proxy-ssl-verify-depth", "20", 20},
	{"proxy-ssl-verify-depth", "-1", refused},
	{"proxy-ssl-verify-depth", "21", refused},
	{"request-timeout", "1m30s", 90 * int64(time.Second)},
	{"request-timeout", "1ms", int64(time.Millisecond)},
	{"request-timeout", "1us", refused},
	{"request-timeout", "30", refused}, // no unit
	{"ssl-ciphers", "AES128-SHA", Ciphers("AES128-SHA")},
	{"ssl-ciphers", "HIGH", refused},
	{"ssl-passthrough", "true", true},
	{"ssl-passthrough", "on", refused},
	{"ssl-prefer-server-ciphers", "true", true},
	{"ssl-prefer-server-ciphers", "false", refused},
	{"upstream-vhost", "a.test", "a.test"},
	{"upstream-vhost", "a.test:8080", "a.test:8080"},
	{"upstream-vhost", "10.0.0.1:80", "10.0.0.1:80"},
	{"upstream-vhost", "[fd00::1]:80", "[fd00::1]:80"},
	{"upstream-vhost", "[fd00::1]", "[fd00::1]"},
	{"upstream-vhost", "fd00::1", closing},
	{"upstream-vhost", "a.test:0", closing},
	{"upstream-vhost", "a.test:", closing},
	{"upstream-vhost", "a.test\r\nX: y", closing},
	{"upstream-vhost", "web_svc.~a", "web_svc.~a"},
	{"upstream-vhost", "$host", "$host"},
	{"upstream-vhost", "web.$http_x_tenant.svc:80", "web.$http_x_tenant.svc:80"},
	{"upstream-vhost", "$nothing", closing},
	{"upstream-vhost", "$host;x", closing},
	{"upstream-vhost", "$host\r\nX: y", closing},
	{"upstream-vhost", ":80", closing},
	{"upstream-vhost", "", refused},
}

// goodValues are values of the keys that others need, where true is none, by "key", or by "key of other" for one of them. The
// test of their concern adds them.
var goodValues = map[string]string{}

// TestValues reads one annotation each. The result is compared through the Row's own Get.
func TestValues(t *testing.T) {
	shown := make(map[string]map[bool]bool) // by the key of a Row: refused or not
	for _, v := range examples {
		row := find(v.key, true)
		if row == nil {
			t.Errorf("%s: no row", v.key)
			continue
		}
		rejected := 0
		with := map[string]string{OwnPrefix + v.key: v.value}
		without := make(map[string]string)
		if row.Needs != "" {
			needed := cmp.Or(goodValues[row.Needs+" of "+row.Key], goodValues[row.Needs], "true")
			with[OwnPrefix+row.Needs], without[OwnPrefix+row.Needs] = needed, needed
		}
		s := Parse(with, func(_, _, _ string) { rejected++ })
		got := row.Get(&s)
		want, partly := v.want.(partly)
		switch {
		case partly:
			if rejected != 1 || got != want.value {
				t.Errorf("%s=%q gives %v and %d Rejections, want %v and one", v.key, v.value, got, rejected, want.value)
			}
			got, v.want = refused, refused
		case rejected > 0 && s.Policy.Closed != "":
			got = closing
		case rejected > 0:
			nothing := Parse(without, nil)
			nothing.ClientAuth.Asked = s.ClientAuth.Asked // whatever it is worth
			if !reflect.DeepEqual(s, nothing) {
				t.Errorf("%s=%q is refused and sets %+v", v.key, v.value, s)
			}
			got = refused
		}
		if got != v.want {
			t.Errorf("%s=%q gives %v, want %v", v.key, v.value, got, v.want)
		}
		if shown[row.Key] == nil {
			shown[row.Key] = make(map[bool]bool)
		}
		shown[row.Key][got == refused || got == closing] = true
	}
	for _, r := range rows {
		takesAll := r.Key == "auth-tls-secret"                                                                           // whether there is one is not known here
		closesAlways := strings.HasSuffix(r.Key, "*") || r.Key == filtersKey || strings.HasPrefix(r.Key, "modsecurity-") // carried out by nothing
		if !shown[r.Key][true] && !takesAll || !shown[r.Key][false] && !closesAlways {
			t.Errorf("%s: there is no example of a value that is taken, or none of one that is refused", r.Key)
		}
	}
}

func TestPrefixes(t *testing.T) {
	rows := []struct {
		name        string
		annotations map[string]string
		read        int64 // proxy-read-timeout, seconds
		rejected    []string
	}{
		{"one of each prefix", map[string]string{OwnPrefix + "proxy-read-timeout": "5", NginxPrefix + "proxy-read-timeout": "6"}, 5, nil},
		{"the one that counts is bad", map[string]string{OwnPrefix + "proxy-read-timeout": "x", NginxPrefix + "proxy-read-timeout": "6"}, 0, []string{OwnPrefix + "proxy-read-timeout"}},
		{"ours alone", map[string]string{NginxPrefix + "request-timeout": "5s"}, 0, []string{NginxPrefix + "request-timeout"}},
		{"none of ours", map[string]string{"example.com/proxy-read-timeout": "x", LegacyClass: "nginx"}, 0, nil},
		{"no key", map[string]string{OwnPrefix: "x", NginxPrefix + "Proxy-Read-Timeout": "5"}, 0, []string{NginxPrefix + "Proxy-Read-Timeout", OwnPrefix}},
	}
	for _, row := range rows {
		var rejected []string
		s := Parse(row.annotations, func(name, value, reason string) {
			if rejected = append(rejected, name); value != row.annotations[name] || reason == "" {
				t.Errorf("%s: %s=%q: %q", row.name, name, value, reason)
			}
		})
		slices.Sort(rejected)
		if s.Policy.Limits.Read != row.read*int64(time.Second) || !slices.Equal(rejected, row.rejected) {
			t.Errorf("%s: %d ns, rejected %q, want %d s and %q", row.name, s.Policy.Limits.Read, rejected, row.read, row.rejected)
		}
	}
	var none Settings
	if s := Parse(nil, nil); reflect.DeepEqual(s, none) || !reflect.DeepEqual(s, defaults()) {
		t.Errorf("nothing gives %+v", s)
	}
}

// TestClosing: each annotation that closes an object is reported once, and the first reason is the one shown; only client
// certificates close Hosts.
func TestClosing(t *testing.T) {
	rows := []struct {
		keys  []string
		hosts bool
	}{
		{[]string{"auth-snippet"}, false},
		{[]string{"auth-tlsx"}, false}, // the key of another annotation
		{[]string{"auth-tls-x"}, true},
		{[]string{"auth-tls-x", "auth-snippet", "proxy-ssl-secret"}, true},
	}
	for _, row := range rows {
		all := make(map[string]string)
		for _, key := range row.keys {
			all[NginxPrefix+key] = ""
		}
		rejected := 0
		s := Parse(all, func(_, _, _ string) { rejected++ })
		if rejected != len(row.keys) || s.ClosesHosts != row.hosts || !strings.Contains(s.Policy.Closed, "access control") {
			t.Errorf("%q: %d Rejections, closes hosts: %v, closed: %q", row.keys, rejected, s.ClosesHosts, s.Policy.Closed)
		}
	}
}

// TestDependence: an annotation that has no effect beside another one, or without it, is refused, under whichever prefix.
func TestDependence(t *testing.T) {
	cases := []struct {
		name        string
		annotations map[string]string
		rejected    string
		want        []string // of the Policy
	}{
		{"the new name counts", map[string]string{
			NginxPrefix + "whitelist-source-range": "10.0.0.0/8", NginxPrefix + "allowlist-source-range": "10.1.0.0/16",
		}, NginxPrefix + "whitelist-source-range", []string{"access allow 10.1.0.0/16"}},
		{"under the other prefix too", map[string]string{
			OwnPrefix + "whitelist-source-range": "10.0.0.0/8", NginxPrefix + "allowlist-source-range": "10.1.0.0/16",
		}, OwnPrefix + "whitelist-source-range", []string{"access allow 10.1.0.0/16"}},
		{"the one that counts is bad", map[string]string{
			NginxPrefix + "denylist-source-range": "10.0.0.1", NginxPrefix + "allowlist-source-range": "x",
		}, NginxPrefix + "allowlist-source-range", []string{"access deny 10.0.0.1/32", "closed: who may ask cannot be read; every path of the object answers 503 rather than being open"}},
		{"both lists", map[string]string{
			NginxPrefix + "denylist-source-range": "10.1.0.0/16", NginxPrefix + "allowlist-source-range": "10.0.0.0/8",
		}, "", []string{"access deny 10.1.0.0/16 allow 10.0.0.0/8"}},
		{"cors-* alone", map[string]string{NginxPrefix + "cors-max-age": "5"}, NginxPrefix + "cors-max-age", nil},
		{"cors-* where it is off", map[string]string{NginxPrefix + "cors-max-age": "5", OwnPrefix + "enable-cors": "false"}, "", nil},
		{"a bad cors-* where it is off", map[string]string{NginxPrefix + "cors-max-age": "x", OwnPrefix + "enable-cors": "false"}, NginxPrefix + "cors-max-age", nil},
		{"no origin is left", map[string]string{NginxPrefix + "cors-max-age": "5", NginxPrefix + "cors-allow-origin": "x", NginxPrefix + "enable-cors": "true"},
			NginxPrefix + "cors-allow-origin", nil},
		{"defaults of CORS", map[string]string{NginxPrefix + "enable-cors": "true"}, "", []string{`cors origins * methods "GET, PUT, POST, DELETE, PATCH, OPTIONS" ` +
			"headers DNT,Keep-Alive,User-Agent,X-Requested-With,If-Modified-Since,Cache-Control,Content-Type,Range,Authorization credentials max age 1728000"}},
	}
	for _, row := range cases {
		var rejected []string
		s := Parse(row.annotations, func(name, _, _ string) { rejected = append(rejected, name) })
		if strings.Join(rejected, " ") != row.rejected {
			t.Errorf("%s: rejected %q, want %q", row.name, rejected, row.rejected)
		}
		if got := slices.Collect(s.Policy.Lines()); !slices.Equal(got, row.want) {
			t.Errorf("%s: got\n%s\nwant\n%s", row.name, strings.Join(got, "\n"), strings.Join(row.want, "\n"))
		}
	}
	for _, r := range rows {
		for _, key := range []string{r.Needs, r.Unless} {
			if other := find(key, true); key != "" && (other == nil || other.Key != key || other.Needs != "") {
				t.Errorf("%s depends on %s, which is no row that depends on none", r.Key, key)
			}
		}
	}
}

// TestReasonsAreBounded: a reason repeats a part of a value, and never all of one that is long.
func TestReasonsAreBounded(t *testing.T) {
	for _, key := range []string{"allowlist-source-range", "cors-allow-headers", "cors-allow-origin", "ssl-ciphers"} {
		for _, value := range []string{strings.Repeat("x!", 5000), strings.Repeat("x!,", 5000), strings.Repeat("\xff\n,", 5000), strings.Repeat("ü!", 500)} {
			Parse(map[string]string{OwnPrefix + "enable-cors": "true", OwnPrefix + key: value}, func(_, _, reason string) {
				if len(reason) > 800 || strings.Contains(reason, "\n") || !utf8.ValidString(reason) {
					t.Errorf("%s=%.20q: %d bytes, %q", key, value, len(reason), reason)
				}
			})
		}
	}
}

func TestReferenceHasAllRows(t *testing.T) {
	text := Reference()
	for _, r := range rows {
		if !strings.Contains(text, "| `"+r.Key+"`") || !strings.Contains(text, r.Doc) {
			t.Errorf("%s is not in it", r.Key)
		}
	}
}
