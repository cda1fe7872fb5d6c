package interop

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const sluice = "../../bin/sluice"

// long asks for the form of the tests that takes minutes.
var long = os.Getenv("INTEROP_LONG") != ""

// measures skips a test that takes long because it measures, where the quick form is asked for.
func measures(t *testing.T) {
	if testing.Short() {
		t.Skip("measures; run make interop")
	}
}

func TestMain(m *testing.M) {
	flooderMain()
	if _, err := os.Stat(sluice); err != nil {
		fmt.Println("interop: no bin/sluice; run make interop")
		os.Exit(1)
	}
	// net/http and x/net/http2 speak RFC 8441 only where the environment has this at the start.
	if debug := os.Getenv("GODEBUG"); !strings.Contains(debug, "http2xconnect=1") {
		self, err := os.Executable()
		if err == nil {
			os.Setenv("GODEBUG", strings.TrimPrefix(debug+",http2xconnect=1", ","))
			err = syscall.Exec(self, os.Args, os.Environ())
		}
		fmt.Println("interop: start again with RFC 8441 on:", err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// patience is how long a test waits for what is to come, on whatever machine.
const patience = time.Minute

// gateway is one running bin/sluice.
type gateway struct {
	t             *testing.T
	plain, secure string // addresses of its listeners
	metrics       string
	folder        string // of its manifests
	cmd           *exec.Cmd
	log           bytes.Buffer
	ended         chan struct{} // closed once err is set
	err           error
}

// start runs a gateway that serves these. config is YAML, added to the configuration.
func start(t *testing.T, config string, services ...service) *gateway {
	t.Helper()
	return startBy(t, (*exec.Cmd).Start, 2, config, services...)
}

// startPinned is start on one CPU, with one loop. lazily has it run only where nothing else needs the CPU.
func startPinned(t *testing.T, cpu int, lazily bool, config string, services ...service) *gateway {
	t.Helper()
	return startBy(t, func(cmd *exec.Cmd) error {
		if lazily {
			chrt, err := exec.LookPath("chrt")
			if err != nil {
				return err
			}
			cmd.Args = append([]string{chrt, "-i", "0", cmd.Path}, cmd.Args[1:]...)
			cmd.Path = chrt
			apartFrom(cmd)
		}
		err := startOn(cpu, cmd.Start)
		if lazily && err == nil {
			sessionNice(cmd.Process.Pid, 19)
		}
		return err
	}, 1, config, services...)
}

func startBy(t *testing.T, run func(*exec.Cmd) error, threads int, config string, services ...service) *gateway {
	t.Helper()
	g := &gateway{t: t, plain: freeAddr(t), secure: freeAddr(t), metrics: freeAddr(t), folder: t.TempDir(), ended: make(chan struct{})}
	file := filepath.Join(t.TempDir(), "sluice.yaml")
	g.must(os.WriteFile(file, fmt.Appendf(nil, `version: 1
threads: %d
upgrade_sock: ""
listen:
  http: [%q]
  https: [%q]
  metrics: %q
  admin: ""
  admin_socket: ""
limits: {body_bytes: 0}
tls: {default_certificate: default/cert, handshakes_per_source: 0}
%s`, threads, g.plain, g.secure, g.metrics, config), 0o600))
	g.write("class.yaml", classYAML)
	g.write("secret.yaml", secretYAML(certPEM, keyPEM))
	for _, s := range services {
		g.apply(s, 0)
	}
	g.cmd = exec.Command(sluice, "serve", "-c", file, "--manifests", g.folder)
	g.cmd.Stderr = &g.log
	g.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	g.must(run(g.cmd))
	go func() {
		g.err = g.cmd.Wait()
		close(g.ended)
	}()
	t.Cleanup(func() {
		_ = g.cmd.Process.Kill()
		<-g.ended
		if t.Failed() {
			t.Logf("the gateway's log:\n%s", g.log.String())
		}
	})
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) { // asks a process
		select {
		case <-g.ended:
			t.Fatalf("the gateway ended: %v\n%s", g.err, g.log.String())
		default:
		}
		resp, err := http.Get("http://" + g.metrics + "/readyz")
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode == 200 {
				return g
			}
		}
		if time.Now().After(deadline) {
			t.Fatalf("the gateway is not ready: %v\n%s", err, g.log.String())
		}
	}
}

func (g *gateway) must(err error) {
	g.t.Helper()
	if err != nil {
		g.t.Fatal(err)
	}
}

// write replaces a manifest in one step, as a ConfigMap volume or a careful editor does.
func (g *gateway) write(name, text string) {
	g.t.Helper()
	hidden := filepath.Join(g.folder, "."+name+".new")
	g.must(os.WriteFile(hidden, []byte(text), 0o600))
	g.must(os.Rename(hidden, filepath.Join(g.folder, name)))
}

// apply makes s served. A new round is a change of its Routes.
func (g *gateway) apply(s service, round int) {
	g.t.Helper()
	g.write(s.name()+".yaml", s.yaml(round))
}

// generation is the number of the Snapshot in force.
func (g *gateway) generation() float64 { return g.metric("sluice_snapshot_generation") }

// metric sums the series of a metric whose label sets contain all of the given text.
func (g *gateway) metric(name string, labels ...string) (sum float64) {
	g.t.Helper()
	resp, err := http.Get("http://" + g.metrics + "/metrics")
	g.must(err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	g.must(err)
	found := false
series:
	for line := range strings.Lines(string(text)) {
		rest, ok := strings.CutPrefix(line, name)
		if !ok || rest[0] != '{' && rest[0] != ' ' {
			continue
		}
		found = true
		for _, l := range labels {
			if !strings.Contains(rest, l) {
				continue series
			}
		}
		v, err := strconv.ParseFloat(strings.TrimSpace(rest[strings.LastIndexByte(rest, ' ')+1:]), 64)
		g.must(err)
		sum += v
	}
	if !found {
		g.t.Errorf("no metric %s", name)
	}
	return sum
}

// rss returns the resident set of the gateway in bytes.
func (g *gateway) rss() int64 {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", g.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	pages, _ := strconv.ParseInt(strings.Fields(string(b))[1], 10, 64)
	return pages * int64(os.Getpagesize())
}

// cpu returns the CPU time that the gateway used, in ticks of 10 ms.
func (g *gateway) cpu() time.Duration {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", g.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	f := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	user, _ := strconv.ParseInt(f[11], 10, 64)
	system, _ := strconv.ParseInt(f[12], 10, 64)
	return time.Duration(user+system) * 10 * time.Millisecond
}

// watchRSS samples the resident set until the returned function is called, which gives the highest.
func (g *gateway) watchRSS() (peak func() int64) {
	stop, result := make(chan struct{}), make(chan int64)
	go func() {
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		high := g.rss()
		for {
			select {
			case <-tick.C:
				high = max(high, g.rss())
			case <-stop:
				result <- max(high, g.rss())
				return
			}
		}
	}()
	return func() int64 { close(stop); return <-result }
}

// given are the ports that freeAddr has returned.
var given sync.Map

// freeAddr returns an address without a listener, and that no other call returns. Its port is below those
// that the kernel gives out by itself: one of those could be taken, by a connection of this machine's, before
// or in between the times that a server listens there.
func freeAddr(t *testing.T) string {
	t.Helper()
	for range 1000 {
		port := 12000 + rand.IntN(18000)
		if _, taken := given.LoadOrStore(port, true); taken {
			continue
		}
		addr := fmt.Sprintf("127.0.0.1:%d", port)
		if ln, err := net.Listen("tcp", addr); err == nil {
			ln.Close()
			return addr
		}
	}
	t.Fatal("no port is free")
	return ""
}

func mebibytes(n int64) string { return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20)) }
