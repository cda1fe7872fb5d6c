package admin

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	stdjson "encoding/json"

	"github.com/sluice-gateway/sluice/routing"
	"github.com/sluice-gateway/sluice/routing/policy"
	"github.com/sluice-gateway/sluice/server/config"
)

// testSnapshot has a Host with two Routes, a Backend with and one without Endpoints.
func testSnapshot() *routing.Snapshot {
	var b routing.Builder
	source := &routing.Source{Ingress: routing.ObjectName{Namespace: "shop", Name: "web"}, Created: 1700000000, Policy: &policy.Policy{Limits: policy.Limits{BodyBytes: 8 << 20, Read: 3e9}}}
	h, _ := b.BuildHost("shop.example", []routing.Route{
		{Path: "/cart", Type: routing.Prefix, Backend: 0, Source: source},
		{Path: "/<script>alert(1)</script>", Type: routing.Exact, Backend: 1, Source: source},
		{Path: "/lost", Type: routing.Exact, Backend: -1, Source: source},
	})
	var store routing.Store
	store.Publish(&routing.Snapshot{
		Table: (*routing.Table)(nil).With(map[string]*routing.Host{"shop.example": h}, nil),
		Backends: []*routing.Backend{
			{Index: 0, Key: routing.BackendKey{Namespace: "shop", Service: "cart", Port: "80"}, Endpoints: []routing.Endpoint{{Addr: netip.MustParseAddrPort("10.0.0.7:8080"), Zone: "a"}}},
			{Index: 1, Key: routing.BackendKey{Namespace: "shop", Service: "empty", Port: "80"}},
		},
	})
	return store.Load()
}

func testOptions() Options {
	snapshot := testSnapshot()
	return Options{
		Metrics: "127.0.0.1:0", Admin: "127.0.0.1:0",
		Snapshot:   func() *routing.Snapshot { return snapshot },
		Ready:      func() (bool, string) { return true, "" },
		Rejections: func() []Rejection { return nil },
		Config:     config.Default,
		Vitals:     func() Vitals { return Vitals{Version: "v1", ReloadOK: true} },
		Logger:     slog.New(slog.DiscardHandler),
	}
}

// start serves options and returns the two addresses.
func start(t *testing.T, options Options) (metrics, admin string) {
	t.Helper()
	if options.AdminToken == "" {
		options.AdminToken = tokenFile(t, testToken)
	}
	s, err := New(options)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
	a := s.Addresses()
	return a[0].String(), a[1].String()
}

func get200(t *testing.T, url string) string {
	t.Helper()
	status, _, body := fetch(t, "GET", url, nil)
	if status != 200 {
		t.Fatalf("%s: %d %s", url, status, body)
	}
	return body
}

func fetch(t *testing.T, method, url string, header http.Header) (int, http.Header, string) {
	t.Helper()
	r, err := http.NewRequest(method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+testToken)
	for k, v := range header {
		r.Header[k] = v
	}
	if h := header.Get("Host"); h != "" {
		r.Host = h
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 10 * time.Second}
	response, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, response.Header, string(body)
}

func TestMetricsPlane(t *testing.T) {
	options := testOptions()
	ready, reason := true, ""
	options.Ready = func() (bool, string) { return ready, reason }
	options.Rejections = func() []Rejection { return make([]Rejection, 3) }
	metrics, _ := start(t, options)

	text := get200(t, "http://"+metrics+"/metrics")
	for _, line := range []string{
		"sluice_snapshot_generation 1", "sluice_routes 3", "sluice_hosts 1", "sluice_backends 2", "sluice_endpoints 1",
		"sluice_rejections 3", "sluice_ready 1", `sluice_build_info{version="v1"} 1`,
		"nginx_ingress_controller_config_last_reload_successful 1", "go_goroutines ", "process_resident_memory_bytes ",
	} {
		if !strings.Contains(text, "\n"+line) {
			t.Errorf("/metrics lacks %q", line)
		}
	}
	if body := get200(t, "http://"+metrics+"/healthz"); body != "ok\n" {
		t.Errorf("/healthz: %q", body)
	}
	if body := get200(t, "http://"+metrics+"/readyz"); body != "ok\n" {
		t.Errorf("/readyz: %q", body)
	}
	ready, reason = false, "draining"
	if status, _, body := fetch(t, "GET", "http://"+metrics+"/readyz", nil); status != 503 || body != "not ready: draining\n" {
		t.Errorf("/readyz when draining: %d %q", status, body)
	}
	for _, path := range []string{"/", "/debug/pprof/", "/api/v1/config", "/metrics/", "/../metrics"} {
		if status, _, _ := fetch(t, "GET", "http://"+metrics+path, nil); status != 404 && path != "/../metrics" {
			t.Errorf("%s on the metrics address: %d, want 404", path, status)
		}
	}
	if status, _, body := fetch(t, "HEAD", "http://"+metrics+"/healthz", nil); status != 200 || body != "" {
		t.Errorf("HEAD /healthz: %d %q", status, body)
	}
}

func TestAdminPlane(t *testing.T) {
	options := testOptions()
	options.Rejections = func() []Rejection {
		return []Rejection{{Kind: "Ingress", Namespace: "shop", Name: "web", Field: "spec", Reason: "<b>bad</b>"}}
	}
	_, admin := start(t, options)
	base := "http://" + admin

	if got, want := get200(t, base+"/debug/routes"), "host shop.example\n"; !strings.Contains(got, want) {
		t.Errorf("/debug/routes:\n%s", got)
	}
	var snapshot SnapshotView
	decode(t, get200(t, base+"/api/v1/snapshot"), &snapshot)
	if snapshot.Generation != 1 || snapshot.Hosts != 1 || snapshot.Routes != 3 || len(snapshot.RouteList) != 3 || snapshot.Endpoints != 1 || snapshot.Truncated {
		t.Errorf("snapshot: %+v", snapshot)
	}
	for _, r := range snapshot.RouteList {
		if r.Path == "/cart" && (r.Backend != "shop/cart:80" || r.Ingress != "shop/web" || r.Type != "Prefix" || len(r.Policy) != 2) {
			t.Errorf("route: %+v", r)
		}
	}
	decode(t, get200(t, base+"/api/v1/snapshot?limit=1&offset=1"), &snapshot)
	if len(snapshot.RouteList) != 1 || len(snapshot.BackendList) != 1 || !snapshot.Truncated || snapshot.BackendList[0].Name != "shop/empty:80" {
		t.Errorf("part of a snapshot: %+v", snapshot)
	}
	decode(t, get200(t, base+"/api/v1/snapshot?host=other.example"), &snapshot)
	if len(snapshot.RouteList) != 0 || snapshot.Routes != 3 {
		t.Errorf("snapshot of a host that is not there: %+v", snapshot)
	}
	var rejections []Rejection
	text := get200(t, base+"/api/v1/rejections")
	decode(t, text, &rejections)
	if len(rejections) != 1 || rejections[0].Reason != "<b>bad</b>" || strings.Contains(text, "<") {
		t.Errorf("rejections: %s", text)
	}
	var c config.Config
	decode(t, get200(t, base+"/api/v1/config"), &c)
	if c.Version != 1 || c.Listen.Metrics != ":10254" || c.Timeouts.Read != config.Default().Timeouts.Read {
		t.Errorf("config: %+v", c)
	}
	var status Status
	decode(t, get200(t, base+"/api/v1/status"), &status)
	if !status.Ready || status.Rejections != 1 || status.Generation != 1 {
		t.Errorf("status: %+v", status)
	}
	var answer Answer
	decode(t, get200(t, base+"/api/v1/explain?method=GET&url=http://shop.example/cart/7"), &answer)
	if answer.Status != 0 || answer.Backend == nil || answer.Backend.Name != "shop/cart:80" {
		t.Errorf("explain: %+v", answer)
	}
	for _, path := range []string{"/debug/pprof/", "/debug/pprof/goroutine?debug=1", "/debug/pprof/heap", "/debug/pprof/cmdline", "/debug/pprof/trace?seconds=0.01"} {
		if get200(t, base+path) == "" {
			t.Errorf("%s is empty", path)
		}
	}
	for path, status := range map[string]int{
		"/api/v1/explain":                 400,
		"/api/v1/explain?url=http://%20/": 400,
		"/api/v1/snapshot?limit=x":        400,
		"/api/v1/snapshot?limit=99999999": 400,
		"/nothing":                        404,
		"/metrics":                        404,
	} {
		if got, _, _ := fetch(t, "GET", base+path, nil); got != status {
			t.Errorf("%s: %d, want %d", path, got, status)
		}
	}
}

// TestEmpty: before the first Snapshot everything answers, and nothing is null.
func TestEmpty(t *testing.T) {
	options := testOptions()
	options.Snapshot = func() *routing.Snapshot { return nil }
	metrics, admin := start(t, options)
	if text := get200(t, "http://"+metrics+"/metrics"); !strings.Contains(text, "\nsluice_snapshot_generation 0\n") {
		t.Error("no generation 0")
	}
	if status, _, _ := fetch(t, "GET", "http://"+admin+"/debug/routes", nil); status != 503 {
		t.Errorf("/debug/routes: %d, want 503", status)
	}
	for _, path := range []string{"/api/v1/snapshot", "/api/v1/rejections"} {
		if text := get200(t, "http://"+admin+path); strings.Contains(text, "null") {
			t.Errorf("%s: %s", path, text)
		}
	}
	var answer Answer
	decode(t, get200(t, "http://"+admin+"/api/v1/explain?url=h/p"), &answer)
	if answer.Status != 503 {
		t.Errorf("explain: %+v", answer)
	}
}

// TestForeignPages: a browser cannot be made to read or ask the admin plane for another site.
func TestForeignPages(t *testing.T) {
	metrics, admin := start(t, testOptions())
	_, port, err := net.SplitHostPort(admin)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name   string
		header http.Header
		want   int
	}{
		{"by address", http.Header{}, 200},
		{"by localhost", http.Header{"Host": {"localhost:" + port}}, 200},
		{"by localhost, another port", http.Header{"Host": {"LOCALHOST:1"}}, 200}, // kubectl port-forward
		{"by IPv6 address", http.Header{"Host": {"[::1]:80"}}, 200},
		{"rebound name", http.Header{"Host": {"evil.example"}}, 403},
		{"rebound name with port", http.Header{"Host": {"evil.example:" + port}}, 403},
		{"name that looks like an address", http.Header{"Host": {"127.0.0.1.evil.example"}}, 403},
		{"own origin", http.Header{"Origin": {"http://" + admin}}, 200},
		{"other origin", http.Header{"Origin": {"http://evil.example"}}, 403},
		{"other port", http.Header{"Origin": {"http://127.0.0.1:1"}}, 403},
		{"opaque origin", http.Header{"Origin": {"null"}}, 403},
		{"own page", http.Header{"Sec-Fetch-Site": {"same-origin"}}, 200},
		{"typed in", http.Header{"Sec-Fetch-Site": {"none"}}, 200},
		{"other site", http.Header{"Sec-Fetch-Site": {"cross-site"}}, 403},
	}
	for _, test := range tests {
		for _, path := range []string{"/", "/api/v1/config", "/debug/pprof/"} {
			if got, _, body := fetch(t, "GET", "http://"+admin+path, test.header); got != test.want {
				t.Errorf("%s, %s: %d, want %d: %s", test.name, path, got, test.want, body)
			}
		}
	}
	if got, _, _ := fetch(t, "GET", "http://"+metrics+"/metrics", http.Header{"Host": {"sluice.ingress.svc:10254"}}); got != 200 {
		t.Errorf("a scrape by name: %d, want 200", got)
	}
}

func TestHeaders(t *testing.T) {
	metrics, admin := start(t, testOptions())
	for _, url := range []string{"http://" + admin + "/", "http://" + admin + "/api/v1/config", "http://" + admin + "/debug/routes", "http://" + metrics + "/metrics", "http://" + metrics + "/nothing"} {
		_, h, _ := fetch(t, "GET", url, nil)
		for name, want := range map[string]string{
			"X-Content-Type-Options": "nosniff", "Content-Security-Policy": contentPolicy, "Cache-Control": "no-store", "Connection": "close",
		} {
			if got := h.Get(name); got != want && name != "Connection" {
				t.Errorf("%s: %s is %q, want %q", url, name, got, want)
			}
		}
	}
}

// TestDashboard: the page needs nothing from elsewhere, and its script never writes markup.
func TestDashboard(t *testing.T) {
	_, admin := start(t, testOptions())
	page := get200(t, "http://"+admin+"/")
	script := get200(t, "http://"+admin+"/dashboard.js")
	style := get200(t, "http://"+admin+"/dashboard.css")
	for _, text := range []string{page, script, style} {
		for _, m := range regexp.MustCompile(`(?:src|href)="([^"]*)"|url\(([^)]*)\)|(?:https?:)?//[a-z0-9.-]+\.[a-z]+`).FindAllString(text, -1) {
			if strings.Contains(m, "//") && !strings.Contains(m, "shop.example") {
				t.Errorf("the dashboard refers to %s", m)
			}
		}
	}
	for _, name := range []string{"innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "Function("} {
		if strings.Contains(script, name) {
			t.Errorf("the script uses %s", name)
		}
	}
	if strings.Contains(page, "<style") || regexp.MustCompile(`<script>|\son[a-z]+=`).MatchString(page) {
		t.Error("the page has inline style or script, which its policy forbids")
	}
	// Every element the script asks for is in the page.
	for _, m := range regexp.MustCompile(`byId\("([^"]+)"\)|fill\("([^"]+)"`).FindAllStringSubmatch(script, -1) {
		if id := m[1] + m[2]; !strings.Contains(page, `id="`+id+`"`) {
			t.Errorf("the page has no element %s", id)
		}
	}
	files, err := filepath.Glob("dashboard/*")
	if err != nil || len(files) != 3 {
		t.Errorf("files of the dashboard: %v %v", files, err)
	}
}

func TestStartFails(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	options := testOptions()
	options.Admin = taken.Addr().String()
	s, err := New(options)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start(); err == nil || !strings.Contains(err.Error(), "listen.admin: ") {
		t.Errorf("Start on a taken address: %v", err)
	}
	if n := len(s.Addresses()); n != 0 {
		t.Errorf("%d addresses are left bound", n)
	}
	options.Metrics, options.Admin = "", ""
	if s, err = New(options); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.Start(), s.Shutdown(context.Background())); err != nil || len(s.Addresses()) != 0 {
		t.Errorf("both planes off: %v", err)
	}
}

// TestTwoProcesses: a successor binds beside its predecessor.
func TestTwoProcesses(t *testing.T) {
	metrics, _ := start(t, testOptions())
	options := testOptions()
	options.Metrics = metrics
	again, _ := start(t, options)
	if again != metrics {
		t.Errorf("bound %s, want %s", again, metrics)
	}
}

func TestPanicIsAnAnswer(t *testing.T) {
	options := testOptions()
	options.Config = func() *config.Config { panic("BUG: for the test") }
	_, admin := start(t, options)
	if status, _, _ := fetch(t, "GET", "http://"+admin+"/api/v1/config", nil); status != 500 {
		t.Errorf("%d, want 500", status)
	}
	get200(t, "http://"+admin+"/api/v1/status")
}

func decode(t *testing.T, text string, to any) {
	t.Helper()
	d := stdjson.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(to); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
}

func TestExplain(t *testing.T) {
	tests := []struct {
		q      Question
		status int
		want   string // in the text, or in the error
	}{
		{Question{URL: "shop.example/cart"}, 0, "backend  shop/cart:80"},
		{Question{URL: "http://10.0.0.1:8080/cart", Host: "SHOP.example:80"}, 0, "backend  shop/cart:80"},
		{Question{URL: "http://shop.example/%3Cscript%3Ealert(1)%3C%2Fscript%3E"}, 503, "no endpoint is ready"},
		{Question{URL: "http://shop.example/lost"}, 503, "does not exist or was refused"},
		{Question{URL: "http://shop.example/other"}, 404, "no route"},
		{Question{URL: "http://other.example/cart"}, 404, "no exact name"},
		{Question{URL: "http://shop.example/../cart"}, -1, "leaves the root"},
		{Question{URL: "http://shop.example", Host: "a b"}, -1, "400"},
		{Question{URL: "http://[::1/"}, -1, "parse URL"},
		{Question{URL: "/cart"}, -1, "400"},
		{Question{URL: "shop.example/cart", Method: "GET\nroute forged"}, 0, `"GET\nroute forged"`},
	}
	for _, test := range tests {
		a, err := Explain(testSnapshot(), test.q)
		switch {
		case err != nil:
			if test.status != -1 || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%+v: %v, want %q", test.q, err, test.want)
			}
		case a.Status != test.status || !strings.Contains(a.Text, test.want):
			t.Errorf("%+v: %d, want %d and %q:\n%s", test.q, a.Status, test.status, test.want, a.Text)
		}
	}
}

// TestPolicyIsShown: what an object asks for is in the text of explain and in JSON, by the lines that the Policy itself has.
func TestPolicyIsShown(t *testing.T) {
	p := &policy.Policy{Limits: policy.Limits{Send: 2e9}, Closed: "for a reason"}
	p.Set(&policy.Rewrite{Target: "/b"})
	var b routing.Builder
	h, _ := b.BuildHost("shop.example", []routing.Route{{Path: "/", Type: routing.Prefix, Backend: -1,
		Source: &routing.Source{Ingress: routing.ObjectName{Namespace: "shop", Name: "web"}, Policy: p}}})
	s := &routing.Snapshot{Table: (*routing.Table)(nil).With(map[string]*routing.Host{"shop.example": h}, nil)}
	onion := policy.Onion{{Kind: "zebra", Stage: policy.StageFields}, {Kind: policy.KindRewrite, Stage: policy.StageRedirect}}
	p.Set(&policy.Named[string]{Name: "zebra", Settings: "stripes"})
	p.Set(&policy.Named[string]{Name: "lost"})
	a, err := Explain(s, Question{URL: "shop.example/", Onion: onion})
	if err != nil || a.Status != 503 || !strings.Contains(a.Text, "answer   503, every path of the object is closed\n") {
		t.Errorf("%v: %+v", err, a)
	}
	want := []string{"send timeout 2s", `lost ""`, "rewrite to /b", "zebra stripes", "closed: for a reason"}
	lines := "policy   send timeout 2s\npolicy   closed: for a reason\nfilter   fields: zebra stripes\nfilter   redirect: rewrite to /b\nfilter   no stage: lost \"\"\n"
	if !strings.Contains(a.Text, lines) {
		t.Errorf("no lines\n%s in\n%s", lines, a.Text)
	}
	if a.Route == nil || !slices.Equal(a.Route.Policy, want) {
		t.Errorf("JSON has %+v", a.Route)
	}
}

// TestSplitIsShown: how requests are shared out is in the text of explain and in JSON, and the first Backend alone decides about
// the answer.
func TestSplitIsShown(t *testing.T) {
	ready := []routing.Endpoint{{Addr: netip.MustParseAddrPort("10.0.0.1:80")}}
	for _, row := range []struct {
		main, next []routing.Endpoint
		canary     bool
		status     int
		want       string
	}{
		{ready, ready, true, 0, "split    shop/web:80 weight 9, canary shop/next:80 weight 1\nbackend  shop/web:80 HTTP, balanced round_robin\n     *   endpoint 10.0.0.1:80\n" +
			"canary   shop/next:80 HTTP, balanced round_robin\n     *   endpoint 10.0.0.1:80\n"},
		{ready, nil, true, 0, "canary   shop/next:80 has no endpoint that is ready, and is left out\n"},
		{nil, ready, true, 503, "answer   503, no endpoint is ready\ncanary   shop/next:80 HTTP"},
		{ready, nil, false, 0, "share    shop/next:80 HTTP, balanced round_robin\nanswer   503, no endpoint is ready\n"},
	} {
		var b routing.Builder
		split := &routing.Split{Canary: row.canary, Shares: []routing.Share{{Backend: 0, Weight: 9}, {Backend: 1, Weight: 1}}}
		h, _ := b.BuildHost("shop.example", []routing.Route{{Path: "/", Type: routing.Prefix,
			Source: &routing.Source{Ingress: routing.ObjectName{Namespace: "shop", Name: "web"}, Split: split}}})
		s := &routing.Snapshot{Table: (*routing.Table)(nil).With(map[string]*routing.Host{"shop.example": h}, nil), Backends: []*routing.Backend{
			{Key: routing.BackendKey{Namespace: "shop", Service: "web", Port: "80"}, Endpoints: row.main},
			{Key: routing.BackendKey{Namespace: "shop", Service: "next", Port: "80"}, Index: 1, Endpoints: row.next},
		}}
		a, err := Explain(s, Question{URL: "shop.example/"})
		if err != nil || a.Status != row.status || !strings.Contains(a.Text, row.want) || !strings.HasPrefix(a.Route.Split, "shop/web:80 weight 9, ") {
			t.Errorf("%v: %+v, want %q", err, a, row.want)
		}
	}
}

func TestExplainTLS(t *testing.T) {
	var b routing.Builder
	auth := &routing.ClientAuth{Mode: routing.ClientAuthOn, Depth: 1}
	backends := []*routing.Backend{{Key: routing.BackendKey{Namespace: "shop", Service: "app", Port: "443"},
		Endpoints: []routing.Endpoint{{Addr: netip.MustParseAddrPort("10.0.0.7:8443")}}}}
	hosts := map[string]*routing.Host{}
	for name, given := range map[string]*routing.HostTLS{
		"plain.test":  nil,
		"pass.test":   {Passthrough: true},
		"lost.test":   {Passthrough: true, Backend: -1},
		"mutual.test": {ClientAuth: auth, Backend: -1},
		"strict.test": {CipherSuites: []uint16{tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256}, Backend: -1},
	} {
		h, _ := b.BuildHost(name, []routing.Route{{Path: "/", Type: routing.Prefix, Source: &routing.Source{TLS: given}}})
		hosts[name] = h.WithTLS(given)
	}
	s := &routing.Snapshot{Table: (*routing.Table)(nil).With(hosts, nil), Backends: backends}
	for _, test := range []struct {
		url, host string
		status    int
		want      string
	}{
		{"https://plain.test/", "", 0, "the gateway's own"},
		{"http://plain.test/", "", 0, "backend  shop/app:443"},
		{"https://pass.test/x", "", 0, "passed on as it is, whatever the path; the client sees the certificate of the backend\nbackend  shop/app:443, balanced round_robin\n     *   endpoint 10.0.0.7:8443"},
		{"http://pass.test/x", "", 0, "backend  shop/app:443"},
		{"https://lost.test/", "", 503, "is closed"},
		{"https://plain.test/", "pass.test", 421, "other rules for TLS"},
		{"https://mutual.test:8443/", "", 0, "tls      client certificate on"},
		{"http://mutual.test/", "", 400, "clear text has none"},
		{"https://plain.test/", "mutual.test", 421, "server name plain.test"},
		{"https://strict.test/", "", 0, "up to TLS 1.2 with TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"},
	} {
		a, err := Explain(s, Question{URL: test.url, Host: test.host})
		if err != nil || a.Status != test.status || !strings.Contains(a.Text, test.want) {
			t.Errorf("%s %s: %v, want %d and %q:\n%+v", test.url, test.host, err, test.status, test.want, a)
		}
	}
}

func ExampleExplain() {
	a, err := Explain(testSnapshot(), Question{Method: "GET", URL: "http://shop.example/cart/../cart/7?q=1"})
	fmt.Print(a.Text, err)
	// Output:
	// method   GET
	// request  host shop.example path /cart/7
	// host     shop.example: exact name; wildcards and the catch-all are not asked
	//      *   Prefix /cart: its segments start the path
	// route    Prefix /cart: the longest prefix that matches, and no exact path does
	// ingress  shop/web, created 2023-11-14T22:13:20Z
	// policy   request body at most 8388608 bytes
	// policy   read timeout 3s
	// backend  shop/cart:80 HTTP, balanced round_robin
	//      *   endpoint 10.0.0.7:8080 zone a
	// <nil>
}
