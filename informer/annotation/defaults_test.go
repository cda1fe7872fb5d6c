package annotation

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
)

// TestDefaults: what an object has that says something else, the same, or nothing; and nothing is told of what it did not say.
func TestDefaults(t *testing.T) {
	d := &Defaults{
		Values: map[string]string{
			"proxy-read-timeout": "5", "whitelist-source-range": "10.0.0.0/8", "cors-max-age": "7", "no-such-annotation": "x", "proxy-send-timeout": "soon",
		},
		GlobalAuth: map[string]string{"auth-url": "http://auth.test/", "auth-method": "POST"},
		Denied:     []netip.Prefix{netip.MustParsePrefix("10.9.0.0/16")},
	}
	const (
		read   = "read timeout 5s"
		listed = "access allow 10.0.0.0/8"
		asked  = `auth-url ask http://auth.test/ by POST parameter rd for "200 202 401 5m"`
	)
	for _, row := range []struct {
		name string
		all  map[string]string
		want []string
	}{
		{"nothing", nil, []string{read, listed, asked}},
		{"its own value", map[string]string{NginxPrefix + "proxy-read-timeout": "6"}, []string{"read timeout 6s", listed, asked}},
		{"its own value under the other prefix", map[string]string{OwnPrefix + "proxy-read-timeout": "6"}, []string{"read timeout 6s", listed, asked}},
		{"its own list by the new name", map[string]string{NginxPrefix + "allowlist-source-range": "10.1.0.0/16"}, []string{read, "access allow 10.1.0.0/16", asked}},
		{"its own list by the old name", map[string]string{NginxPrefix + "whitelist-source-range": "10.1.0.0/16"}, []string{read, "access allow 10.1.0.0/16", asked}},
		{"what a default needed", map[string]string{NginxPrefix + "enable-cors": "true", NginxPrefix + "cors-allow-origin": "https://a.test"}, []string{read, listed, asked,
			"cors origins https://a.test methods \"GET, PUT, POST, DELETE, PATCH, OPTIONS\" headers DNT,Keep-Alive,User-Agent,X-Requested-With,If-Modified-Since,Cache-Control,Content-Type,Range,Authorization credentials max age 7"}},
		{"its own authority", map[string]string{NginxPrefix + "auth-url": "http://own.test/"}, []string{read, listed, `auth-url ask http://own.test/ by GET parameter rd for "200 202 401 5m"`}},
		{"no authority", map[string]string{NginxPrefix + "enable-global-auth": "false"}, []string{read, listed}},
		{"no authority by another spelling", map[string]string{OwnPrefix + "enable-global-auth": "0"}, []string{read, listed}},
		{"an authority", map[string]string{NginxPrefix + "enable-global-auth": "true"}, []string{read, listed, asked}},
	} {
		s := (*Table)(nil).ParseWith(d, row.all, func(name, value, reason string) { t.Errorf("%s: told of %s=%q: %s", row.name, name, value, reason) })
		got := slices.Collect(s.Policy.Lines())
		slices.Sort(got)
		slices.Sort(row.want)
		if !slices.Equal(got, row.want) {
			t.Errorf("%s: got\n%s\nwant\n%s", row.name, strings.Join(got, "\n"), strings.Join(row.want, "\n"))
		}
	}
	// A list for all counts where there is no other.
	d = &Defaults{Denied: d.Denied, RedirectCode: 301, PlainPaths: []string{"/a"}, OpenPaths: []string{}}
	s := (*Table)(nil).ParseWith(d, nil, nil)
	if got := slices.Collect(s.Policy.Lines()); !slices.Equal(got, []string{"access deny 10.9.0.0/16"}) {
		t.Errorf("a list for all: %q", got)
	}
	if s.HTTPSRedirect().Code != 301 || !slices.Equal(s.PlainPaths, d.PlainPaths) || s.OpenPaths == nil {
		t.Errorf("got %+v", s)
	}
	s = (*Table)(nil).ParseWith(d, map[string]string{NginxPrefix + "allowlist-source-range": "10.9.1.0/24"}, nil)
	if got := slices.Collect(s.Policy.Lines()); !slices.Equal(got, []string{"access allow 10.9.1.0/24"}) {
		t.Errorf("a list of its own beside one for all: %q", got)
	}
	// A default that cannot be read closes every object but those with a list of their own.
	d = &Defaults{Values: map[string]string{"whitelist-source-range": "everybody"}}
	if s := (*Table)(nil).ParseWith(d, nil, nil); s.Policy.Closed == "" {
		t.Error("a bad list for all opens the door")
	}
	if s := (*Table)(nil).ParseWith(d, map[string]string{OwnPrefix + "allowlist-source-range": "10.0.0.0/8"}, nil); s.Policy.Closed != "" {
		t.Error("a bad list for all closes an object with one of its own")
	}
	d = &Defaults{Closed: "for a reason"}
	if s := (*Table)(nil).ParseWith(d, nil, nil); s.Policy.Closed != d.Closed {
		t.Errorf("closed: %q", s.Policy.Closed)
	}
}

// TestRefuses: which objects are left out as a whole.
func TestRefuses(t *testing.T) {
	d := &Defaults{Forbidden: []string{"secret"}, MaxRisk: Medium}
	for _, row := range []struct {
		all         map[string]string
		name, words string
	}{
		{nil, "", ""},
		{map[string]string{NginxPrefix + "rewrite-target": "/a", NginxPrefix + "no-such": "b"}, "", ""},
		{map[string]string{NginxPrefix + "auth-url": "http://a.test/"}, NginxPrefix + "auth-url", "its risk is High, and annotations-risk-level allows Medium at most"},
		{map[string]string{NginxPrefix + "server-snippet": ""}, NginxPrefix + "server-snippet", "its risk is Critical"},
		{map[string]string{OwnPrefix + "auth-url": "http://secret.test/"}, "", ""},
		{map[string]string{NginxPrefix + "app-root": "/secrets"}, NginxPrefix + "app-root", "forbids secret in annotations"},
		{map[string]string{"example.com/secret": "secret"}, "", ""},
	} {
		name, reason := d.Refuses(row.all)
		if name != row.name || !strings.Contains(reason, row.words) || (reason == "") != (row.words == "") {
			t.Errorf("%v: %s: %s, want %s: %s", row.all, name, reason, row.name, row.words)
		}
	}
	if name, _ := (&Defaults{}).Refuses(map[string]string{NginxPrefix + "server-snippet": "secret"}); name != "" {
		t.Error("without a level something is refused")
	}
}

// TestRisks: every annotation of ingress-nginx that has a higher risk than Low is spelt as its Row, where it has one.
func TestRisks(t *testing.T) {
	for _, r := range []Risk{Low, Medium, High, Critical} {
		if got, ok := ParseRisk(r.String()); !ok || got != r {
			t.Errorf("%v is read as %v", r, got)
		}
	}
	if _, ok := ParseRisk("high"); ok {
		t.Error("another spelling is read")
	}
	for r, keys := range risks {
		if !slices.IsSorted(keys) {
			t.Errorf("%v: not sorted", r)
		}
		for _, key := range keys {
			if riskOf(key) != r {
				t.Errorf("%s is of two risks", key)
			}
		}
	}
	if riskOf("proxy-read-timeout") != Low || riskOf("any-snippet") != Critical {
		t.Error("what is not in the table")
	}
}

// TestCheck: a value of an annotation, asked about alone.
func TestCheck(t *testing.T) {
	for _, row := range []struct {
		key, value    string
		known, closes bool
		bad           bool
	}{
		{"proxy-read-timeout", "5", true, false, false},
		{"proxy-read-timeout", "x", true, false, true},
		{"denylist-source-range", "x", true, true, true},
		{"no-such-annotation", "x", false, false, false},
		{"auth-anything", "x", false, false, false}, // a Row of what is not carried out
		{"request-timeout", "5s", true, false, false},
	} {
		known, closes, err := Check(row.key, row.value)
		if known != row.known || closes != row.closes || (err != nil) != row.bad {
			t.Errorf("%s=%s: %v %v %v", row.key, row.value, known, closes, err)
		}
	}
}
