package acceptance

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// load is clients that ask without pause, on connections that they close only when asked to.
type load struct {
	wg             sync.WaitGroup
	stop           atomic.Bool
	served, failed atomic.Int64
}

// startLoad runs n clients until end. Where the gateway refuses connections they end as well.
func (g *gateway) startLoad(n int) *load {
	l := &load{}
	for range n {
		l.wg.Go(func() {
			for !l.stop.Load() {
				conn, err := net.Dial("tcp", g.addr)
				if err != nil {
					return // the listener is gone: a drain
				}
				c := newClient(conn)
				for closes := false; !closes && !l.stop.Load(); {
					if closes, err = c.get("/quick"); err != nil {
						if l.failed.Add(1) <= 5 {
							g.t.Logf("request failed: %v", err)
						}
						break
					}
					l.served.Add(1)
				}
				conn.Close()
			}
		})
	}
	return l
}

func (l *load) end() (served, failed int64) {
	l.stop.Store(true)
	l.wg.Wait()
	return l.served.Load(), l.failed.Load()
}

// passed waits until n more requests were served.
func (l *load) passed(n int64) {
	for goal := l.served.Load() + n; l.served.Load() < goal; {
		time.Sleep(time.Millisecond)
	}
}

// pod is a Backend that can end as Pods do.
type pod struct {
	addr   string
	server *http.Server
}

func startPod(t *testing.T) *pod {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &pod{ln.Addr().String(), &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "ok") })}}
	go p.server.Serve(ln)
	t.Cleanup(func() { p.server.Close() })
	return p
}

// TestRollingReplacement replaces every Pod of a Backend, several times over, under load: the Endpoint
// leaves, and 100 ms later its listener and its connections are closed.
func TestRollingReplacement(t *testing.T) {
	pods := []*pod{startPod(t), startPod(t), startPod(t)}
	addrs := func() (a []string) {
		for _, p := range pods {
			a = append(a, p.addr)
		}
		return a
	}
	g := start(t, "", addrs()...)
	l := g.startLoad(32)
	const rounds = 10
	for range rounds {
		for i, old := range pods {
			l.passed(200)
			pods[i] = startPod(t)
			g.setEndpoints(addrs()...)
			time.Sleep(100 * time.Millisecond)
			old.server.Close()
		}
	}
	l.passed(200)
	served, failed := l.end()
	t.Logf("%d Pods replaced: %d requests served, %d failed (bar 0)", rounds*len(pods), served, failed)
	if failed > 0 {
		t.Errorf("%d requests failed", failed)
	}
}

// TestKilledPod kills a Pod's process without a word, under load, and takes it out of the manifests
// only a second later.
func TestKilledPod(t *testing.T) {
	stays := startPod(t)
	addr := freeAddr(t)
	victim := exec.Command(binary, "echo", "--listen", addr)
	victim.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := victim.Start(); err != nil {
		t.Fatal(err)
	}
	defer victim.Wait()
	for {
		if c, err := net.Dial("tcp", addr); err == nil {
			c.Close()
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	g := start(t, "", stays.addr, addr)
	const clients = 32
	l := g.startLoad(clients)
	l.passed(2000)
	if err := victim.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Second)
	g.setEndpoints(stays.addr)
	l.passed(1000)
	served, failed := l.end()
	t.Logf("a Pod killed: %d requests served, %d failed (bar: those already in its connections, at most %d)", served, failed, clients)
	if failed > clients {
		t.Errorf("%d requests failed", failed)
	}
}

// TestTermination ends the gateway with SIGTERM under load, by clients that honour Connection: close.
func TestTermination(t *testing.T) {
	g := start(t, "", startPod(t).addr)
	l := g.startLoad(64)
	l.passed(5000)
	begun := time.Now()
	g.must(g.cmd.Process.Signal(syscall.SIGTERM))
	<-g.ended
	took := time.Since(begun)
	served, failed := l.end()
	t.Logf("SIGTERM: %d requests served, %d failed (bar 0); exit %v after %v", served, failed, g.cmd.ProcessState, took)
	if failed > 0 || g.err != nil {
		t.Errorf("%d requests failed; %v", failed, g.err)
	}
}

// TestConstantChange applies 10 changes of Ingress or Endpoints a second under wrk, for a minute or for
// SLUICE_CHURN.
func TestConstantChange(t *testing.T) {
	wrk, err := exec.LookPath("wrk")
	if err != nil {
		t.Skip("wrk is not installed")
	}
	lasts := time.Minute
	if s := os.Getenv("SLUICE_CHURN"); s != "" {
		if lasts, err = time.ParseDuration(s); err != nil {
			t.Fatal(err)
		}
	}
	pods := []string{startPod(t).addr, startPod(t).addr, startPod(t).addr}
	g := start(t, "", pods...)
	cmd := exec.Command(wrk, "-t1", "-c32", "-d"+strconv.Itoa(int(lasts.Seconds()))+"s", "--latency", "-H", "Host: a.test", "http://"+g.addr+"/quick")
	done := make(chan struct{})
	var out []byte
	go func() {
		out, err = cmd.CombinedOutput()
		close(done)
	}()
	changes := 0
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for ended := false; !ended; {
		select {
		case <-done:
			ended = true
		case <-tick.C:
			if changes++; changes%2 == 0 {
				g.write("ingress.yaml", ingressYAML(changes))
			} else {
				// Two of the three, each time others.
				g.setEndpoints(pods[changes/2%3], pods[(changes/2+1)%3])
			}
		}
	}
	g.must(err)
	report := string(out)
	rate := regexp.MustCompile(`Requests/sec:\s+\S+`).FindString(report)
	p99 := regexp.MustCompile(`(?m)^\s+99%\s+\S+`).FindString(report)
	t.Logf("%d changes in %v: %s, p99 %s", changes, lasts, rate, strings.TrimPrefix(strings.TrimSpace(p99), "99%"))
	if strings.Contains(report, "Socket errors") || strings.Contains(report, "Non-2xx") || rate == "" {
		t.Errorf("wrk met errors:\n%s", report)
	}
	if changes < int(lasts.Seconds())*9 {
		t.Errorf("only %d changes were made", changes)
	}
}
