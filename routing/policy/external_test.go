package policy

import (
	"testing"
	"time"
)

func init() { filters = append(filters, &External{}) }

func TestParseAuthority(t *testing.T) {
	for s, host := range map[string]string{"http://a.test:80/b?c=$request_uri": "a.test", "https://[::1]:8/": "::1", "http://a.test": "a.test"} {
		if got, err := ParseAuthority(s); got != host || err != nil {
			t.Errorf("%q: %q %v", s, got, err)
		}
	}
	for _, s := range []string{"", "http://", "a.test", "//a.test/", "ftp://a.test/", "http://$host/", "http://a.test:0/", "http://a.test:99999/", "http://u:p@a.test/",
		"http://a.test/\r\n", "http://a.test/ b", "http://a.test/$nothing", "http://a.test/#b"} {
		if _, err := ParseAuthority(s); err == nil {
			t.Errorf("%q is taken", s)
		}
	}
}

func TestParseCacheFor(t *testing.T) {
	got, err := ParseCacheFor("200 202 401 5m, 403 1m 30s,,10s")
	if err != nil || got[202] != 5*time.Minute || got[403] != 90*time.Second || got[200] != 10*time.Second || got[404] != 0 {
		t.Errorf("%v %v", got, err)
	}
	for _, s := range []string{"200 soon", "200", "5m 200", "99999 5m", "-1s", "5"} {
		if got, err := ParseCacheFor(s); err == nil {
			t.Errorf("%q gives %v", s, got)
		}
	}
	if got, _ := ParseCacheFor("200 99999999999999y"); got[200] != maxCached {
		t.Errorf("%v", got)
	}
}

func FuzzExternal(f *testing.F) {
	f.Add("http://a.test/$host", "200 5m")
	f.Fuzz(func(_ *testing.T, a, b string) {
		_, _ = ParseAuthority(a)
		_, _ = ParseCacheFor(b)
	})
}
