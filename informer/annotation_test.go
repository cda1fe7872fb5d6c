package informer

import (
	"crypto/tls"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/routing"
)

func TestGeneratedAnnotations(t *testing.T) {
	const file = "ANNOTATIONS.md"
	want := annotationDoc()
	if *update {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("%s is not what the table says; run `make generate`", file)
	}
}

func TestAnnotationTable(t *testing.T) {
	if !slices.IsSortedFunc(annotations, func(a, b annotation) int { return strings.Compare(a.key, b.key) }) {
		t.Error("rows are not sorted by key")
	}
	for _, a := range annotations {
		if a.doc == "" || a.set == nil || a.scope == "" || a.typ == "" {
			t.Errorf("%s: incomplete row", a.key)
		}
		if strings.Contains(a.doc+a.typ+a.def, "|") {
			t.Errorf("%s: a bar breaks the table of ANNOTATIONS.md", a.key)
		}
	}
}

// TestAnnotationValues reads one annotation each: what it sets, or "refused".
func TestAnnotationValues(t *testing.T) {
	const refused = "refused"
	second := int64(time.Second)
	rows := []struct {
		key, value string
		want       any
	}{
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
		{"proxy-read-timeout", "60", 60 * second},
		{"proxy-read-timeout", "31622400", 31622400 * second},
		{"proxy-read-timeout", "31622401", refused},
		{"proxy-read-timeout", "0", refused},
		{"proxy-read-timeout", "60s", refused},
		{"request-timeout", "1m30s", 90 * second},
		{"request-timeout", "1ms", int64(time.Millisecond)},
		{"request-timeout", "1us", refused},
		{"request-timeout", "30", refused}, // no unit
		{"upstream-vhost", "a.test", "a.test"},
		{"upstream-vhost", "a.test:8080", "a.test:8080"},
		{"upstream-vhost", "10.0.0.1:80", "10.0.0.1:80"},
		{"upstream-vhost", "[fd00::1]:80", "[fd00::1]:80"},
		{"upstream-vhost", "[fd00::1]", "[fd00::1]"},
		{"upstream-vhost", "fd00::1", refused},
		{"upstream-vhost", "a.test:0", refused},
		{"upstream-vhost", "a.test:", refused},
		{"upstream-vhost", "a.test\r\nX: y", refused},
		{"upstream-vhost", "$host", refused},
		{"upstream-vhost", "", refused},
		{"load-balance", "ewma", routing.EWMA},
		{"load-balance", "EWMA", refused},
		{"backend-protocol", "grpcs", routing.GRPCS},
		{"backend-protocol", "", refused},
		{"proxy-ssl-verify", "on", backendTLS{verify: true}},
		{"proxy-ssl-verify", "off", backendTLS{}},
		{"proxy-ssl-verify", "true", refused},
		{"proxy-ssl-verify-depth", "0", backendTLS{depth: 1}},
		{"proxy-ssl-verify-depth", "-1", refused},
		{"proxy-ssl-verify-depth", "21", refused},
		{"proxy-ssl-name", "A.Test", backendTLS{name: "a.test"}},
		{"proxy-ssl-name", "$host", refused},
		{"proxy-ssl-protocols", "TLSv1.3", backendTLS{min: tls.VersionTLS13, max: tls.VersionTLS13}},
		{"proxy-ssl-protocols", "TLSv1 TLSv1.1 TLSv1.2", backendTLS{min: tls.VersionTLS10, max: tls.VersionTLS12}},
		{"proxy-ssl-protocols", "", refused},
		{"proxy-ssl-protocols", "SSLv3", refused},
		{"proxy-ssl-protocols", "TLSv1.1 TLSv1.3", refused},
		{"proxy-ssl-ciphers", "DEFAULT", backendTLS{}},
		{"proxy-ssl-ciphers", "AES128-SHA", backendTLS{ciphers: "AES128-SHA"}},
		{"proxy-ssl-ciphers", "", refused},
	}
	for _, row := range rows {
		rejected := 0
		s := parseAnnotations(map[string]string{ownPrefix + row.key: row.value}, func(_, _, _ string) { rejected++ })
		var got any
		switch row.key {
		case "proxy-body-size":
			got = s.policy.Limits.BodyBytes
		case "proxy-read-timeout":
			got = s.policy.Limits.Read
		case "request-timeout":
			got = s.policy.Limits.Request
		case "upstream-vhost":
			got = s.policy.UpstreamHost
		case "load-balance":
			got = s.balance
		case "backend-protocol":
			got = s.protocol
		default:
			got = s.tls
		}
		if rejected > 0 {
			if !reflect.DeepEqual(s, settings{}) {
				t.Errorf("%s=%q is refused and sets %+v", row.key, row.value, s)
			}
			got = refused
		}
		if got != row.want {
			t.Errorf("%s=%q gives %v, want %v", row.key, row.value, got, row.want)
		}
	}
}
