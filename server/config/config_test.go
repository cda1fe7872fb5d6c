package config

import (
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "rewrite CONFIG.md")

func TestDefaultIsValid(t *testing.T) {
	if err := Default().Validate(); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"", "{}", "# only a comment\n", "listen:\n", "limits: {}\nlisten: {http: }\n"} {
		c, err := Parse([]byte(text))
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		if !reflect.DeepEqual(c, Default()) {
			t.Errorf("%q does not give the defaults", text)
		}
	}
}

func TestLoad(t *testing.T) {
	file := filepath.Join(t.TempDir(), "sluice.yaml")
	text := `
version: 1
threads: 2
listen:
  http: [":8080", "127.0.0.1:8081"]
  https: []
limits: {body_bytes: 8m, header_bytes: 8192}
timeouts: {header: 5, read: 1m30s, request: 0.5}
forwarded: {trusted_cidrs: [10.0.0.0/8, "2001:db8::1"]}
proxy_protocol: {listeners: [":8080"], trusted_cidrs: ["::ffff:192.0.2.0/120"], timeout: 3s}
tls: {protocols: TLSv1.3, sni_strict: true, session_tickets: false, ticket_rotation: 1h}
http2: {enabled: false}
`
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Load(file)
	if err != nil {
		t.Fatal(err)
	}
	want := Default()
	want.Threads = 2
	want.Listen.HTTP = []string{":8080", "127.0.0.1:8081"}
	want.Listen.HTTPS = []string{}
	want.Limits.BodyBytes, want.Limits.HeaderBytes = 8<<20, 8<<10
	want.Timeouts.Header = Duration(5 * time.Second)
	want.Timeouts.Read = Duration(90 * time.Second)
	want.Timeouts.Request = Duration(500 * time.Millisecond)
	want.Forwarded.TrustedCIDRs = []string{"10.0.0.0/8", "2001:db8::1"}
	want.ProxyProtocol = ProxyProtocol{[]string{":8080"}, []string{"::ffff:192.0.2.0/120"}, Duration(3 * time.Second)}
	want.TLS.Protocols, want.TLS.SNIStrict, want.TLS.SessionTickets, want.TLS.TicketRotation = "TLSv1.3", true, false, Duration(time.Hour)
	want.HTTP2.Enabled = false
	if !reflect.DeepEqual(c, want) {
		t.Errorf("got  %+v\nwant %+v", c, want)
	}
	if got := c.ProxyProtocolPrefixes(); !slices.Equal(got, []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}) {
		t.Errorf("ProxyProtocolPrefixes = %v", got)
	}
	prefixes := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8::1/128")}
	if got := c.TrustedPrefixes(); !slices.Equal(got, prefixes) {
		t.Errorf("TrustedPrefixes = %v, want %v", got, prefixes)
	}
	if _, err := Load(file + ".absent"); err == nil || !strings.Contains(err.Error(), ".absent") {
		t.Errorf("absent file: %v", err)
	}
}

func TestLoadReportsEveryError(t *testing.T) {
	tests := []struct {
		text string
		want []string // one part of each error line, in order
	}{
		{"thread: 2", []string{"thread: unknown key; did you mean threads?"}},
		{"Threads: 2", []string{"Threads: unknown key; did you mean threads?"}},
		{"limits: {header_byte: 1, xyzzyxyzzyxyzzy: 2}\nlisten: {htp: []}", []string{
			"limits.header_byte: unknown key; did you mean limits.header_bytes?",
			"limits.xyzzyxyzzyxyzzy: unknown key",
			"listen.htp: unknown key; did you mean listen.http?",
		}},
		{"threads: 1\nthreads: 2", []string{`key "threads" already set`}},
		{"threads: many", []string{`threads: want whole number, not the text "many"`}},
		{"threads: 1.5", []string{`threads: want whole number, not the number 1.5`}},
		{"pid_file: 7", []string{`pid_file: want text, not the number 7`}},
		{"pid_file: true", []string{`pid_file: want text, not a true or false true`}},
		{"listen: :80", []string{"listen: want keys below it, not the text"}},
		{"listen: {http: ':80'}", []string{"listen.http: want list of text, not the text"}},
		{"threads: {a: 1}", []string{"threads: want whole number, not keys"}},
		{"[1, 2]", []string{"the file: want keys below it, not a list"}},
		{"threads: [", []string{"parse YAML"}},
		{"limits: {body_bytes: 8q}\ntimeouts: {read: soon}", []string{
			`limits.body_bytes: "8q" is not a size: write bytes, or a number with k, m or g`,
			`timeouts.read: "soon" is not a duration: write seconds, or`,
		}},
		{"limits: {body_bytes: [1]}", []string{"limits.body_bytes: [1] is neither text nor a number"}},
		{"version: 2\nthreads: -1\nlimits: {header_bytes: 1m, header_count: 0}", []string{
			"version: 2 is not known",
			"threads: -1 is out of range; write 0 to 1024",
			"limits.header_bytes: 1m is out of range; write 1k to 32k",
			"limits.header_count: 0 is out of range",
		}},
		{"timeouts: {idle: 0, read: 10000h, send: 1us}", []string{
			"timeouts.idle: 0 would wait for ever",
			"timeouts.read: 10000h is out of range",
			"timeouts.send: 1µs is out of range",
		}},
		{"listen: {http: [], https: []}", []string{"listen: http and https are both empty"}},
		{"listen: {http: ['80', ':http', 'localhost:80', ':70000', ':443']}", []string{
			`listen.http: "80" is not an address`,
			`listen.http: ":http" has no port`,
			`listen.http: "localhost:80" must have an IP address`,
			`listen.http: ":70000" has no port`,
			`listen.https: ":443" is also in listen.http`,
		}},
		{"upgrade_sock: relative.sock", []string{"upgrade_sock: "}},
		{"access_log: {path: out.log, format: xml}", []string{`access_log.path: "out.log" must be`, `access_log.format: "xml" is not known`}},
		{"forwarded: {trusted_cidrs: [10.0.0.0/33]}", []string{"forwarded.trusted_cidrs: \"10.0.0.0/33\" is neither"}},
		{"kubernetes: {ingress_class: '', controllers: [], watch_namespaces: [a/b], publish_service: x, publish_status_address: [a b]}", []string{
			"kubernetes.ingress_class: must name",
			"kubernetes.controllers: is empty",
			"kubernetes.watch_namespaces: \"a/b\"",
			"kubernetes.publish_status_address: \"a b\"",
			"kubernetes.publish_service: \"x\" must be namespace/name",
			"kubernetes.publish_service: cannot be set together",
		}},
		{"kubernetes: {controllers: [nginx]}", []string{`kubernetes.controllers: "nginx" must be domain/name`}},
		{"proxy_protocol: {listeners: [':80', ':81', ':80'], timeout: 0}", []string{
			`proxy_protocol.listeners: ":81" is neither in listen.http nor in listen.https`,
			`proxy_protocol.listeners: ":80" is given twice`,
			"proxy_protocol.trusted_cidrs: is empty, so every connection",
			"proxy_protocol.timeout: 0 would wait for ever",
		}},
		{"proxy_protocol: {trusted_cidrs: [example.com]}", []string{`proxy_protocol.trusted_cidrs: "example.com" is neither a CIDR`}},
		{"tls: {protocols: 'TLSv1.1 TLSv1.2', ciphers: 'ECDHE-RSA-AES128-GCM-SHA256:!aNULL', default_certificate: x, handshake_timeout: 0, max_handshakes: 0, handshakes_per_source: -1, ticket_rotation: 0}\nhttp2: {max_streams: 0}", []string{
			`tls.protocols: "TLSv1.1" is not served`,
			`tls.ciphers: "!aNULL" is no cipher suite`,
			`tls.default_certificate: "x" must be namespace/name`,
			"tls.handshake_timeout: 0 would wait for ever",
			"tls.max_handshakes: 0 is out of range",
			"tls.handshakes_per_source: -1 is out of range",
			"tls.ticket_rotation: 0s is out of range",
			"http2.max_streams: 0 is out of range",
		}},
		{"tls: {sni_strict: 1}", []string{"tls.sni_strict: want true or false, not the number 1"}},
		{"shutdown: {drain_seconds: -1}\nupstream: {retries: 99}", []string{"upstream.retries: 99", "shutdown.drain_seconds: -1"}},
	}
	for _, test := range tests {
		_, err := Parse([]byte(test.text))
		if err == nil {
			t.Errorf("%q: no error", test.text)
			continue
		}
		lines := strings.Split(err.Error(), "\n")
		if len(lines) < len(test.want) || len(lines) > len(test.want) && test.want[0] != "parse YAML" && !strings.HasPrefix(test.want[0], "key") {
			t.Errorf("%q: %d errors, want %d:\n%v", test.text, len(lines), len(test.want), err)
			continue
		}
		for i, want := range test.want {
			if !strings.Contains(err.Error(), want) || i < len(lines) && len(lines) == len(test.want) && !strings.Contains(lines[i], want) {
				t.Errorf("%q: error %d is %q, want %q", test.text, i, lines[i], want)
			}
		}
	}
}

func TestSet(t *testing.T) {
	tests := []struct {
		assignment string
		want       string // in the YAML of one key, or the error
	}{
		{"threads=4", "4"},
		{"listen.http=:8080", "[:8080]"},
		{"listen.http=:8080, 127.0.0.1:8081", "[:8080 127.0.0.1:8081]"},
		{"listen.https=", "[]"},
		{`listen.http=[":1", ":2"]`, "[:1 :2]"},
		{"error_log=123", "123"},
		{"access_log.path=/a=b", "/a=b"},
		{"limits.body_bytes=8m", "8m"},
		{"timeouts.read=90", "1m30s"},
		{"threads", "write key.path=value"},
		{"threads=x", `threads: "x" is not a number`},
		{"threads=", "is not a number"},
		{"tls.sni_strict=true", "true"},
		{"http2.enabled=false", "false"},
		{"http2.enabled=no", "neither true nor false"},
		{"listen=1", "listen: unknown key"},
		{"listen.http.x=1", "unknown key"},
		{"limit.body_bytes=1", "did you mean limits.body_bytes?"},
		{"limits.body_bytes=-1", "not a size"},
		{"listen.http=[", "parse list"},
	}
	for _, test := range tests {
		c := Default()
		got := ""
		if err := c.Set(test.assignment); err != nil {
			got = err.Error()
			if !reflect.DeepEqual(c, Default()) {
				t.Errorf("%s: changed the Config and failed", test.assignment)
			}
		} else {
			path, _, _ := strings.Cut(test.assignment, "=")
			v, _ := c.lookup(path)
			got = strings.Trim(stringOf(v), `"`)
			if got != test.want {
				t.Errorf("%s: got %s, want %s", test.assignment, got, test.want)
			}
		}
		if !strings.Contains(got, test.want) {
			t.Errorf("%s: got %s, want %s", test.assignment, got, test.want)
		}
	}
}

func TestDiff(t *testing.T) {
	old, next := Default(), Default()
	if got := Diff(old, next); got.Live != nil || got.Restart != nil {
		t.Errorf("equal Configs differ: %v", got)
	}
	next.Timeouts.Read++
	next.Shutdown.DrainSeconds = 5
	next.Threads = 8
	next.Listen.HTTP = []string{":81"}
	next.Forwarded.TrustedCIDRs = []string{"10.0.0.0/8"}
	want := Changes{
		Live:    []string{"timeouts.read", "forwarded.trusted_cidrs", "shutdown.drain_seconds"},
		Restart: []string{"threads", "listen.http"},
	}
	if got := Diff(old, next); !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	merged := old.WithLive(next)
	if got := Diff(old, merged); !slices.Equal(got.Live, want.Live) || got.Restart != nil {
		t.Errorf("WithLive changed %v, want only %v", got, want.Live)
	}
	if got := Diff(merged, next); got.Live != nil || !slices.Equal(got.Restart, want.Restart) {
		t.Errorf("WithLive left %v, want %v", got, want.Restart)
	}
	merged.Forwarded.TrustedCIDRs[0] = "x"
	if next.Forwarded.TrustedCIDRs[0] != "10.0.0.0/8" {
		t.Error("WithLive shares a list with its argument")
	}
}

// TestCloneSharesNothing finds a list that Clone forgot.
func TestCloneSharesNothing(t *testing.T) {
	c := Default()
	for _, k := range keys {
		if v, _ := c.lookup(k.Path); v.Kind() == reflect.Slice {
			v.Set(reflect.ValueOf([]string{"x"}))
		}
	}
	d := c.Clone()
	for _, k := range keys {
		if v, _ := d.lookup(k.Path); v.Kind() == reflect.Slice {
			v.Index(0).SetString("y")
			if w, _ := c.lookup(k.Path); w.Index(0).String() != "x" {
				t.Errorf("Clone shares %s", k.Path)
			}
		}
	}
}

func TestQuantities(t *testing.T) {
	sizes := []struct {
		text string
		want Size
		back string
	}{
		{"0", 0, "0"}, {"1500", 1500, "1500"}, {"64k", 64 << 10, "64k"}, {"64K", 64 << 10, "64k"}, {"8m", 8 << 20, "8m"},
		{"1Gi", 1 << 30, "1g"}, {"1024", 1 << 10, "1k"}, {"2048k", 2 << 20, "2m"},
		{"", -1, ""}, {"k", -1, ""}, {"-1", -1, ""}, {"+1", -1, ""}, {"1.5m", -1, ""}, {"8mb", -1, ""}, {"99999999999g", -1, ""},
	}
	for _, test := range sizes {
		got, err := ParseSize(test.text)
		if test.want < 0 {
			if err == nil {
				t.Errorf("ParseSize(%q) = %d, want an error", test.text, got)
			}
			continue
		}
		if err != nil || got != test.want || got.String() != test.back {
			t.Errorf("ParseSize(%q) = %d %q, %v; want %d %q", test.text, got, got, err, test.want, test.back)
		}
	}
	durations := []struct {
		text string
		want time.Duration
		back string
	}{
		{"0", 0, "0s"}, {"10", 10 * time.Second, "10s"}, {"10s", 10 * time.Second, "10s"}, {"0.25", 250 * time.Millisecond, "250ms"},
		{"60", time.Minute, "1m"}, {"1h", time.Hour, "1h"}, {"90m", 90 * time.Minute, "1h30m"},
		{"", -1, ""}, {"-1s", -1, ""}, {"-1", -1, ""}, {"NaN", -1, ""}, {"Inf", -1, ""}, {"1e300", -1, ""}, {"10 s", -1, ""},
	}
	for _, test := range durations {
		got, err := ParseDuration(test.text)
		if test.want < 0 {
			if err == nil {
				t.Errorf("ParseDuration(%q) = %d, want an error", test.text, got)
			}
			continue
		}
		if err != nil || time.Duration(got) != test.want || got.String() != test.back {
			t.Errorf("ParseDuration(%q) = %q, %v; want %v %q", test.text, got, err, test.want, test.back)
		}
	}
}

// TestKeysMatchConfig compares the keys table with the struct, in order.
func TestKeysMatchConfig(t *testing.T) {
	var fields, rows []string
	var walk func(typ reflect.Type, path string)
	walk = func(typ reflect.Type, path string) {
		for i := range typ.NumField() {
			f := typ.Field(i)
			p := join(path, f.Tag.Get("json"))
			if f.Type.Kind() == reflect.Struct {
				walk(f.Type, p)
			} else {
				fields = append(fields, p)
			}
		}
	}
	walk(reflect.TypeFor[Config](), "")
	for _, k := range keys {
		rows = append(rows, k.Path)
		if !strings.HasSuffix(k.Doc, ".") {
			t.Errorf("%s: its meaning is not a sentence", k.Path)
		}
	}
	if !slices.Equal(fields, rows) {
		t.Errorf("struct: %v\ntable:  %v", fields, rows)
	}
}

func TestReferenceIsCurrent(t *testing.T) {
	if *update {
		if err := os.WriteFile("CONFIG.md", []byte(Reference()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	onDisk, err := os.ReadFile("CONFIG.md")
	if err != nil {
		t.Fatal(err)
	}
	if string(onDisk) == Reference() {
		return
	}
	old, fresh := strings.Split(string(onDisk), "\n"), strings.Split(Reference(), "\n")
	for i := range max(len(old), len(fresh)) {
		var a, b string
		if i < len(old) {
			a = old[i]
		}
		if i < len(fresh) {
			b = fresh[i]
		}
		if a != b {
			t.Fatalf("CONFIG.md is stale at line %d; run go test ./server/config -update\n- %s\n+ %s", i+1, a, b)
		}
	}
}

func stringOf(v reflect.Value) string {
	if s, ok := v.Interface().(interface{ String() string }); ok {
		return s.String()
	}
	if v.Kind() == reflect.Slice {
		return "[" + strings.Join(v.Interface().([]string), " ") + "]"
	}
	if v.Kind() == reflect.Bool {
		return strconv.FormatBool(v.Bool())
	}
	if v.Kind() == reflect.Int {
		return Size(v.Int()).String()
	}
	return v.String()
}
