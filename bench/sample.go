package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// rig is one started proxy that was found ready, with the parts that belong to its case.
type rig struct {
	process *Process
	addr    string
	script  string // wrk's Lua script
	body    string // file that h2load posts, "" to get
	mix     string // file of the requests of bench load, "" where it makes one kind
	size    int    // bytes of a whole answer as wrk gets it, head and body
	answer  int    // bytes of its body
	cert    string // file of the certificate, "" without TLS
	proxy   string // taskset lists; "" when the case is not pinned
	load    string
}

// settings are the values that all proxies share.
func (r *Runner) settings() Settings {
	host, port := split(r.origin)
	limit := fileLimit()
	return Settings{
		Threads:     1,
		MaxFiles:    limit,
		MaxConns:    min(16384, limit*4/5),
		Files:       filepath.Join(r.dir, "files"),
		Host:        benchHost,
		Small:       smallAnswer,
		Backend:     r.origin,
		BackendAddr: host,
		BackendPort: port,
	}
}

// split is the ip and the port of one of the run's own addresses.
func split(addr string) (string, int) {
	host, port, _ := net.SplitHostPort(addr)
	n, _ := strconv.Atoi(port)
	return host, n
}

// forCase adds the settings of a case.
func (s Settings) forCase(c Case, r *Runner) Settings {
	s.Threads, s.Down, s.Up, s.GRPC = c.Threads, c.Down, c.Up, c.Call != ""
	if c.Up.H2 {
		s.Backend = r.origin2
		s.BackendAddr, s.BackendPort = split(r.origin2)
	}
	if len(c.Mix) > 0 {
		s.Backend = r.origin1
		s.BackendAddr, s.BackendPort = split(r.origin1)
	}
	if c.Down.TLS {
		s.Cert, s.Key, s.CertAndKey = r.keys.Cert, r.keys.Key, r.keys.Both
		s.CertData = base64.StdEncoding.EncodeToString(r.keys.certPEM)
		s.KeyData = base64.StdEncoding.EncodeToString(r.keys.keyPEM)
	}
	return s
}

// sample measures one proxy once. Every error ends up in Invalid.
func (r *Runner) sample(ctx context.Context, c Case, p Peer, rate float64) Sample {
	if why := p.cannot(c); why != "" {
		return Sample{Unserved: why}
	}
	g, err := r.start(ctx, c, p)
	if why, ok := errors.AsType[notServed](err); ok {
		return Sample{Unserved: oneLine(why.Error())}
	}
	if err != nil {
		return Sample{Invalid: oneLine(err.Error())}
	}
	defer g.process.stop()

	var s Sample
	switch c.Kind {
	case kindLoad, kindShake:
		s, err = r.load(ctx, c, g)
	case kindRate:
		s, err = r.rate(ctx, c, g, rate)
	case kindIdle:
		s, err = r.idle(ctx, c, g)
	}
	switch {
	case err != nil:
		s.Invalid = oneLine(err.Error())
	case g.process.exited():
		s.Invalid = oneLine("the proxy ended during the measurement: " + g.process.output.last())
	case s.Errors > 0:
		s.Invalid = oneLine(fmt.Sprintf("%d errors in %d requests %s", s.Errors, s.Requests, s.reason))
	}
	return s
}

// oneLine makes the output of a proxy or a load generator fit a list item of the report.
func oneLine(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if len(s) > 700 {
		s = s[:200] + " ... " + s[len(s)-500:]
	}
	return s
}

// start starts a proxy for a case and waits until it does the work of the case.
func (r *Runner) start(ctx context.Context, c Case, p Peer) (*rig, error) {
	r.serial++
	s := r.settings().forCase(c, r)
	s.Dir = filepath.Join(r.dir, strconv.Itoa(r.serial)+"-"+p.Name)
	for _, addr := range []*string{&s.Listen, &s.Metrics, &s.Admin, &s.Plain} {
		var err error
		if *addr, err = r.ports.address(); err != nil {
			return nil, err
		}
	}
	s.ListenAddr, s.ListenPort = split(s.Listen)
	g := &rig{addr: s.Listen, script: filepath.Join(s.Dir, "wrk.lua"), cert: s.Cert}
	if c.Threads == 1 {
		g.proxy, g.load = r.options.ProxyCPU, r.options.LoadCPU
	}

	var script struct{ Targets string }
	host, path := s.Host, c.Path
	if c.only() {
		t := routeTable(c.Routes)
		if err := t.writeManifests(filepath.Join(s.Dir, "manifests")); err != nil {
			return nil, err
		}
		script.Targets = filepath.Join(s.Dir, "targets")
		if err := t.writeTargets(script.Targets); err != nil {
			return nil, err
		}
		host, path = t.target(0)
	}
	text, err := renderTemplate("templates/wrk.lua.tmpl", script)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(s.Dir, 0o755); err != nil {
		return nil, fmt.Errorf("make directory of %s: %w", p.Name, err)
	}
	if err := os.WriteFile(g.script, text, 0o644); err != nil {
		return nil, fmt.Errorf("write wrk script: %w", err)
	}
	if c.Call == callUnary {
		g.body = filepath.Join(s.Dir, "request")
		if err := os.WriteFile(g.body, unaryRequest, 0o644); err != nil {
			return nil, fmt.Errorf("write request: %w", err)
		}
	}

	if g.process, err = p.start(ctx, s, g.proxy); err != nil {
		return nil, err
	}
	from := client{wire: c.Up, addr: s.Backend, host: host}
	to := client{wire: c.Down, addr: s.Listen, host: host}
	if r.keys != nil {
		to.roots = r.keys.roots
	}
	if err := r.ready(ctx, p, s, g, func() error { return sameAnswer(c, from, to, path) }); err != nil {
		g.process.stop()
		return nil, err
	}
	if err := g.expect(c, from, to, path); err != nil {
		g.process.stop()
		return nil, err
	}
	if c.only() {
		// No Route of the big table leads to the origin's /forwarded; other cases check the same binary.
		return g, nil
	}
	if err := sameWork(c, to); err != nil {
		g.process.stop()
		return nil, err
	}
	return g, nil
}

// notServed is why a proxy that is up and ready cannot do the work of a case.
type notServed struct{ error }

// ready waits until the proxy does the work of a case.
func (r *Runner) ready(ctx context.Context, p Peer, s Settings, g *rig, works func() error) error {
	if p.Ready == "" {
		// They have one Route and are there within a second, Envoy within two.
		return await(ctx, g.process, 20*time.Second, works)
	}
	if err := await(ctx, g.process, time.Minute, func() error {
		_, _, err := client{addr: s.Metrics, host: s.Metrics}.do(http.MethodGet, p.Ready, nil, nil)
		return err
	}); err != nil {
		return err
	}
	err := works()
	if err == nil || g.process.exited() || ctx.Err() != nil {
		return err
	}
	return notServed{err}
}

// load runs the case's generator flat out: CPU per request and memory.
func (r *Runner) load(ctx context.Context, c Case, g *rig) (Sample, error) {
	if err := r.warm(ctx, c, g); err != nil {
		return Sample{}, err
	}
	t := c.tool()
	argv, err := t.argv(c, g, r.options.Duration)
	if err != nil {
		return Sample{}, err
	}
	w, err := r.openWindow(g.process)
	if err != nil {
		return Sample{}, err
	}
	p, err := startProcess(ctx, t.name, g.load, argv)
	if err != nil {
		return Sample{}, err
	}
	// Memory in the middle of the window, while all connections are at work.
	select {
	case <-time.After(r.options.Duration / 2):
	case <-p.done:
	}
	bytes, memoryErr := memory(w.pids)
	output, err := p.wait()
	if err != nil {
		return Sample{}, err
	}
	s, err := w.close(p)
	if err != nil {
		return s, err
	}
	if memoryErr != nil {
		return s, memoryErr
	}
	sum, err := t.read(c, g, output)
	if err != nil {
		return s, err
	}
	s.Memory = bytes
	s.Raw = output
	s.Requests, s.Errors, s.reason = sum.Requests, sum.Errors, sum.Reason
	if sum.Seconds > 0 {
		s.RPS = float64(sum.Requests) / sum.Seconds
	}
	return s.perRequest()
}

// warm loads the proxy for a while before anything counts.
func (r *Runner) warm(ctx context.Context, c Case, g *rig) error {
	t := c.tool()
	argv, err := t.argv(c, g, r.options.Warmup)
	if err != nil {
		return err
	}
	p, err := startProcess(ctx, t.name, g.load, argv)
	if err != nil {
		return err
	}
	_, err = p.wait()
	return err
}

// rate runs the constant-rate generator: latency.
func (r *Runner) rate(ctx context.Context, c Case, g *rig, rate float64) (Sample, error) {
	self, err := os.Executable()
	if err != nil {
		return Sample{}, fmt.Errorf("find own binary: %w", err)
	}
	w, err := r.openWindow(g.process)
	if err != nil {
		return Sample{}, err
	}
	p, err := startProcess(ctx, "bench load", g.load, []string{self, "load", "-addr", g.addr, "-host", benchHost, "-path", c.Path,
		"-answer", strconv.Itoa(g.answer), "-rate", strconv.FormatFloat(rate, 'f', 0, 64), "-conns", strconv.Itoa(c.Conns),
		"-warmup", r.options.Warmup.String(), "-duration", r.options.Duration.String()})
	if err != nil {
		return Sample{}, err
	}
	output, err := p.wait()
	if err != nil {
		return Sample{}, err
	}
	s, err := w.close(p)
	if err != nil {
		return s, err
	}
	var l loadReport
	if err := json.Unmarshal([]byte(output), &l); err != nil {
		return s, fmt.Errorf("read load report: %w: %s", err, output)
	}
	s.Raw = output
	s.Rate = rate
	s.Latency = l.Latency
	s.Requests, s.Errors, s.reason = l.Requests, l.Errors, l.Reason
	s.RPS = l.RPS
	if l.RPS < 0.99*rate {
		return s, fmt.Errorf("only %.0f of %.0f requests a second were answered", l.RPS, rate)
	}
	return s.perRequest()
}

// perRequest fills in CPUPerRequest.
func (s Sample) perRequest() (Sample, error) {
	if s.Requests == 0 {
		return s, fmt.Errorf("no request was answered")
	}
	s.CPUPerRequest = float64(s.CPU.Nanoseconds()) / 1e3 / float64(s.Requests)
	return s, nil
}

// window is a stretch of time over which CPU use is counted.
type window struct {
	pids    []int // of the proxy
	others  []int // of the origins
	started time.Time
	cpu     time.Duration
	other   time.Duration
	busy    time.Duration
	cores   int
}

func (r *Runner) openWindow(proxy *Process) (*window, error) {
	w := &window{cores: r.result.Machine.Cores}
	var err error
	if w.pids, err = family(proxy.pid()); err != nil {
		return nil, err
	}
	for _, p := range r.origins {
		pids, err := family(p.pid())
		if err != nil {
			return nil, err
		}
		w.others = append(w.others, pids...)
	}
	w.started = time.Now()
	w.cpu, w.other, w.busy, err = w.read()
	return w, err
}

// close ends the window; load is the generator, which has ended.
func (w *window) close(load *Process) (Sample, error) {
	cpu, other, busy, err := w.read()
	if err != nil {
		return Sample{}, err
	}
	s := Sample{Window: time.Since(w.started), CPU: cpu - w.cpu}
	known := s.CPU + (other - w.other) + load.cmd.ProcessState.UserTime() + load.cmd.ProcessState.SystemTime()
	s.Foreign = max(0, float64(busy-w.busy-known)/(float64(s.Window)*float64(w.cores)))
	return s, nil
}

func (w *window) read() (proxy, origin, machine time.Duration, err error) {
	if proxy, err = cpuTime(w.pids); err != nil {
		return
	}
	if origin, err = cpuTime(w.others); err != nil {
		return
	}
	machine, err = busyTime()
	return
}
