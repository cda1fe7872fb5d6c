package filter

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"testing"

	"github.com/sluice-gateway/sluice/routing"
	"github.com/sluice-gateway/sluice/routing/policy"
	"github.com/sluice-gateway/sluice/server"
	"github.com/sluice-gateway/sluice/server/config"
)

// gateway is a Server with the gateway's own Filters, whose Routes, of the path / and of ACME's challenges, have a Policy.
type gateway struct {
	t       *testing.T
	base    string
	publish func(*policy.Policy)
}

func newGateway(t *testing.T, p *policy.Policy, app http.HandlerFunc) *gateway {
	t.Helper()
	return newGatewayOf(t, p, app, func(b *routing.Builder, of *routing.Source) (*routing.Host, *routing.Route) {
		host, _ := b.BuildHost("", []routing.Route{
			{Path: "/", Type: routing.Prefix, Source: of},
			{Path: "/.well-known/acme-challenge", Type: routing.Prefix, Source: of},
		})
		return host, nil
	})
}

// newGatewayOf is newGateway with other Routes: a catch-all Host, and the default Route, which the object of has with the Policy.
// Their only Backend is that of index 0.
func newGatewayOf(t *testing.T, p *policy.Policy, app http.HandlerFunc, routes func(b *routing.Builder, of *routing.Source) (*routing.Host, *routing.Route)) *gateway {
	t.Helper()
	s, store := newServer(t)
	endpoint := httptest.NewServer(app)
	t.Cleanup(endpoint.Close)
	publish := func(p *policy.Policy) {
		builder := routing.Builder{Attach: s.Attach}
		host, fallback := routes(&builder, &routing.Source{Ingress: routing.ObjectName{Namespace: "default", Name: "app"}, Policy: p})
		var table *routing.Table
		snapshot := &routing.Snapshot{
			Table: table.With(map[string]*routing.Host{"": host}, fallback),
			Backends: []*routing.Backend{{
				Key:       routing.BackendKey{Namespace: "default", Service: "app", Port: "80"},
				Endpoints: []routing.Endpoint{{Addr: netip.MustParseAddrPort(endpoint.Listener.Addr().String())}},
			}},
		}
		store.Publish(snapshot)
		s.OnPublish(snapshot)
	}
	publish(p)
	return &gateway{t, "http://127.0.0.1:" + strconv.Itoa(s.Ports()[0]), publish}
}

// newServer starts a Server with the gateway's own Filters, on one port, without a Snapshot.
func newServer(t *testing.T) (*server.Server, *routing.Store) {
	t.Helper()
	c := config.Default()
	c.Threads = 1
	c.Forwarded.TrustedCIDRs = []string{"127.0.0.1"}
	store := &routing.Store{}
	s, err := server.New(c, store, slog.New(slog.DiscardHandler), server.Options{Makers: Makers()})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Listen([]string{"127.0.0.1:0"}); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- s.Run() }()
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_ = s.Drain(ctx)
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	return s, store
}

// ask sends a request with the given fields, name and value in turn.
func (g *gateway) ask(method, path string, fields ...string) (*http.Response, string) {
	g.t.Helper()
	return g.askBy(http.DefaultTransport, method, path, fields...)
}

func (g *gateway) askBy(transport http.RoundTripper, method, path string, fields ...string) (*http.Response, string) {
	g.t.Helper()
	return g.askAt(transport, g.base, method, path, fields...)
}

// askAt is askBy for another base than the gateway's own address, which the transport leads there.
func (g *gateway) askAt(transport http.RoundTripper, base, method, path string, fields ...string) (*http.Response, string) {
	g.t.Helper()
	req, err := http.NewRequest(method, base+path, nil)
	if err != nil {
		g.t.Fatal(err)
	}
	for i := 0; i < len(fields); i += 2 {
		req.Header.Add(fields[i], fields[i+1])
	}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		g.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		g.t.Fatal(err)
	}
	return resp, string(body)
}

func with(filters ...policy.Filter) *policy.Policy {
	p := &policy.Policy{}
	for _, f := range filters {
		p.Set(f)
	}
	return p
}
