package server

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"github.com/sluice-gateway/sluice/routing"
	asked "github.com/sluice-gateway/sluice/routing/policy"
	"github.com/sluice-gateway/sluice/server/config"
	"github.com/sluice-gateway/sluice/server/internal/servertest"
)

// rudeWorkers is how many pairs of rude parties are there at a time, and rudePairs how many follow each other.
const (
	rudeWorkers = 6
	rudePairs   = 12
)

// TestChaosEndings has clients and Endpoints of all protocols end what they do in every way there is, half-closes and resets
// with unread bytes among them, in the middle of tunnels, bodies and connections that are passed on. Whatever they do:
//
//  1. Bytes that one of them had sent when it ended, and the kernel had acknowledged, reach the other through a tunnel.
//  2. Clients beside them, on connections of their own, get the answers to their own requests, all of them.
//  3. In the end the gateway holds nothing.
//
// -chaos.rounds and -chaos.seed set the length and the first seed, as of TestChaos.
func TestChaosEndings(t *testing.T) {
	wantNoLeaks(t)
	rounds := *chaosRounds
	if testing.Short() {
		rounds = min(rounds, 1)
	}
	for i := range rounds {
		seed := *chaosSeed + uint64(i)
		t.Run(fmt.Sprint(seed), func(t *testing.T) { playEndings(t, seed) })
		if t.Failed() {
			return
		}
	}
}

func playEndings(t *testing.T, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 7))
	g := newGateway(t, func(c *config.Config) {
		c.HTTP.SpliceThreshold = config.Size(1 + rng.IntN(100_000))
		c.Timeouts.HalfClosed = config.Duration(10 * chaosBound)
	}, Options{})
	fine := servertest.StartBackend(t, false, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %d", r.URL.Path, len(body))
	}))
	rude := make([]*rudeWorker, rudeWorkers)
	for i := range rude {
		rude[i] = newRudeWorker(t, g, i, rand.New(rand.NewPCG(seed, uint64(1000+i))))
	}
	g.serveEndings(fine, rude)
	stop := make(chan struct{})
	var innocent, all sync.WaitGroup
	for i, client := range []func(*testing.T) *http.Client{servertest.HTTP1Client, servertest.HTTP1Client, servertest.HTTP2Client, servertest.HTTP2Client} {
		c, scheme := client(t), []string{"http", "https"}[i%2]
		addr := []string{g.addr, g.secureAddr}[i%2]
		innocent.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					c.CloseIdleConnections()
					return
				default:
				}
				path := fmt.Sprintf("/%d/%d", i, n)
				want := fmt.Sprintf("%s %d", path, n%5000)
				resp, err := c.Post(scheme+"://"+addr+path, "", strings.NewReader(strings.Repeat("x", n%5000)))
				if err != nil {
					t.Errorf("an innocent client: %v", err)
					return
				}
				got, err := io.ReadAll(resp.Body)
				resp.Body.Close()
				if string(got) != want || err != nil {
					t.Errorf("an innocent client got %q, %v, want %q", got, err, want)
					return
				}
			}
		})
	}
	for _, r := range rude {
		all.Go(func() {
			for range rudePairs {
				r.play()
			}
		})
	}
	all.Wait()
	close(stop)
	innocent.Wait()
	g.wantGone(t, "the end", nil)
}

// serveEndings publishes the catch-all Host, which goes to fine, and the Hosts of rude parties.
func (g *gateway) serveEndings(fine string, rude []*rudeWorker) {
	builder := routing.Builder{Attach: g.Attach}
	hosts := map[string]*routing.Host{}
	var backends []*routing.Backend
	add := func(name string, protocol routing.Protocol, endpoint string, passed bool) {
		b := &routing.Backend{
			Index: int32(len(backends)), Protocol: protocol,
			Key:       routing.BackendKey{Namespace: "default", Service: "s" + fmt.Sprint(len(backends)), Port: "80"},
			Endpoints: []routing.Endpoint{{Addr: netip.MustParseAddrPort(endpoint)}},
		}
		if protocol == routing.HTTPS || protocol == routing.GRPCS {
			b.TLS = &routing.BackendTLS{Name: "app"}
		}
		source := &routing.Source{Ingress: routing.ObjectName{Namespace: "default", Name: "app"}, Policy: &asked.Policy{Limits: asked.Limits{BodyBytes: -1}}}
		h, _ := builder.BuildHost(name, []routing.Route{{Path: "/", Type: routing.Prefix, Backend: b.Index, Source: source}})
		if passed {
			h = h.WithTLS(&routing.HostTLS{Passthrough: true, Backend: b.Index})
		}
		hosts[name] = h
		backends = append(backends, b)
	}
	add("", routing.HTTP, fine, false)
	for _, r := range rude {
		for i, protocol := range chaosProtocols {
			add(r.host(i), protocol, r.endpoints[i].Addr, false)
		}
		add(r.passed, routing.HTTP, r.behind.Addr, true)
	}
	var table *routing.Table
	s := &routing.Snapshot{Table: table.With(hosts, nil), Backends: backends}
	g.store.Publish(s)
	g.OnPublish(s)
}

// rudeWorker plays one pair after the other.
type rudeWorker struct {
	t         *testing.T
	g         *gateway
	n         int
	rng       *rand.Rand
	endpoints []*servertest.Endpoints // of chaosProtocols
	passed    string                  // the server name of what is passed on
	hello     string
	behind    *servertest.Endpoints
}

func newRudeWorker(t *testing.T, g *gateway, n int, rng *rand.Rand) *rudeWorker {
	r := &rudeWorker{t: t, g: g, n: n, rng: rng, passed: fmt.Sprintf("pass%d.test", n)}
	for _, p := range chaosProtocols {
		r.endpoints = append(r.endpoints, servertest.NewEndpoints(t, p, ""))
	}
	r.hello = servertest.ClientHello(t, r.passed)
	r.behind = servertest.NewEndpoints(t, routing.HTTP, r.hello)
	return r
}

func (r *rudeWorker) host(protocol int) string { return fmt.Sprintf("w%dp%d.test", r.n, protocol) }

// open begins an exchange, a tunnel or a connection that is passed on.
func (r *rudeWorker) open() (what string, c, p *servertest.Party) {
	protocol, k := r.rng.IntN(len(chaosProtocols)), servertest.Kinds[r.rng.IntN(len(servertest.Kinds))]
	receive := []int{0, slowReceive}[r.rng.IntN(2)]
	if r.rng.IntN(6) == 0 {
		w := r.g.secureWire()
		c = servertest.NewParty(r.t, "client", w)
		c.Send([]byte(r.hello))
		return "passed on", c, r.behind.Next(r.t)
	}
	c = r.g.party(r.t, k, receive)
	c.Host = r.host(protocol)
	what = k.Name + " to " + chaosProtocols[protocol].String()
	switch r.rng.IntN(4) {
	case 0:
		c.Ask("GET")
		c.Silent = true
		p = r.endpoints[protocol].Next(r.t)
		p.Accept(false, stillLength)
		c.Heard()
		return "answer " + what, c, p
	case 1:
		c.Ask("POST", "content-length", fmt.Sprint(stillLength))
		p = r.endpoints[protocol].Next(r.t)
		p.Accept(false, stillLength)
		c.Heard()
		return "body " + what, c, p
	}
	c.Ask("CONNECT")
	p = r.endpoints[protocol].Next(r.t)
	p.Accept(true, -1)
	c.Heard()
	return "tunnel " + what, c, p
}

// play has a pair send each other something, and end.
func (r *rudeWorker) play() {
	what, c, p := r.open()
	defer func() {
		c.Leave()
		p.Leave()
		r.g.settle() // the next request must not be sent on a session that has just ended: a POST goes out once
	}()
	one, other := c, p
	if r.rng.IntN(2) == 0 {
		one, other = p, c
	}
	// All of it fits in the least window.
	sent := servertest.Pattern(1 + r.rng.IntN(60<<10))
	if !other.Silent && r.rng.IntN(2) == 0 {
		other.Send([]byte(servertest.Greeting))
		one.Owed = len(servertest.Greeting)
	}
	if one.Silent {
		sent = nil
	}
	one.Send(sent)
	one.Acknowledged()
	first := leavings[r.rng.IntN(len(leavings))]
	if one.H2 != nil && !first.all {
		first = leavings[0] // to close the connection is to break off
	}
	first.do(one)
	tunnel := strings.HasPrefix(what, "tunnel") || what == "passed on"
	if tunnel && (one.H2 == nil || first.name != "closes with something unread") {
		got, end := other.Rest()
		if !bytes.Equal(got, sent) {
			r.t.Errorf("%s: one %s: %d bytes of %d came, and then the %s", what, first.name, len(got), len(sent), end)
		}
		if first.name == "breaks off" && end == "end" {
			r.t.Errorf("%s: a break became an end", what)
		}
	}
	leavings[r.rng.IntN(len(leavings))].do(other)
}
