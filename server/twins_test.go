package server

import (
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/routing"
	"github.com/sluice-gateway/sluice/server/config"
	"github.com/sluice-gateway/sluice/server/internal/servertest"
	"github.com/sluice-gateway/sluice/server/internal/stats"
)

// twinEndpoints are Pods with two addresses each, as an informer gives them: sorted, IPv4 first.
func twinEndpoints(pods [][2]string) (list []routing.Endpoint, twins []int32) {
	for _, pod := range pods {
		for _, address := range pod {
			list = append(list, routing.Endpoint{Addr: netip.MustParseAddrPort(address)})
		}
	}
	inOrder(list...)
	twins = make([]int32, len(list))
	at := func(address string) int32 {
		return int32(slices.Index(list, routing.Endpoint{Addr: netip.MustParseAddrPort(address)}))
	}
	for _, pod := range pods {
		twins[at(pod[0])], twins[at(pod[1])] = at(pod[1]), at(pod[0])
	}
	return list, twins
}

// listen6 is a listener on IPv6's loopback.
func listen6(t testing.TB) net.Listener {
	t.Helper()
	ln, err := net.Listen("tcp6", "[::1]:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	return ln
}

// TestPodsOfOneFamily: Pods of a dual-stack Service that cannot be connected to by IPv4, which is tried first, cost no
// request, although nothing is tried a second time elsewhere; and no Pod is asked twice as often for having two addresses.
func TestPodsOfOneFamily(t *testing.T) {
	t.Parallel()
	silent := servertest.FullListener(t)
	for _, protocol := range []routing.Protocol{routing.HTTP, routing.H2C} {
		for _, how := range []string{"refused", "timeout"} {
			t.Run(protocol.String()+" "+how, func(t *testing.T) {
				g := newGateway(t, func(c *config.Config) {
					c.Threads, c.Upstream.Retries = 1, 0
					c.Timeouts.Connect = config.Duration(long)
					if how == "timeout" {
						c.Timeouts.Connect = config.Duration(100 * time.Millisecond)
					}
				}, Options{})
				asked := make(chan string, 1000)
				var pods [][2]string
				for range 4 {
					ln := listen6(t)
					address := ln.Addr().String()
					protocols := new(http.Protocols)
					protocols.SetHTTP1(true)
					protocols.SetUnencryptedHTTP2(true)
					server := &http.Server{Protocols: protocols, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
						io.Copy(io.Discard, r.Body)
						asked <- address
					})}
					go server.Serve(ln)
					t.Cleanup(func() { server.Close() })
					dead := servertest.Refusing(t)
					if how == "timeout" {
						// The same dead address for all would be one Endpoint; another one of 127.0.0.0/8 each is not.
						dead = netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.MustParseAddrPort(silent).Port()).String()
						if len(pods) > 0 {
							dead = servertest.Refusing(t)
						}
					}
					pods = append(pods, [2]string{dead, address})
				}
				b := &routing.Backend{Protocol: protocol}
				b.Endpoints, b.Twins = twinEndpoints(pods)
				g.serveBackend(nil, b)
				c := g.wire()
				const requests = 80
				for i := range requests {
					c.Send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody")
					if got := c.ReadAnswer("POST"); got.StatusCode != 200 {
						t.Fatalf("request %d: %d %q", i, got.StatusCode, got.Text)
					}
				}
				counts := map[string]int{}
				for range requests {
					counts[<-asked]++
				}
				for _, pod := range pods {
					// The order changes once, when the Pods turn their other address.
					if n := counts[pod[1]]; n < requests/4-2 || n > requests/4+2 {
						t.Errorf("the Pods got %v of %d requests", counts, requests)
						break
					}
				}
				if n := g.counted(func(c *stats.Counters) uint64 { return c.Retries }); n != 0 {
					t.Errorf("%d retries", n)
				}
			})
		}
	}
}

// TestPodThatIsGone: where neither address of a Pod can be connected to, the one other attempt goes to another Pod, and not
// to the first one's other address.
func TestPodThatIsGone(t *testing.T) {
	t.Parallel()
	for _, protocol := range []routing.Protocol{routing.HTTP, routing.H2C} {
		g := newGateway(t, func(c *config.Config) { c.Threads, c.Upstream.Retries = 1, 1 }, Options{})
		ln := listen6(t)
		protocols := new(http.Protocols)
		protocols.SetHTTP1(true)
		protocols.SetUnencryptedHTTP2(true)
		server := &http.Server{Protocols: protocols, Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})}
		go server.Serve(ln)
		t.Cleanup(func() { server.Close() })
		gone := listen6(t)
		b := &routing.Backend{Protocol: protocol}
		b.Endpoints, b.Twins = twinEndpoints([][2]string{{servertest.Refusing(t), ln.Addr().String()}, {servertest.Refusing(t), gone.Addr().String()}})
		gone.Close()
		g.serveBackend(nil, b)
		c := g.wire()
		for i := range 40 {
			if got := c.Get("/"); got.StatusCode != 200 {
				t.Fatalf("%v: request %d: %d %q", protocol, i, got.StatusCode, got.Text)
			}
		}
	}
}

// TestPassthroughOfOneFamily is TestPodsOfOneFamily for connections that are passed on.
func TestPassthroughOfOneFamily(t *testing.T) {
	t.Parallel()
	g := newGateway(t, func(c *config.Config) { c.Threads, c.Upstream.Retries = 1, 0 }, Options{})
	hello := servertest.ClientHello(t, "pass.test")
	var pods [][2]string
	for range 3 {
		ln := listen6(t)
		go func() {
			for {
				c, err := ln.Accept()
				if err != nil {
					return
				}
				go func() {
					defer c.Close()
					if _, err := io.ReadFull(c, make([]byte, len(hello))); err == nil {
						io.Copy(c, c)
					}
				}()
			}
		}()
		pods = append(pods, [2]string{servertest.Refusing(t), ln.Addr().String()})
	}
	g.servePassthrough("")
	s := *g.store.Load()
	pass := *s.Backends[1]
	pass.Endpoints, pass.Twins = twinEndpoints(pods)
	s.Backends = []*routing.Backend{s.Backends[0], &pass}
	g.store.Publish(&s)
	g.OnPublish(&s)
	for range 12 {
		c := g.secureWire()
		c.Send("%s", hello+"ping")
		c.Exactly("ping")
	}
}
