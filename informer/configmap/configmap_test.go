package configmap

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/sluice-gateway/sluice/informer/annotation"
)

func TestRows(t *testing.T) {
	for i := range rows {
		r := &rows[i]
		if r.Set == nil || r.Effect == "" || r.Value == "" || r.Doc == "" && r.Annotation == "" && r.Setting == "" {
			t.Errorf("%s: incomplete row", r.Key)
		}
		if strings.ContainsAny(r.Doc+r.Value+r.Default, "|\n") {
			t.Errorf("%s: a bar or a line break ends the table of CONFIGMAP.md", r.Key)
		}
		if i > 0 && rows[i-1].Key == r.Key {
			t.Errorf("%s: two rows", r.Key)
		}
	}
}

// refused stands for a value that changes nothing and is told, and closing for one that closes the objects.
const (
	refused = "refused"
	closing = "closing"
)

// all takes every setting but those with the value "bad".
func all(_, value string) error {
	if value == "bad" {
		return errors.New("bad: it is bad")
	}
	return nil
}

// summary is what Read makes of a ConfigMap, in one line.
func summary(s *Settings) string {
	var parts []string
	add := func(format string, args ...any) { parts = append(parts, fmt.Sprintf(format, args...)) }
	o := &s.Objects
	for _, values := range []map[string]string{o.Values, o.GlobalAuth, s.Gateway} {
		for key, value := range values {
			add("%s=%s", key, value)
		}
	}
	if o.Block != nil {
		add("block %s", o.Block.AppendText(nil))
	}
	if len(o.Denied) > 0 {
		add("denied %v", o.Denied)
	}
	if o.RedirectCode != 0 {
		add("code %d", o.RedirectCode)
	}
	if o.PlainPaths != nil {
		add("plain %v", o.PlainPaths)
	}
	if o.OpenPaths != nil {
		add("open %v", o.OpenPaths)
	}
	if o.Forbidden != nil {
		add("forbidden %q", o.Forbidden)
	}
	for key, name := range s.Named {
		add("%s=%s", key, name)
	}
	if o.MaxRisk != 0 {
		add("risk %s", o.MaxRisk)
	}
	slices.Sort(parts)
	return strings.Join(parts, " ")
}

const dubious = "forwarded.trusted_cidrs=" + nearby

// TestValues reads ConfigMaps of few keys: "key=value", with line breaks between.
func TestValues(t *testing.T) {
	for _, row := range []struct{ data, want string }{
		{"", ""},
		{"Proxy-Read-Timeout=5", refused},
		{"proxy-read-timeout=5", "proxy-read-timeout=5"},
		{"proxy-read-timeout=x", refused},
		{"proxy-cookie-path=off", "proxy-cookie-path=off"},
		{"ssl-redirect=false", "ssl-redirect=false"},
		{"ssl-redirect=off", refused},
		{"whitelist-source-range=10.0.0.0/8", "whitelist-source-range=10.0.0.0/8"},
		{"whitelist-source-range=", ""},
		{"whitelist-source-range=x", "whitelist-source-range=x!"}, // each object closes itself
		{"denylist-source-range=10.0.0.1", "denylist-source-range=10.0.0.1"},
		{"block-cidrs=10.0.0.0/8, 10.1.0.0/16,2001:db8::/32", "denied [10.0.0.0/8 2001:db8::/32]"},
		{"block-cidrs=10.0.0.0/8,x", closing},
		{"http-redirect-code=301", "code 301"},
		{"http-redirect-code=303", refused},
		{"http-redirect-code=moved", refused},
		{"no-auth-locations=/a, /b,,", "open [/a /b]"},
		{"no-auth-locations=a", "open []!"},
		{"no-tls-redirect-locations=", "plain []"},
		{"annotation-value-word-blocklist=a b,{, ,", `forbidden ["a b" "{"]`},
		{"annotations-risk-level=Critical", ""},
		{"annotations-risk-level=Medium", "risk Medium"},
		{"annotations-risk-level=medium", "risk Low!"},
		{"global-auth-url=http://auth.test/\nglobal-auth-method=POST", "auth-method=POST auth-url=http://auth.test/"},
		{"global-auth-method=POST", ""},
		{"global-auth-url=nowhere", "auth-url=nowhere!"},
		{"global-auth-snippet=", ""},
		{"global-auth-snippet=proxy_set_header a b;", closing},

		{"block-user-agents=BadBot/1.0, ~*scanner,'a b',", "block agent BadBot/1.0 agent ~(?i)scanner as expression agent \"a b\""},
		{"block-referers=~^http://spam", "block referer ~^http://spam as expression"},
		{"block-referers=~(", closing},
		{"proxy-set-headers=a/b", "proxy-set-headers=a/b"},
		{"proxy-set-headers=", ""},
		{"proxy-set-headers=b", refused},

		{"use-forwarded-headers=true", dubious + "!"},
		{"use-forwarded-headers=true\nproxy-real-ip-cidr=10.0.0.0/8,192.0.2.1", "forwarded.trusted_cidrs=10.0.0.0/8,192.0.2.1/32"},
		{"use-forwarded-headers=true\nproxy-real-ip-cidr=0.0.0.0/0", "forwarded.trusted_cidrs=0.0.0.0/0"},
		{"use-forwarded-headers=true\nproxy-real-ip-cidr=10.0.0.0/8,lb.test", "forwarded.trusted_cidrs=!"},
		{"use-forwarded-headers=true\nproxy-real-ip-cidr=", "forwarded.trusted_cidrs="},
		{"use-forwarded-headers=false\nproxy-real-ip-cidr=10.0.0.0/8", "forwarded.trusted_cidrs=!"},
		{"use-forwarded-headers=perhaps", refused},
		{"proxy-real-ip-cidr=10.0.0.0/8", refused},
		{"enable-real-ip=true\nproxy-real-ip-cidr=10.0.0.0/8", "forwarded.address_only=true forwarded.trusted_cidrs=10.0.0.0/8"},
		{"enable-real-ip=true\nuse-forwarded-headers=true\nproxy-real-ip-cidr=10.0.0.0/8", "forwarded.trusted_cidrs=10.0.0.0/8!"},
		{"forwarded-for-header=CF-Connecting-IP", "forwarded.client_header=CF-Connecting-IP"},
		{"forwarded-for-header=bad\nuse-forwarded-headers=true", "forwarded.trusted_cidrs=!"},
		{"compute-full-forwarded-for=true", "forwarded.full_list=true"},
		{"proxy-add-original-uri-header=1", "forwarded.original_uri=true"},
		{"use-proxy-protocol=true", refused},
		{"use-proxy-protocol=false", ""},
		{"generate-request-id=false", refused},

		{"enable-underscores-in-headers=true", "http.header_names=underscore"},
		{"enable-underscores-in-headers=true\nignore-invalid-headers=false", "http.header_names=token"},
		{"keep-alive=0", "http.keep_alive=false"},
		{"keep-alive=5", "timeouts.idle=5s"},
		{"keep-alive=-5", refused},
		{"large-client-header-buffers=4 4k", "limits.header_bytes=16384"},
		{"large-client-header-buffers=4", refused},
		{"large-client-header-buffers=4 8q", refused},
		{"ssl-protocols=TLSv1.3", "tls.protocols=TLSv1.3"},
		{"ssl-protocols=bad", refused},
		{"ssl-session-tickets=false", "tls.session_tickets=false"},
		{"ssl-reject-handshake=true", "tls.sni_strict=true"},
		{"client-header-timeout=5s", refused},
		{"use-http2=true", ""},
		{"use-http2=false", refused},
		{"worker-processes=4", refused},
		{"server-tokens=false", ""},
		{"server-tokens=true", refused},
		{"http-snippet=", ""},
		{"http-snippet=# a comment\nlog_format x '$host';\n  client_body_timeout 5s;", refused},
		{"http-snippet=log_format x '$host'; deny all;", closing},
		{"server-snippet=location /a { deny all; }", closing},
		{"main-snippet=load_module x;", refused},
	} {
		data := make(map[string]string)
		var last string
		for line := range strings.SplitSeq(row.data, "\n") {
			key, value, ok := strings.Cut(line, "=")
			if ok && find(key) != nil || last == "" {
				if last = key; key != "" {
					data[key] = value
				}
			} else {
				data[last] += "\n" + line // a value of several lines
			}
		}
		told := 0
		s := Read(data, all, func(key, value, reason string) {
			if told++; data[key] != value || reason == "" {
				t.Errorf("%q: told of %s=%q: %q", row.data, key, value, reason)
			}
		})
		got := summary(s)
		switch {
		case s.Objects.Closed != "":
			got = closing
		case told > 0 && got == "":
			got = refused
		case told > 0:
			got += "!"
		}
		if got != row.want {
			t.Errorf("%q gives %q, want %q", row.data, got, row.want)
		}
	}
}

// TestDefaultsAreSilent: a ConfigMap that writes ingress-nginx's defaults down asks for nothing that is told.
func TestDefaultsAreSilent(t *testing.T) {
	data := make(map[string]string)
	for i := range rows {
		if rows[i].Default != "" && rows[i].Key != realIPRanges {
			data[rows[i].Key] = rows[i].Default
		}
	}
	s := Read(data, all, func(key, value, reason string) { t.Errorf("%s=%s: %s", key, value, reason) })
	if s.Objects.Closed != "" || s.Gateway[trustedRanges] != "" {
		t.Errorf("defaults give %+v", s)
	}
}

// TestGuardsThatAreMissing: what guards closes the objects as long as its annotation does not exist, and what does not is told.
func TestGuardsThatAreMissing(t *testing.T) {
	for _, row := range []struct {
		make func(key, name, value, standard, doc string) Row
		want string
	}{{guarding, closing}, {asDefault, refused}} {
		r := row.make("no-such-annotation", "", "anything", "off", "")
		for value, want := range map[string]string{"off": "", "on": row.want} {
			in := &reading{Settings: Settings{Objects: annotation.Defaults{Values: map[string]string{}}}}
			got := ""
			if err := r.Set(in, value); err != nil {
				got = refused
			}
			if in.Objects.Closed != "" {
				got = closing
			}
			if got != want || len(in.Objects.Values) > 0 {
				t.Errorf("%s gives %q and %v, want %q", value, got, in.Objects.Values, want)
			}
		}
		if !r.missing() {
			t.Error("the reference does not say that it is missing")
		}
	}
}

// FuzzRead: whatever a ConfigMap has, what is told of it is short and one line, nobody is believed who was not named, and a
// list that guards never becomes shorter without a word.
func FuzzRead(f *testing.F) {
	for i := range rows {
		f.Add(rows[i].Key, rows[i].Default, "")
	}
	f.Add("whitelist-source-range", "10.0.0.0/8,x", "10.0.0.0/8")
	f.Add("proxy-real-ip-cidr", "::ffff:10.0.0.0/104", "")
	f.Add("no-auth-locations", ",,/", "")
	f.Add("large-client-header-buffers", "65535 1g", "")
	f.Fuzz(func(t *testing.T, key, value, ranges string) {
		told := 0
		s := Read(map[string]string{key: value, useForwarded: "true", realIPRanges: ranges, "whitelist-source-range": ranges}, all, func(_, _, reason string) {
			if told++; len(reason) > 1500 || strings.ContainsAny(reason, "\n\r") && !strings.ContainsAny(value+ranges, "\n\r") || !utf8.ValidString(reason) && utf8.ValidString(value+ranges) {
				t.Errorf("%q=%q: told %q", key, value, reason)
			}
		})
		if s.Gateway[trustedRanges] == nearby {
			t.Errorf("%q=%q, %q: peers are believed that nobody named", key, value, ranges)
		}
		for _, path := range append(s.Objects.OpenPaths, s.Objects.PlainPaths...) {
			if !strings.HasPrefix(path, "/") {
				t.Errorf("%q=%q opens %q", key, value, path)
			}
		}
	})
}

// TestRequestFields: what may be set, and what the gateway alone says.
func TestRequestFields(t *testing.T) {
	for _, row := range []struct{ name, value, want string }{
		{"X-A", "b", "X-A=b"},
		{"X-A", "", `X-A=""`},
		{"X-A", "$host-${req_id}", "X-A=$host-${req_id}"},
		{"X-A", "$no_such", ""},
		{"X-A", "${host", ""},
		{"X-A", "a\r\nX-B: c", ""},
		{"X-A", " a", ""},
		{"X A", "b", ""},
		{"X-A:", "b", ""},
		{"Host", "a", ""},
		{"Content-Length", "1", ""},
		{"Connection", "close", ""},
		{"X-Forwarded-For", "$remote_addr", ""},
		{"x-real-ip", "a", ""},
		{"X_Real_IP", "a", ""},
		{"ssl-client-verify", "SUCCESS", ""},
		{"X-A", strings.Repeat("a", maxValue+1), ""},
	} {
		told := 0
		f := RequestFields(map[string]string{row.name: row.value}, func(name, value, reason string) {
			if told++; name != row.name || value != row.value || !strings.HasSuffix(reason, "; the field is not set") {
				t.Errorf("%q: %q: told of %q=%q: %s", row.name, row.value, name, value, reason)
			}
		})
		got := ""
		if f != nil {
			got = string(f.AppendText(nil))
		}
		if got != row.want || (told == 1) != (got == "") {
			t.Errorf("%q: %q gives %q and %d reasons, want %q", row.name, row.value, got, told, row.want)
		}
	}
	many := make(map[string]string)
	for i := range maxFields + 5 {
		many[fmt.Sprintf("X-%03d", i)] = "a"
	}
	many["x-000"] = "b"
	told := 0
	if f := RequestFields(many, func(_, _, _ string) { told++ }); len(f.Fields) != maxFields || told != 6 {
		t.Errorf("%d fields are set, and of %d it is told that they are not", len(f.Fields), told)
	}
}

func TestReferenceHasAllRows(t *testing.T) {
	text := Reference()
	for i := range rows {
		if !strings.Contains(text, "| `"+rows[i].Key+"` |") {
			t.Errorf("%s is not in it", rows[i].Key)
		}
	}
}
