package acceptance

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestMain(m *testing.M) {
	if what := os.Getenv(floodVariable); what != "" {
		floodSide(what)
		return
	}
	if addrs := os.Getenv(probeVariable); addrs != "" {
		if err := probeSide(strings.Split(addrs, ",")); err != nil {
			fmt.Fprintln(os.Stderr, "probe:", err)
			os.Exit(1)
		}
		return
	}
	if what := os.Getenv(hostileVariable); what != "" {
		hostileSide(what)
		return
	}
	if os.Getenv("SLUICE_ACCEPTANCE") == "" {
		fmt.Println("acceptance: skipped; run make acceptance")
		return
	}
	os.Exit(m.Run())
}

const binary = "../../bin/sluice"

// gateway is one running bin/sluice.
type gateway struct {
	t       *testing.T
	addr    string // of its HTTP listener
	secure  string // of its HTTPS listener
	metrics string
	folder  string // of its manifests
	cmd     *exec.Cmd
	log     bytes.Buffer
	ended   chan struct{} // closed once err is set
	err     error
}

// oneSource is configuration for tests whose thousands of clients have one address.
const oneSource = "limits: {connections_per_source: 12000}\n"

// start runs a gateway that serves the given Endpoints under every path of Host a.test. config is
// YAML, added to the configuration.
func start(t *testing.T, config string, endpoints ...string) *gateway {
	t.Helper()
	return launch(t, exec.Command, config, endpoints...)
}

// confined is for launch: a process with 4,096 descriptors, and told to keep below 512 MiB as the DaemonSet does.
func confined(name string, args ...string) *exec.Cmd {
	cmd := exec.Command("sh", append([]string{"-c", `ulimit -n 4096 && exec "$0" "$@"`, name}, args...)...)
	cmd.Env = append(os.Environ(), "GOMEMLIMIT=460MiB")
	return cmd
}

// launch is start for a process that command makes.
func launch(t *testing.T, command func(name string, args ...string) *exec.Cmd, config string, endpoints ...string) *gateway {
	t.Helper()
	g := &gateway{t: t, addr: freeAddr(t), secure: freeAddr(t), metrics: freeAddr(t), folder: t.TempDir(), ended: make(chan struct{})}
	file := filepath.Join(t.TempDir(), "sluice.yaml")
	g.must(os.WriteFile(file, fmt.Appendf(nil, "version: 1\nthreads: 2\nupgrade_sock: \"\"\nlisten:\n  http: [%q]\n  https: [%q]\n  metrics: %q\n  admin: \"\"\n  admin_socket: \"\"\n%s",
		g.addr, g.secure, g.metrics, config), 0o600))
	g.write("class.yaml", classYAML)
	g.write("ingress.yaml", ingressYAML(0))
	g.write("service.yaml", serviceYAML)
	g.setEndpoints(endpoints...)
	g.cmd = command(binary, "serve", "-c", file, "--manifests", g.folder)
	g.cmd.Stderr = &g.log
	g.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	g.must(g.cmd.Start())
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
	for deadline := time.Now().Add(15 * time.Second); ; time.Sleep(20 * time.Millisecond) {
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

// setEndpoints makes the Service's EndpointSlices hold exactly these, each host:port.
func (g *gateway) setEndpoints(endpoints ...string) {
	g.t.Helper()
	g.write("slices.yaml", slicesYAML(endpoints))
}

// rss returns the resident set of the gateway in bytes.
func (g *gateway) rss() int64 {
	g.t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", g.cmd.Process.Pid))
	g.must(err)
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == "VmRSS:" {
			n, err := strconv.ParseInt(f[1], 10, 64)
			g.must(err)
			return n << 10
		}
	}
	g.t.Fatal("no VmRSS")
	return 0
}

// warm makes the gateway allocate what any traffic makes it allocate.
func (g *gateway) warm() {
	for range 64 {
		c := g.dial()
		for range 50 {
			if _, err := c.get("/quick"); err != nil {
				g.t.Fatal(err)
			}
		}
		c.Close()
	}
}

// latency returns the 99th percentile of n requests, one after another.
func (g *gateway) latency(n int) time.Duration {
	g.t.Helper()
	c := g.dial()
	defer c.Close()
	all := make([]time.Duration, n)
	for i := range all {
		begun := time.Now()
		if _, err := c.get("/quick"); err != nil {
			g.t.Fatalf("a request beside the others: %v", err)
		}
		all[i] = time.Since(begun)
	}
	slices.Sort(all)
	return all[n*99/100]
}

// client is a connection to the gateway.
type client struct {
	net.Conn
	r *bufio.Reader
}

// newClient reads through little, because some tests have thousands.
func newClient(c net.Conn) *client { return &client{c, bufio.NewReaderSize(c, 1<<10)} }

func (g *gateway) dial() *client {
	g.t.Helper()
	c, err := net.Dial("tcp", g.addr)
	g.must(err)
	return newClient(c)
}

// get sends a GET and reads the whole answer. closes is true where the gateway ends the connection.
func (c *client) get(path string) (closes bool, err error) {
	c.SetDeadline(time.Now().Add(30 * time.Second))
	if _, err := fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: a.test\r\n\r\n", path); err != nil {
		return false, err
	}
	resp, err := http.ReadResponse(c.r, nil)
	if err != nil {
		return false, err
	}
	_, err = io.Copy(io.Discard, resp.Body)
	if err == nil && resp.StatusCode != 200 {
		err = fmt.Errorf("status %d", resp.StatusCode)
	}
	return resp.Close, err
}

func freeAddr(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

func mebibytes(n int64) string { return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20)) }
