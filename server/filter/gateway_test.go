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

// gateway is a Server with the gateway's own Filters, whose only Route, of the path /, has a Policy.
type gateway struct {
	t    *testing.T
	base string
}

func newGateway(t *testing.T, p *policy.Policy, app http.HandlerFunc) *gateway {
	t.Helper()
	return newGatewayOf(t, app, func(b *routing.Builder) (*routing.Host, *routing.Route) {
		host, _ := b.BuildHost("", []routing.Route{{
			Path: "/", Type: routing.Prefix,
			Source: &routing.Source{Ingress: routing.ObjectName{Namespace: "default", Name: "app"}, Policy: p},
		}})
		return host, nil
	})
}

// newGatewayOf is newGateway with other Routes: a catch-all Host, and the default Route. Their only Backend is that of index 0.
func newGatewayOf(t *testing.T, app http.HandlerFunc, routes func(*routing.Builder) (*routing.Host, *routing.Route)) *gateway {
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
	endpoint := httptest.NewServer(app)
	t.Cleanup(endpoint.Close)
	builder := routing.Builder{Attach: s.Attach}
	host, fallback := routes(&builder)
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
	return &gateway{t, "http://127.0.0.1:" + strconv.Itoa(s.Ports()[0])}
}

// ask sends a request with the given fields, name and value in turn.
func (g *gateway) ask(method, path string, fields ...string) (*http.Response, string) {
	g.t.Helper()
	req, err := http.NewRequest(method, g.base+path, nil)
	if err != nil {
		g.t.Fatal(err)
	}
	for i := 0; i < len(fields); i += 2 {
		req.Header.Add(fields[i], fields[i+1])
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
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
