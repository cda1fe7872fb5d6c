package e2e

import (
	"slices"
	"strings"
	"testing"
)

func TestEndpointSlices(t *testing.T) {
	s := newSpace(t)
	a, b, c := startPod(t, "a"), startPod(t, "b"), startPod(t, "c")
	s.service("web", "http:80")
	s.ingress("x", s.host("x")+" / Prefix web:80")
	await(t, shared.gateway, s.host("x"), "/", "503") // no slice at all

	x := expect(s.host("x"), "/", "503")
	l := startLoad(calmConnections, calmPause, x)
	defer l.stop(t, 0)
	ports := []string{"http:" + podPort}

	l.change(t, x, []string{"200 a"}, nil, func() { s.slice("one", "web", ports, readyEndpoint(a)) })
	l.change(t, x, []string{"200 b"}, nil, func() { s.setEndpoints("one", readyEndpoint(b)) })
	l.change(t, x, []string{"200 a", "200 b"}, nil, func() { s.setEndpoints("one", readyEndpoints(a, b)...) })
	// Several slices add up, and each can go.
	l.change(t, x, []string{"200 a", "200 b", "200 c"}, nil, func() { s.slice("two", "web", ports, readyEndpoint(c)) })
	everyPodIsAsked(t, l, a, b, c)
	x.allowed.Store(&[]string{"200 a", "200 b", "200 c"})
	s.deleteSlice("one")
	awaitOnly(t, x, "200 c")
	// An Endpoint that is not ready gets no request.
	l.change(t, x, []string{"200 a"}, []string{"200 c"}, func() {
		s.setEndpoints("two", readyEndpoint(a), unreadyEndpoint(b), terminatingEndpoint(c))
	})
	// When nothing is ready, what still serves while it terminates does.
	l.change(t, x, []string{"200 c"}, nil, func() { s.setEndpoints("two", unreadyEndpoint(b), terminatingEndpoint(c)) })
	l.change(t, x, []string{"503"}, nil, func() { s.setEndpoints("two", unreadyEndpoint(b), endpoint(c, false, false, true)) })
	l.change(t, x, []string{"200 b"}, nil, func() { s.setEndpoints("two", readyEndpoint(b)) })
	l.change(t, x, []string{"503"}, nil, func() { s.deleteSlice("two") })
}

// everyPodIsAsked checks that the load is balanced over all of them.
func everyPodIsAsked(t *testing.T, l *load, pods ...*pod) {
	t.Helper()
	before := make([]int64, len(pods))
	for i, p := range pods {
		before[i] = p.asked.Load()
	}
	l.more(t, int64(100*len(pods)))
	for i, p := range pods {
		if p.asked.Load()-before[i] < 50 {
			t.Errorf("pod %s got %d of %d requests", p.name, p.asked.Load()-before[i], 100*len(pods))
		}
	}
}

// awaitOnly returns when many answers in a row are the same, which then is the only one that is right.
// It is for changes that only take answers away.
func awaitOnly(t *testing.T, x *target, answer string) {
	t.Helper()
	c := client{address: shared.gateway.address}
	defer c.close()
	for row := 0; row < 50; {
		a, err := c.get(x.host, x.path)
		switch {
		case err != nil || !slices.Contains(*x.allowed.Load(), a.String()):
			t.Fatalf("GET %s%s: %v %v, want one of %q", x.host, x.path, a, err, *x.allowed.Load())
		case a.String() == answer:
			row++
		default:
			row = 0
		}
	}
	x.allowed.Store(&[]string{answer})
}

// A Service's ports are found in slices by their name, and have the number that the slice has.
func TestPorts(t *testing.T) {
	s := newSpace(t)
	p := startPod(t, "p", "8080", "8081", "8082")
	s.service("web", "http:80", "admin:9000", "metrics:9100")
	s.slice("web-1", "web", []string{"http:8080", "admin:8081"}, readyEndpoint(p))
	s.slice("web-2", "web", []string{"metrics:8082"}, readyEndpoint(p))
	s.service("plain", ":80")
	s.slice("plain-1", "plain", []string{":8081"}, readyEndpoint(p))
	s.ingress("x",
		s.host("x")+" /http Prefix web:80",
		s.host("x")+" /admin Prefix web:admin",
		s.host("x")+" /metrics Prefix web:9100",
		s.host("x")+" /plain Prefix plain:80",
		s.host("x")+" /pod-port Prefix web:8080",
		s.host("x")+" /unknown Prefix web:nope",
	)
	await(t, shared.gateway, s.host("x"), "/plain", "200 p")
	c := client{address: shared.gateway.address}
	defer c.close()
	for _, row := range []struct{ path, want string }{
		{"/http", "p " + p.address + ":8080 /http"},
		{"/admin", "p " + p.address + ":8081 /admin"},
		{"/metrics", "p " + p.address + ":8082 /metrics"},
		{"/plain", "p " + p.address + ":8081 /plain"},
	} {
		if a, err := c.get(s.host("x"), row.path); err != nil || a.body != row.want {
			t.Errorf("GET %s: %v %q, want %q", row.path, err, a.body, row.want)
		}
	}
	check(t, s.host("x"), "/pod-port", "503")
	check(t, s.host("x"), "/unknown", "503")
}

func TestDualStack(t *testing.T) {
	s := newSpace(t)
	v4, v6 := startPod(t, "v4"), startPodAt(t, "v6", podAddress6[0])
	s.service("web", "http:80")
	ports := []string{"http:" + podPort}
	s.slice("web-4", "web", ports, readyEndpoint(v4))
	s.ingress("x", s.host("x")+" / Prefix web:80")
	await(t, shared.gateway, s.host("x"), "/", "200 v4")
	x := expect(s.host("x"), "/", "200 v4")
	l := startLoad(calmConnections, calmPause, x)
	defer l.stop(t, 0)
	l.change(t, x, []string{"200 v4", "200 v6"}, nil, func() { s.slice("web-6", "web", ports, readyEndpoint(v6)) })
	everyPodIsAsked(t, l, v4, v6)
	s.deleteSlice("web-4")
	awaitOnly(t, x, "200 v6")
}

func TestExternalName(t *testing.T) {
	s := newSpace(t)
	a, b := startPod(t, "a"), startPod(t, "b")
	name := strings.ToLower(s.name) + ".example.test"
	setName(name, a.address)
	s.externalName("outside", name)
	s.ingress("x", s.host("x")+" / Prefix outside:"+podPort)
	await(t, shared.gateway, s.host("x"), "/", "200 a")
	x := expect(s.host("x"), "/", "200 a")
	l := startLoad(calmConnections, calmPause, x)
	defer l.stop(t, 0)
	// The TTL is one second.
	l.change(t, x, []string{"200 b"}, nil, func() { setName(name, b.address) })
}
