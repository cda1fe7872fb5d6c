package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

func testSettings() Settings {
	return Settings{
		Threads: 1, MaxConns: 1000, MaxFiles: 2000, Dir: "/run/bench/1", Files: "/run/bench/files", Host: benchHost,
		Listen: "127.0.0.1:18001", ListenAddr: "127.0.0.1", ListenPort: 18001, Backend: "127.0.0.1:18000", BackendAddr: "127.0.0.1", BackendPort: 18000,
		Metrics: "127.0.0.1:18002", Admin: "127.0.0.1:18003", Plain: "127.0.0.1:18004", Small: smallAnswer,
	}
}

// caseSettings are testSettings for every case, with a key pair that is never read.
func caseSettings() map[string]Settings {
	r := &Runner{origin1: "127.0.0.1:18005", origin2: "127.0.0.1:18000", keys: &keyPair{
		Cert: "/run/bench/tls.crt", Key: "/run/bench/tls.key", Both: "/run/bench/tls.pem", certPEM: []byte("certificate"), keyPEM: []byte("key"),
	}}
	all := map[string]Settings{}
	for _, c := range cases {
		all[c.ID] = testSettings().forCase(c, r)
	}
	return all
}

// Every peer's configuration renders, leaves no blank behind, and points at the origin and the listener.
func TestTemplatesRender(t *testing.T) {
	names, err := fs.Glob(files, "peers/*.tmpl")
	if err != nil || len(names) == 0 {
		t.Fatalf("no templates: %v", err)
	}
	for id, settings := range caseSettings() {
		for _, name := range names {
			checkTemplate(t, name, id, settings)
		}
	}
	for _, p := range append(peers(places{Sluice: "bin/sluice"}), backend) {
		for from := range p.Templates {
			if _, err := fs.Stat(files, from); err != nil {
				t.Errorf("%s: %v", p.Name, err)
			}
		}
	}
}

func checkTemplate(t *testing.T, name, id string, settings Settings) {
	t.Helper()
	text, err := renderTemplate(name, settings)
	if err != nil {
		t.Errorf("case %s: %v", id, err)
		return
	}
	for _, bad := range []string{"<no value>", "{{", `""; #`} {
		if strings.Contains(string(text), bad) {
			t.Errorf("case %s: %s has %q left in it", id, name, bad)
		}
	}
	if name == "peers/h2o-openssl.cnf.tmpl" {
		return // ciphers and tickets alone
	}
	names := false // what the case's origin or the listener is called by
	for _, port := range []string{"18000", "18001", "18005"} {
		names = names || strings.Contains(string(text), port)
	}
	if !names {
		t.Errorf("case %s: %s names neither origin nor listener", id, name)
	}
	if !strings.Contains(name, ".yaml") {
		return
	}
	for doc := range strings.SplitSeq(string(text), "\n---\n") {
		var v map[string]any
		if err := yaml.UnmarshalStrict([]byte(doc), &v); err != nil {
			t.Errorf("case %s: %s: %v", id, name, err)
		}
	}
}

// The settings of a case stand in every contender's configuration, and in that of no other case.
func TestCaseSettings(t *testing.T) {
	all := caseSettings()
	tests := []struct {
		name, text string
		in         string // cases
	}{
		{"peers/nginx.conf.tmpl", " ssl http2;", "tls64 h2tls h2h2 handshake resumed idletls"},
		{"peers/nginx.conf.tmpl", "4096 http2;", "h2c grpc grpcdeadline grpcstream"},
		{"peers/nginx.conf.tmpl", "grpc_pass grpc://backend;", "h2h2 grpc grpcdeadline grpcstream"},
		{"peers/nginx.conf.tmpl", "Ciphersuites TLS_AES_128_GCM_SHA256;", "tls64 h2tls h2h2 handshake resumed idletls"},
		{"peers/haproxy.cfg.tmpl", " ssl crt /run/bench/tls.pem alpn h2,http/1.1\n", "tls64 h2tls h2h2 handshake resumed idletls"},
		{"peers/haproxy.cfg.tmpl", "backlog 4096 proto h2\n", "h2c grpc grpcdeadline grpcstream"},
		{"peers/haproxy.cfg.tmpl", "pool-purge-delay 1h proto h2\n", "h2h2 grpc grpcdeadline grpcstream"},
		{"peers/haproxy.cfg.tmpl", "X-Forwarded-Proto https\n", "tls64 h2tls h2h2 handshake resumed idletls"},
		{"peers/envoy.yaml.tmpl", "envoy.transport_sockets.tls", "tls64 h2tls h2h2 handshake resumed idletls"},
		{"peers/envoy.yaml.tmpl", "alpn_protocols: [h2, http/1.1]", "tls64 h2tls h2h2 handshake resumed idletls"},
		{"peers/envoy.yaml.tmpl", "codec_type: HTTP2", "h2c grpc grpcdeadline grpcstream"},
		{"peers/envoy.yaml.tmpl", "explicit_http_config: {http2_protocol_options: {}}", "h2h2 grpc grpcdeadline grpcstream"},
		{"peers/h2o.conf.tmpl", "certificate-file: /run/bench/tls.crt", "tls64 h2tls h2h2 handshake resumed idletls"},
		{"peers/h2o.conf.tmpl", "mode: ticket", "tls64 h2tls h2h2 handshake resumed idletls"},
		{"peers/pingora.conf.tmpl", "cert /run/bench/tls.crt\nkey /run/bench/tls.key\n", "tls64 h2tls h2h2 handshake resumed idletls"},
		{"peers/pingora.conf.tmpl", "up_h2 true\n", "h2h2 grpc grpcdeadline grpcstream"},
		{"peers/pingora.conf.tmpl", "down_h2 true\n", "h2tls h2c h2h2 grpc grpcdeadline grpcstream"},
		{"peers/pingora.conf.tmpl", "origin 127.0.0.1:18005\n", "post1k post1m mixed"},
		{"peers/nginx.conf.tmpl", "server 127.0.0.1:18005;", "post1k post1m mixed"},
		{"peers/envoy.yaml.tmpl", "port_value: 18005", "post1k post1m mixed"},
		{"peers/sluice.yaml.tmpl", `https: ["127.0.0.1:18001"]`, "tls64 h2tls h2h2 handshake resumed idletls"},
		{"peers/sluice-manifests.yaml.tmpl", "secretName: bench-tls", "tls64 h2tls h2h2 handshake resumed idletls"},
		{"peers/sluice-manifests.yaml.tmpl", "tls.crt: Y2VydGlmaWNhdGU=\n", "tls64 h2tls h2h2 handshake resumed idletls"},
		{"peers/sluice-manifests.yaml.tmpl", "backend-protocol: GRPC}", "grpc grpcdeadline grpcstream"},
		{"peers/sluice-manifests.yaml.tmpl", "appProtocol: kubernetes.io/h2c", "h2h2"},
	}
	for _, tt := range tests {
		want := strings.Fields(tt.in)
		for _, c := range cases {
			text, err := renderTemplate(tt.name, all[c.ID])
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Contains(string(text), tt.text); got != slices.Contains(want, c.ID) {
				t.Errorf("%s: %q in case %s: %v", tt.name, tt.text, c.ID, got)
			}
		}
	}
}

func TestReuseportOnlyForSeveralWorkers(t *testing.T) {
	s := testSettings()
	for threads, want := range map[int]bool{1: false, 2: true} {
		s.Threads = threads
		text, err := renderTemplate("peers/nginx.conf.tmpl", s)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(string(text), " reuseport;"); got != want {
			t.Errorf("reuseport with %d workers: %v", threads, got)
		}
	}
}

func TestRouteTable(t *testing.T) {
	dir := t.TempDir()
	table := routeTable(5005)
	if err := table.writeManifests(dir); err != nil {
		t.Fatal(err)
	}
	names, err := filepath.Glob(filepath.Join(dir, "*.yaml"))
	if err != nil || len(names) != 2 {
		t.Fatalf("%d files, want 2: %v", len(names), err)
	}
	routes := map[string]bool{}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for doc := range strings.SplitSeq(strings.TrimPrefix(string(text), "---\n"), "---\n") {
			var in struct {
				Spec struct {
					Rules []struct {
						Host string
						HTTP struct{ Paths []struct{ Path string } }
					}
				}
			}
			if err := yaml.Unmarshal([]byte(doc), &in); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			for _, r := range in.Spec.Rules {
				for _, p := range r.HTTP.Paths {
					routes[r.Host+" "+p.Path] = true
				}
			}
		}
	}
	if len(routes) != int(table) {
		t.Errorf("%d different Routes, want %d", len(routes), table)
	}

	targets := filepath.Join(dir, "targets")
	if err := table.writeTargets(targets); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(targets)
	if err != nil {
		t.Fatal(err)
	}
	hit := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		route, _, ok := strings.Cut(line, "/items/")
		if !ok || !routes[route] {
			t.Fatalf("target %q is no Route of the table", line)
		}
		hit[route] = true
	}
	if len(hit) != int(table) {
		t.Errorf("targets hit %d of %d Routes", len(hit), table)
	}
}
