package acceptance

import (
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestHostile: everything that a client or a tenant can do to others, at once, beside honest clients of another
// tenant, on a gateway with 512 MiB and 4,096 descriptors. No honest request fails, the slowest hundredth takes at
// most twice as long as without it or as on a gateway beside it, memory stays below its limit, and every
// probe is answered.
//
// SLUICE_HOSTILE_FOR is how long each part lasts, 10s by default.
func TestHostile(t *testing.T) {
	last := 10 * time.Second
	if text := os.Getenv("SLUICE_HOSTILE_FOR"); text != "" {
		var err error
		if last, err = time.ParseDuration(text); err != nil {
			t.Fatal(err)
		}
	}
	for _, row := range []struct {
		name            string
		clients, tenant bool
	}{{"clients", true, false}, {"tenant", false, true}, {"both", true, true}} {
		t.Run(row.name, func(t *testing.T) {
			app := sharedBackend(t)
			g, idle := launch(t, confined, "", app), start(t, "", app)
			for _, g := range []*gateway{g, idle} {
				g.secureHost(1)
				g.own("2020-01-01T00:00:00Z")
				g.shownBy(1, time.Now())
			}
			g.hostileHosts(deafBackend(t))
			g.warm()

			quiet := g.honest(64, 2).during(3 * time.Second)
			watch := g.watch()
			if row.tenant {
				defer g.hostileTenant()()
			}
			if row.clients {
				defer g.hostileClients()()
			}
			time.Sleep(time.Second) // to come to full strength
			besides := idle.honest(16, 130)
			during := g.honest(64, 2).during(last)
			beside := besides.end()
			most, failed, probes := watch()
			t.Logf("%d honest requests, p99 %v (quiet %v, on an idle gateway beside it %v); RSS at most %s; %d probes; shed: %s",
				len(during.took), during.p99(), quiet.p99(), beside.p99(), mebibytes(most), probes, g.shed())
			if n := during.failed.Load() + quiet.failed.Load(); n > 0 {
				t.Errorf("%d honest requests failed", n)
			}
			if bar := 2 * max(quiet.p99(), beside.p99()); during.p99() > bar {
				t.Errorf("p99 %v, bar %v", during.p99(), bar)
			}
			if most >= 512<<20 {
				t.Errorf("RSS %s", mebibytes(most))
			}
			if len(failed) > 0 {
				t.Errorf("%d of %d probes failed, the first: %s", len(failed), probes, failed[0])
			}
			if row.tenant {
				g.wantShut()
			}
		})
	}
}

// honest is clients that ask now and then, each from an address of its own.
type honest struct {
	g      *gateway
	stop   chan struct{}
	wg     sync.WaitGroup
	failed atomic.Int64

	mu sync.Mutex
	// Guarded by mu:
	took []time.Duration
}

// honestPause is between two requests of one client, and honestEach how many it sends on a connection.
const (
	honestPause = 20 * time.Millisecond
	honestEach  = 25
)

// honest begins n clients, from 127.0.1.first on; half of them over TLS.
func (g *gateway) honest(n, first int) *honest {
	h := &honest{g: g, stop: make(chan struct{})}
	for i := range n {
		h.wg.Go(func() { h.client(net.IPv4(127, 0, 1, byte(first+i)), i%2 == 1) })
	}
	return h
}

func (h *honest) client(from net.IP, secure bool) {
	d := &net.Dialer{LocalAddr: &net.TCPAddr{IP: from}, Timeout: 10 * time.Second}
	pause := time.NewTicker(honestPause)
	defer pause.Stop()
	for {
		begun := time.Now()
		c, err := h.dial(d, secure)
		if err != nil {
			h.fail(err)
			continue
		}
		for n := 0; n < honestEach; n++ {
			if n > 0 {
				begun = time.Now()
			}
			_, err := c.get("/quick")
			if err != nil {
				h.fail(err)
				break
			}
			took := time.Since(begun)
			if n > 0 { // the first has the connection's begin in it
				h.mu.Lock()
				h.took = append(h.took, took)
				h.mu.Unlock()
			}
			select {
			case <-h.stop:
				c.Close()
				return
			case <-pause.C:
			}
		}
		c.Close()
	}
}

func (h *honest) dial(d *net.Dialer, secure bool) (*client, error) {
	if !secure {
		c, err := d.Dial("tcp", h.g.addr)
		if err != nil {
			return nil, err
		}
		return newClient(c), nil
	}
	c, err := tls.DialWithDialer(d, "tcp", h.g.secure, anyCertificate)
	if err != nil {
		return nil, err
	}
	if n := c.ConnectionState().PeerCertificates[0].SerialNumber.Int64(); n != 1 {
		c.Close()
		return nil, fmt.Errorf("shown certificate %d, which is not its host's", n)
	}
	return newClient(c), nil
}

func (h *honest) fail(err error) {
	if h.failed.Add(1) <= 5 {
		h.g.t.Logf("an honest request failed: %v", err)
	}
	select {
	case <-h.stop:
	case <-time.After(honestPause):
	}
}

func (h *honest) during(d time.Duration) *honest {
	time.Sleep(d)
	return h.end()
}

func (h *honest) end() *honest {
	close(h.stop)
	h.wg.Wait()
	slices.Sort(h.took)
	return h
}

func (h *honest) p99() time.Duration {
	if len(h.took) == 0 {
		return 0
	}
	return h.took[len(h.took)*99/100]
}

// watch probes the gateway as a kubelet does and looks at its memory, until the function that it returns is called.
func (g *gateway) watch() func() (rss int64, failed []string, probes int) {
	stop, done := make(chan struct{}), make(chan struct{})
	var most int64
	var failed []string
	probes := 0
	go func() {
		defer close(done)
		kubelet := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
		for tick := time.NewTicker(100 * time.Millisecond); ; {
			probes++
			begun := time.Now()
			resp, err := kubelet.Get("http://" + g.metrics + "/healthz")
			if err == nil {
				_, _ = io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
				if resp.StatusCode != 200 {
					err = fmt.Errorf("status %d", resp.StatusCode)
				}
			}
			if err != nil {
				failed = append(failed, fmt.Sprintf("after %v: %v", time.Since(begun), err))
			}
			most = max(most, g.rss())
			select {
			case <-stop:
				return
			case <-tick.C:
			}
		}
	}()
	return func() (int64, []string, int) {
		close(stop)
		<-done
		return most, failed, probes
	}
}

// own gives the Ingress of a.test an age.
func (g *gateway) own(created string) {
	g.t.Helper()
	text, err := os.ReadFile(g.folder + "/ingress.yaml")
	g.must(err)
	g.write("ingress.yaml", strings.Replace(string(text), "metadata: {name: app, namespace: default}",
		fmt.Sprintf("metadata: {name: app, namespace: default, creationTimestamp: %q}", created), 1))
}

// shed returns the gateway's counts of shed connections and requests, by reason.
func (g *gateway) shed() string {
	var all []string
	for _, why := range []string{"full", "connections_per_source", "requests_per_source", "stalled_streams", "descriptors", "buffered_bytes"} {
		all = append(all, fmt.Sprintf("%s %.0f", why, g.metric("sluice_shed_total", `"`+why+`"`)))
	}
	return strings.Join(all, ", ")
}

// sharedBackend answers /quick at once, /mebibyte with that many bytes, /endless with bytes without end, and what has
// a body once it has come.
func sharedBackend(t *testing.T) (addr string) {
	piece := make([]byte, 64<<10)
	return serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		most := 0
		switch r.URL.Path {
		case "/mebibyte":
			most = 1 << 20
			w.Header().Set("Content-Length", strconv.Itoa(most))
		case "/endless":
			most = gibibyte
		default:
			_, _ = io.WriteString(w, "ok")
		}
		for ; most > 0; most -= len(piece) {
			if _, err := w.Write(piece); err != nil {
				return
			}
		}
	}))
}

func serve(t *testing.T, h http.Handler) (addr string) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	server := &http.Server{Handler: h, Protocols: protocols, ErrorLog: log.New(io.Discard, "", 0)}
	t.Cleanup(func() { server.Close() })
	go func() { _ = server.Serve(ln) }()
	return ln.Addr().String()
}

// deafBackend speaks h2c and takes no byte of a body.
func deafBackend(t *testing.T) (addr string) {
	return serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}))
}
