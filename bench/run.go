package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"time"
)

// Runner measures the chosen peers in the chosen cases. It is used once, by one goroutine.
type Runner struct {
	// Immutable after newRunner:
	options Options
	cases   []Case
	peers   []Peer
	dir     string // scratch, on tmpfs where there is one
	log     io.Writer

	ports   *portAllocator
	keys    *keyPair // nil where no case has TLS
	origins []*Process
	origin  string             // ip:port of the origin for HTTP/1.1
	origin1 string             // and of the one that takes bodies, "" where no case needs it
	origin2 string             // and of the one for HTTP/2, "" where no case needs it
	maximum map[string]float64 // requests a second by peer, where a case asked for it that small64 had not measured
	serial  int                // numbers the scratch directories of proxies
	result  *Result
}

// tmpfs is where the origin's files go, so that no disk takes part.
const tmpfs = "/dev/shm"

// newRunner makes the scratch directory; close removes it.
func newRunner(o Options, c []Case, p []Peer, result *Result, log io.Writer) (*Runner, error) {
	parent := tmpfs
	if _, err := os.Stat(parent); err != nil {
		parent = os.TempDir()
	}
	dir, err := os.MkdirTemp(parent, "sluice-bench-")
	if err != nil {
		return nil, fmt.Errorf("make scratch directory: %w", err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		return nil, fmt.Errorf("open scratch directory to workers: %w", err)
	}
	return &Runner{options: o, cases: c, peers: p, dir: dir, log: log, ports: newPortAllocator(), result: result}, nil
}

// close ends the origins and removes the scratch directory.
func (r *Runner) close() {
	for _, p := range r.origins {
		p.stop()
	}
	os.RemoveAll(r.dir)
}

// run measures everything. A sample that fails is kept with the reason and does not end the run; an
// interrupt does.
func (r *Runner) run(ctx context.Context) error {
	if err := r.prepare(ctx); err != nil {
		return err
	}
	for _, c := range r.cases {
		if r.options.Conns > 0 && c.Kind != kindIdle {
			c.Conns = r.options.Conns
		}
		contenders := r.contenders(c)
		if len(contenders) == 0 {
			continue
		}
		var rate float64
		if c.Kind == kindRate {
			var err error
			if rate, err = r.rateOf(ctx, c); err != nil {
				return err
			}
		}
		fmt.Fprintf(r.log, "%s: %s\n", c.ID, c.Title)
		unserved := map[string]bool{}
		for round := range r.options.Rounds {
			for i := range contenders {
				// Each round starts with another proxy, so that none always follows the same one.
				p := contenders[(i+round)%len(contenders)]
				if unserved[p.Name] {
					continue
				}
				s := r.sample(ctx, c, p, rate)
				unserved[p.Name] = s.Unserved != ""
				if ctx.Err() != nil {
					return context.Cause(ctx)
				}
				s.Case, s.Peer, s.Round = c.ID, p.Name, round+1
				r.result.Samples = append(r.result.Samples, s)
				fmt.Fprintf(r.log, "  round %d %-11s %s\n", round+1, p.Name, describe(s))
			}
		}
	}
	return nil
}

// contenders are the peers that take part in a case.
func (r *Runner) contenders(c Case) []Peer {
	if !c.only() {
		return r.peers
	}
	for _, p := range r.peers {
		if p.Name == sluiceName {
			return []Peer{p}
		}
	}
	return nil
}

// describe is one line about a sample, for a person who watches.
func describe(s Sample) string {
	switch {
	case s.Unserved != "":
		return "NOT SERVED: " + s.Unserved
	case s.Invalid != "":
		return fmt.Sprintf("INVALID: %s  (%.1f%% foreign)", s.Invalid, 100*s.Foreign)
	case s.MemoryPerConn != 0:
		return fmt.Sprintf("%8.0f bytes/connection  %6.1f MiB", s.MemoryPerConn, float64(s.Memory)/(1<<20))
	case s.Rate != 0:
		return fmt.Sprintf("%8.2f us/request  p50 %.0f  p99 %.0f  p99.9 %.0f us at %.0f/s  %4.1f%% foreign",
			s.CPUPerRequest, s.Latency.P50, s.Latency.P99, s.Latency.P999, s.Rate, 100*s.Foreign)
	}
	return fmt.Sprintf("%8.2f us/request  %8.0f/s  %6.1f MiB  %3.0f%% busy  %4.1f%% foreign",
		s.CPUPerRequest, s.RPS, float64(s.Memory)/(1<<20), 100*s.CPU.Seconds()/s.Window.Seconds(), 100*s.Foreign)
}

// prepare makes everything that the chosen cases need beside the proxies.
func (r *Runner) prepare(ctx context.Context) error {
	if err := r.startBackend(ctx); err != nil {
		return err
	}
	for _, c := range r.cases {
		if c.Down.TLS && r.keys == nil {
			var err error
			if r.keys, err = newKeyPair(filepath.Join(r.dir, "tls")); err != nil {
				return err
			}
		}
		var err error
		if c.Up.H2 && r.origin2 == "" {
			if r.origin2, err = r.startOrigin(ctx, Wire{H2: true}); err != nil {
				return err
			}
		}
		if len(c.Mix) > 0 && r.origin1 == "" {
			if r.origin1, err = r.startOrigin(ctx, Wire{}); err != nil {
				return err
			}
		}
	}
	return nil
}

// startBackend writes the origin's files and starts it on the load generator's cores.
func (r *Runner) startBackend(ctx context.Context) error {
	root := filepath.Join(r.dir, "files")
	if err := os.MkdirAll(root, 0o755); err != nil {
		return fmt.Errorf("make origin's files: %w", err)
	}
	for name, size := range map[string]int{"16k": 16 << 10, "1m": 1 << 20} {
		if err := os.WriteFile(filepath.Join(root, name), body(size), 0o644); err != nil {
			return fmt.Errorf("make origin's files: %w", err)
		}
	}
	addr, err := r.ports.address()
	if err != nil {
		return err
	}
	r.origin = addr
	s := r.settings()
	s.Dir = filepath.Join(r.dir, "backend")
	origin, err := backend.find(ctx)
	if err != nil {
		return fmt.Errorf("find the origin: %w", err)
	}
	p, err := origin.start(ctx, s, r.options.LoadCPU)
	if err != nil {
		return err
	}
	r.origins = append(r.origins, p)
	return await(ctx, p, 10*time.Second, func() error {
		_, _, err := client{addr: addr, host: benchHost}.do(http.MethodGet, "/", nil, nil)
		return err
	})
}

// startOrigin starts one of the origins that are this program, on the load generator's cores, and gives its address.
func (r *Runner) startOrigin(ctx context.Context, w Wire) (string, error) {
	addr, err := r.ports.address()
	if err != nil {
		return "", err
	}
	self, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("find own binary: %w", err)
	}
	p, err := startProcess(ctx, "bench origin", r.options.LoadCPU, []string{self, "origin", "-addr", addr, fmt.Sprintf("-http1=%v", !w.H2)})
	if err != nil {
		return "", err
	}
	r.origins = append(r.origins, p)
	return addr, await(ctx, p, 10*time.Second, func() error {
		_, _, err := client{wire: w, addr: addr, host: benchHost}.do(http.MethodGet, "/", nil, nil)
		return err
	})
}

// body is size bytes of text.
func body(size int) []byte {
	b := make([]byte, size)
	for i := range b {
		b[i] = "0123456789abcdefghijklmnopqrstuvwxyz\n"[i%37]
	}
	return b
}

// await calls ready every few milliseconds until it returns nil, the process ends, or the time is up.
func await(ctx context.Context, p *Process, limit time.Duration, ready func() error) error {
	deadline := time.Now().Add(limit)
	for {
		err := ready()
		switch {
		case err == nil:
			return nil
		case p.exited():
			return fmt.Errorf("start %s: it ended at once: %s", p.name, p.output.last())
		case time.Now().After(deadline):
			return fmt.Errorf("start %s: not ready after %v: %w: %s", p.name, limit, err, p.output.last())
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(20 * time.Millisecond):
		}
	}
}
