package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Peer is one measured proxy: how to find, configure, start and recognise it.
type Peer struct {
	Name string
	// Binaries are where the program may be, in this order: names on PATH, paths, or patterns of paths.
	Binaries []string
	// Install is how to get it, for the reader of a report that lacks it.
	Install string

	// Templates maps an embedded template to the file it becomes in the proxy's directory.
	Templates map[string]string
	// Args are the arguments; {dir} stands for the proxy's directory, {threads} for their number.
	Args []string
	// Env are variables beside the run's own, in the form NAME=value; {dir} as in Args.
	Env []string
	// Version are the arguments that print the version.
	Version []string

	// Ready is a path on Settings.Metrics that answers 200 once the proxy serves all that it can; "" where only
	// a request shows that. A case that does not work then does not work at all, and is no failed measurement.
	Ready string
	// Cannot is why the proxy cannot do the work of a case, "" where it can. nil: it can do all of them.
	Cannot func(Case) string

	// named is true where Binaries is what a flag says.
	named bool

	// Set by find:
	path    string // of the binary
	version string // the first line that it prints about itself
}

// backend is the origin, an nginx too; it is started like a peer but never measured.
var backend = Peer{
	Name:      "backend",
	Binaries:  []string{"nginx", "/usr/sbin/nginx"},
	Install:   "apt-get install nginx",
	Templates: map[string]string{"peers/backend.conf.tmpl": "backend.conf"},
	Args:      []string{"-p", "{dir}", "-e", "stderr", "-c", "{dir}/backend.conf", "-g", "daemon off;"},
	Version:   []string{"-v"},
}

// find looks for the binary and asks it for its version: one that does not run, because a library is missing or it
// was built for another machine, is not there.
func (p Peer) find(ctx context.Context) (Peer, error) {
	for _, b := range p.Binaries {
		path := lookUp(b)
		if path == "" {
			continue
		}
		out, err := p.askVersion(ctx, path)
		if err != nil {
			return p, fmt.Errorf("%s: %s does not run: %w: %s", p.Name, path, err, oneLine(out))
		}
		line, _, _ := strings.Cut(strings.TrimSpace(out), "\n")
		// Envoy begins with where it is, which is nobody's business.
		p.path, p.version = path, strings.TrimSpace(strings.ReplaceAll(line, path, ""))
		return p, nil
	}
	if p.named {
		return p, fmt.Errorf("%s: %s is not there", p.Name, p.Binaries[0])
	}
	return p, fmt.Errorf("%s: not installed (%s)", p.Name, p.Install)
}

// lookUp is the absolute path of a program, "" where there is none. Of several that a pattern matches it is the
// last by name.
func lookUp(binary string) string {
	if strings.ContainsAny(binary, "*?[") {
		matches, err := filepath.Glob(binary)
		if err != nil || len(matches) == 0 {
			return ""
		}
		binary = slices.Max(matches)
	}
	path, err := exec.LookPath(binary)
	if err != nil {
		return ""
	}
	if path, err = filepath.Abs(path); err != nil {
		return ""
	}
	return path
}

func (p Peer) askVersion(ctx context.Context, path string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, path, p.Version...).CombinedOutput()
	return string(out), err
}

// cannot is why the proxy cannot do the work of a case, "" where it can.
func (p Peer) cannot(c Case) string {
	if p.Cannot == nil {
		return ""
	}
	return p.Cannot(c)
}

// start writes the configuration into s.Dir and starts the proxy on cpus. The peer is one that find has found.
func (p Peer) start(ctx context.Context, s Settings, cpus string) (*Process, error) {
	// World-readable: nginx's workers drop their privileges.
	if err := os.MkdirAll(filepath.Join(s.Dir, "tmp"), 0o755); err != nil {
		return nil, fmt.Errorf("make directory of %s: %w", p.Name, err)
	}
	for from, to := range p.Templates {
		if err := s.render(from, filepath.Join(s.Dir, to)); err != nil {
			return nil, fmt.Errorf("configure %s: %w", p.Name, err)
		}
	}
	fill := strings.NewReplacer("{dir}", s.Dir, "{threads}", strconv.Itoa(s.Threads))
	argv := []string{p.path}
	for _, a := range p.Args {
		argv = append(argv, fill.Replace(a))
	}
	var env []string
	for _, e := range p.Env {
		env = append(env, fill.Replace(e))
	}
	return startProcess(ctx, p.Name, cpus, argv, env...)
}
