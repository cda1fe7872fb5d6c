package server

import (
	"crypto/tls"
	"fmt"
	"testing"

	"github.com/sluice-gateway/sluice/routing"
	"github.com/sluice-gateway/sluice/routing/expression"
	"github.com/sluice-gateway/sluice/server/internal/servertest"
)

// matching is the expression of auth-tls-match-cn.
func matching(t *testing.T, text string) expression.Expression {
	t.Helper()
	e, err := expression.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// TestClientNameOfAnotherHost: the verdict on a name belongs to the Host that the connection was opened for. Hosts that
// trust the same authority and allow other names are not reached over it, whichever came first.
func TestClientNameOfAnotherHost(t *testing.T) {
	wantNoLeaks(t)
	ca := servertest.NewAuthority(t, "ca")
	auth := func(name string) *routing.ClientAuth {
		return asks(routing.ClientAuthOn, ca, func(a *routing.ClientAuth) {
			if name != "" {
				a.MatchName = matching(t, "^(?:CN="+name+")")
			}
		})
	}
	for _, http2 := range []bool{false, true} {
		t.Run(fmt.Sprint("HTTP/2 ", http2), func(t *testing.T) {
			g := newGateway(t, nil, Options{})
			pairs := map[string][]*tls.Certificate{"a.test": {ca.Server("a.test")}, "b.test": {ca.Server("b.test")}, "c.test": {ca.Server("c.test")}}
			g.publish(&routing.Backend{}, servertest.FieldsBackend(t), nil, pairs,
				site{name: "a.test", auth: auth("alice")}, site{name: "b.test", auth: auth("bob")}, site{name: "c.test", auth: auth("")})
			for _, row := range []struct {
				client, opened string
				status         map[string]int
			}{
				{"alice", "a.test", map[string]int{"a.test": 200, "b.test": 421, "c.test": 421}},
				{"alice", "b.test", map[string]int{"a.test": 421, "b.test": 403, "c.test": 421}},
				{"alice", "c.test", map[string]int{"a.test": 421, "b.test": 421, "c.test": 200}},
			} {
				for _, host := range []string{"a.test", "b.test", "c.test"} {
					client := ca.Client(row.client)
					config := &tls.Config{GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return client, nil }}
					var status int
					if http2 {
						status = g.statusOverHTTP2(row.opened, host, config)
					} else {
						status = g.mustTLS(row.opened, config).get(host, "/").StatusCode
					}
					if status != row.status[host] {
						t.Errorf("%s, on a connection for %s, asks for %s: %d, want %d", row.client, row.opened, host, status, row.status[host])
					}
				}
			}
		})
	}
}
