package filter

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/sluice-gateway/sluice/routing/policy"
)

// TestHost: the Host that a Backend is sent is made of what the request says, and what makes none reaches no Backend.
func TestHost(t *testing.T) {
	for _, row := range []struct {
		template, tenant, want string
		status                 int
	}{
		{"$host", "", "a.test", 200},
		{"$http_host", "", "a.test:8080", 200},
		{"web.$http_x_tenant.svc:90", "acme", "web.acme.svc:90", 200},
		{"${service_name}.$namespace.svc", "", "app.default.svc", 200},
		{"$ingress_name.$scheme", "", "app.http", 200},
		{"h$remote_addr", "", "h127.0.0.1", 200},
		{"web.$http_x_tenant.svc", "", "", 400}, // an empty label
		{"$http_x_tenant", "", "", 400},         // nothing
		{"$http_x_tenant", "evil.test/p", "", 400},
		{"$http_x_tenant", "u@evil.test", "", 400},
		{"$http_x_tenant", "a.test, b.test", "", 400},
		{"$http_x_tenant", "a.test:99999", "", 400},
	} {
		g := newGateway(t, with(&policy.Host{Template: row.template}), func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprint(w, r.Host, " ", r.Header.Get("X-Forwarded-Host"))
		})
		for _, two := range []bool{false, true} {
			for range 2 {
				var fields []string
				if row.tenant != "" {
					fields = []string{"X-Tenant", row.tenant}
				}
				resp, body := g.over(two, "GET", "a.test:8080", "/", fields...)
				if resp.StatusCode != row.status || row.status == 200 && body != row.want+" a.test:8080" {
					t.Errorf("%v, HTTP/2 %v: got %d %q", row, two, resp.StatusCode, body)
				}
			}
		}
	}
}
