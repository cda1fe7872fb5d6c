package acceptance

import (
	"crypto/tls"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// openTLS opens connections of one request each, a few at a time, and returns them.
func (g *gateway) openTLS(n int) []*client {
	g.t.Helper()
	all := make([]*client, n)
	var next atomic.Int64
	var openers sync.WaitGroup
	for range 8 {
		openers.Go(func() {
			for i := next.Add(1) - 1; i < int64(n); i = next.Add(1) - 1 {
				c, err := tls.Dial("tcp", g.secure, anyCertificate)
				if err == nil {
					all[i] = newClient(c)
					_, err = all[i].get("/quick")
				}
				if err != nil {
					g.t.Errorf("connection %d: %v", i, err)
					return
				}
			}
		})
	}
	openers.Wait()
	if g.t.Failed() {
		g.t.FailNow()
	}
	g.t.Cleanup(func() {
		for _, c := range all {
			c.Close()
		}
	})
	return all
}

// shownBy waits until new handshakes see a certificate, and returns how long that took.
func (g *gateway) shownBy(serial int64, since time.Time) time.Duration {
	g.t.Helper()
	for {
		begun := time.Now() // a handshake that begins now and gets the Certificate proves that it was live
		c := g.dialTLS()
		got := c.serial()
		c.Close()
		if got == serial {
			return begun.Sub(since)
		}
		if time.Since(since) > 10*time.Second {
			g.t.Fatalf("certificate %d was not seen in 10 s, but %d", serial, got)
		}
	}
}

// TestCertificateRenewal renews a certificate under 10,000 open connections over TLS.
func TestCertificateRenewal(t *testing.T) {
	const connections, rounds, bar = 10_000, 20, 50 * time.Millisecond
	app, _ := stuckBackend(t)
	g := start(t, oneSource, app)
	g.secureHost(1)
	g.shownBy(1, time.Now())
	open := g.openTLS(connections)
	var took []time.Duration
	for i := range int64(rounds) {
		certificate, key := g.pair(2+i, "a.test")
		g.write("secret.yaml", secretYAML("a-test", certificate, key))
		took = append(took, g.shownBy(2+i, time.Now()))
	}
	slices.Sort(took)
	for i, c := range open {
		if closes, err := c.get("/quick"); err != nil || closes {
			t.Fatalf("open connection %d: closes %v, %v", i, closes, err)
		}
	}
	t.Logf("%d renewals under %d connections: seen by new handshakes after %v (median), %v (worst); bar %v; no open connection closed",
		rounds, connections, took[rounds/2], took[rounds-1], bar)
	// The median: on a shared machine one round can meet another process's load.
	if took[rounds/2] > bar {
		t.Errorf("a renewal took %v, bar %v", took[rounds/2], bar)
	}
}

// TestIdleTLSConnections: 10,000 keep-alive connections over TLS that have had one request each.
func TestIdleTLSConnections(t *testing.T) {
	const connections, bar = 10_000, 24 << 10
	app, _ := stuckBackend(t)
	g := start(t, oneSource, app)
	g.secureHost(1)
	g.shownBy(1, time.Now())
	g.warm()
	before := g.rss()
	g.openTLS(connections)
	grown := g.rss() - before
	t.Logf("%d idle connections over TLS: the gateway grew by %s, %d bytes each (bar %d)", connections, mebibytes(grown), grown/connections, bar)
	if grown/connections > bar {
		t.Errorf("%d bytes each, bar %d", grown/connections, bar)
	}
}

// TestManySecrets: 10,000 Secrets, and the Ingresses that name them, arrive while a client asks each
// millisecond.
func TestManySecrets(t *testing.T) {
	const secrets, files, bar = 10_000, 100, 10 * time.Millisecond
	app, _ := stuckBackend(t)
	g := start(t, oneSource, app)
	g.secureHost(1)
	g.shownBy(1, time.Now())
	g.warm()
	// One pair under many names: what its generation costs is no matter, and its parsing is the same.
	certificate, key := g.pair(7, "*.many.test")
	texts := make([]strings.Builder, files)
	for i := range secrets {
		b := &texts[i%files]
		fmt.Fprintf(b, "---\n%s---\n%s", secretYAML(fmt.Sprintf("s%d", i), certificate, key), secretIngressYAML(i))
	}
	// An effect on both gateways is the machine's doing.
	idle := start(t, "", app)
	idle.secureHost(1)
	idle.shownBy(1, time.Now())
	idle.warm()
	hidden := filepath.Join(g.folder, ".new")
	g.must(os.Mkdir(hidden, 0o700))
	for i := range texts {
		g.must(os.WriteFile(filepath.Join(hidden, fmt.Sprintf("many-%d.yaml", i)), []byte(texts[i].String()), 0o600))
	}
	p := startProbe(t, idle, g)
	begun := time.Now()
	g.must(os.Rename(hidden, filepath.Join(g.folder, "many")))
	for g.metric("sluice_hosts") < secrets || g.names() < secrets {
		if time.Since(begun) > 60*time.Second {
			t.Fatalf("not loaded after a minute: %.0f hosts, %d names", g.metric("sluice_hosts"), g.names())
		}
		time.Sleep(2 * time.Second) // a scrape has a line for each name, and is work of its own
	}
	both := p.end()
	t.Logf("%d Secrets loaded in %v; what the event loops answer each millisecond took: during it %v; of an idle gateway meanwhile %v; bar %v",
		secrets, time.Since(begun).Round(time.Millisecond), both[1], both[0], bar)
	if most := max(bar, 2*both[0].slowest); both[1].slowest > most {
		t.Errorf("a stall of %v, bar %v", both[1].slowest, most)
	}
}

// names is how many server names have a certificate.
func (g *gateway) names() int {
	return g.count("nginx_ingress_controller_ssl_expire_time_seconds")
}

func secretIngressYAML(i int) string {
	return fmt.Sprintf(`apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: many-%[1]d, namespace: default}
spec:
  ingressClassName: sluice
  tls: [{hosts: [h%[1]d.many.test], secretName: s%[1]d}]
  rules:
  - host: h%[1]d.many.test
    http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: app, port: {number: 80}}}}]}
`, i)
}

// spread summarises the times of a number of requests.
type spread struct {
	n                       int
	p50, p99, p999, slowest time.Duration
	over                    int // the bar of 10 ms
}

func (s spread) String() string {
	return fmt.Sprintf("%d requests: p50 %v p99 %v p99.9 %v slowest %v, %d over 10 ms", s.n, s.p50, s.p99, s.p999, s.slowest, s.over)
}

// stalls asks two gateways every millisecond, each on a connection in clear text and one over TLS, until
// done is closed or d has passed.
func stalls(t *testing.T, d time.Duration, done <-chan struct{}, a, b *gateway) (ofA, ofB spread) {
	var took [2][2][]time.Duration
	var askers sync.WaitGroup
	end := time.Now().Add(d)
	for i, g := range []*gateway{a, b} {
		for j, c := range []*client{g.dial(), g.dialTLS()} {
			askers.Go(func() {
				defer c.Close()
				tick := time.NewTicker(time.Millisecond)
				defer tick.Stop()
				for time.Now().Before(end) {
					select {
					case <-done:
						return
					case <-tick.C:
					}
					begun := time.Now()
					if _, err := c.get("/quick"); err != nil {
						t.Errorf("a request: %v", err)
						return
					}
					took[i][j] = append(took[i][j], time.Since(begun))
				}
			})
		}
	}
	askers.Wait()
	return newSpread(slices.Concat(took[0][:]...)), newSpread(slices.Concat(took[1][:]...))
}

func newSpread(all []time.Duration) spread {
	s := spread{n: len(all)}
	if s.n == 0 {
		return s
	}
	slices.Sort(all)
	s.p50, s.p99, s.p999, s.slowest = all[s.n/2], all[s.n*99/100], all[s.n*999/1000], all[s.n-1]
	for _, took := range all {
		if took > 10*time.Millisecond {
			s.over++
		}
	}
	return s
}
