package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Peer is one measured proxy: how to configure, start and recognise it.
type Peer struct {
	Name     string
	Binaries []string // looked up in order, on PATH or as a path

	// Templates maps an embedded template to the file it becomes in the proxy's directory.
	Templates map[string]string
	// Args are the arguments; {dir} stands for the proxy's directory.
	Args []string
	// Version are the arguments that print the version.
	Version []string

	// Ready is a path on Settings.Metrics that answers 200 once the proxy serves all that it can; "" where only
	// a request shows that. A case that does not work then does not work at all, and is no failed measurement.
	Ready string

	// Optional peers are skipped silently when not installed, required ones with a warning.
	Optional bool
}

// baseline are the peers that Sluice's bars are set against.
var baseline = []string{"nginx", "haproxy"}

const sluiceName = "sluice"

// peers is every proxy that bench knows. sluice is the path of its binary.
func peers(sluice string) []Peer {
	return []Peer{
		{
			Name:      "nginx",
			Binaries:  []string{"nginx", "/usr/sbin/nginx"},
			Templates: map[string]string{"peers/nginx.conf.tmpl": "nginx.conf"},
			Args:      []string{"-p", "{dir}", "-e", "stderr", "-c", "{dir}/nginx.conf", "-g", "daemon off;"},
			Version:   []string{"-v"},
		},
		{
			Name:      "haproxy",
			Binaries:  []string{"haproxy", "/usr/sbin/haproxy"},
			Templates: map[string]string{"peers/haproxy.cfg.tmpl": "haproxy.cfg"},
			Args:      []string{"-db", "-f", "{dir}/haproxy.cfg"},
			Version:   []string{"-v"},
		},
		{
			Name:     sluiceName,
			Binaries: []string{sluice},
			Templates: map[string]string{
				"peers/sluice.yaml.tmpl":           "sluice.yaml",
				"peers/sluice-manifests.yaml.tmpl": "manifests/bench.yaml",
			},
			Args:    []string{"serve", "-c", "{dir}/sluice.yaml", "--manifests", "{dir}/manifests"},
			Version: []string{"version"},
			Ready:   "/readyz",
		},
	}
}

// backend is the origin, an nginx too; it is started like a peer but never measured.
var backend = Peer{
	Name:      "backend",
	Binaries:  []string{"nginx", "/usr/sbin/nginx"},
	Templates: map[string]string{"peers/backend.conf.tmpl": "backend.conf"},
	Args:      []string{"-p", "{dir}", "-e", "stderr", "-c", "{dir}/backend.conf", "-g", "daemon off;"},
	Version:   []string{"-v"},
}

// binary is the path of the first of Binaries that exists.
func (p Peer) binary() (string, error) {
	for _, b := range p.Binaries {
		if path, err := exec.LookPath(b); err == nil {
			return filepath.Abs(path)
		}
	}
	return "", fmt.Errorf("find %s: none of %s is installed", p.Name, strings.Join(p.Binaries, ", "))
}

// version is the first line that the binary prints about itself.
func (p Peer) version() string {
	binary, err := p.binary()
	if err != nil {
		return ""
	}
	out, err := exec.Command(binary, p.Version...).CombinedOutput()
	if err != nil {
		return "unknown: " + err.Error()
	}
	line, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	return line
}

// start writes the configuration into s.Dir and starts the proxy on cpus.
func (p Peer) start(ctx context.Context, s Settings, cpus string) (*Process, error) {
	binary, err := p.binary()
	if err != nil {
		return nil, err
	}
	// World-readable: nginx's workers drop their privileges.
	if err := os.MkdirAll(filepath.Join(s.Dir, "tmp"), 0o755); err != nil {
		return nil, fmt.Errorf("make directory of %s: %w", p.Name, err)
	}
	for from, to := range p.Templates {
		if err := s.render(from, filepath.Join(s.Dir, to)); err != nil {
			return nil, fmt.Errorf("configure %s: %w", p.Name, err)
		}
	}
	argv := []string{binary}
	for _, a := range p.Args {
		argv = append(argv, strings.ReplaceAll(a, "{dir}", s.Dir))
	}
	return startProcess(ctx, p.Name, cpus, argv)
}

// selectPeers resolves a comma-separated list of names against the installed peers; "all" is all of them.
// missing has the others that were named, with why.
func selectPeers(list, sluice string) (found []Peer, missing []string, err error) {
	known := map[string]bool{}
	for _, p := range peers(sluice) {
		known[p.Name] = true
	}
	wanted := map[string]bool{}
	if list != "all" {
		for name := range strings.SplitSeq(list, ",") {
			name = strings.TrimSpace(name)
			if !known[name] {
				return nil, nil, fmt.Errorf("select peer %q: no such peer", name)
			}
			wanted[name] = true
		}
	}
	for _, p := range peers(sluice) {
		if list != "all" && !wanted[p.Name] {
			continue
		}
		if _, err := p.binary(); err != nil {
			if !p.Optional || wanted[p.Name] {
				missing = append(missing, err.Error())
			}
			continue
		}
		found = append(found, p)
	}
	return found, missing, nil
}
