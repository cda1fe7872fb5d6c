package server

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"testing"

	"github.com/sluice-gateway/sluice/routing"
	asked "github.com/sluice-gateway/sluice/routing/policy"
	"github.com/sluice-gateway/sluice/server/config"
	"github.com/sluice-gateway/sluice/server/internal/exchange"
	"github.com/sluice-gateway/sluice/server/internal/servertest"
)

// TestStrictTransport: responses over TLS say what the object wants browsers to be told, in place of the Backend's, and those over
// plain HTTP leave the Backend's alone; without a word of the object, those taken over from ingress-nginx have its default.
func TestStrictTransport(t *testing.T) {
	t.Parallel()
	backend := servertest.StartBackend(t, false, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/own" {
			w.Header().Set("strict-transport-security", "max-age=1")
		}
		_, _ = io.WriteString(w, "ok")
	}))
	const field = "Strict-Transport-Security"
	for name, client := range map[string]*http.Client{"h1": servertest.HTTP1Client(t), "h2": servertest.HTTP2Client(t)} {
		for _, protocol := range []routing.Protocol{routing.HTTP, routing.H2C} {
			g := newGateway(t, nil, Options{})
			want := func(what, origin, path string, values ...string) {
				t.Helper()
				resp, err := client.Get(origin + path)
				if err != nil {
					t.Fatal(err)
				}
				_, _ = io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
				if got := resp.Header.Values(field); !slices.Equal(got, values) {
					t.Errorf("%s, %s to %v, %s: got %q, want %q", what, name, protocol, path, got, values)
				}
			}
			plain, secure := "http://"+g.addr, "https://"+g.secureAddr
			serve := func(value string, endpoints ...string) {
				g.serveBackend(&asked.Policy{StrictTransport: value}, &routing.Backend{Protocol: protocol}, endpoints...)
			}
			serve("", backend)
			want("nothing is said", secure, "/")
			want("nothing is said", secure, "/own", "max-age=1")
			serve("max-age=5", backend)
			for _, path := range []string{"/", "/own"} {
				want("the object's", secure, path, "max-age=5")
			}
			want("the object's", plain, "/")
			want("the object's", plain, "/own", "max-age=1")
			serve(asked.NoTransport, backend)
			want("none", secure, "/own", "max-age=1")
			serve("max-age=5")
			want("no Endpoint", secure, "/", "max-age=5")
			want("no Endpoint", plain, "/")

			changed := config.Default()
			changed.Kubernetes.Controllers = append(changed.Kubernetes.Controllers, exchange.IngressNginx)
			g.Reload(changed)
			g.settle()
			serve("", backend)
			g.takenOver()
			want("taken over", secure, "/", asked.DefaultTransport)
			want("taken over", secure, "/own", asked.DefaultTransport)
			want("taken over", plain, "/own", "max-age=1")
			want("no Route", secure, "/%00", asked.DefaultTransport)
			want("no Route", plain, "/%00")
			serve(asked.NoTransport, backend)
			g.takenOver()
			want("taken over and told not to", secure, "/")
		}
	}
}

// TestFieldsForNginx: what Backends tell nginx does not reach the clients of objects taken over from ingress-nginx, and the Date is
// the gateway's; clients of others get all of it.
func TestFieldsForNginx(t *testing.T) {
	t.Parallel()
	const old = "Mon, 01 Jan 2001 00:00:00 GMT"
	backend := servertest.StartBackend(t, false, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for _, name := range []string{"X-Accel-Buffering", "x-accel-expires", "X-Accel-Redirect", "X-Accel-Limit-Rate", "X-Accel-Charset", "X-Accel-Other", "X-Accel"} {
			w.Header()[name] = []string{"x"}
		}
		w.Header().Set("Date", old)
		_, _ = io.WriteString(w, "ok")
	}))
	for name, client := range map[string]*http.Client{"h1": servertest.HTTP1Client(t), "h2": servertest.HTTP2Client(t)} {
		g := newGateway(t, nil, Options{})
		for _, taken := range []bool{false, true} {
			g.serve(nil, backend)
			if taken {
				g.takenOver()
			}
			resp, err := client.Get("https://" + g.secureAddr)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			hidden := 0
			for _, field := range []string{"Buffering", "Expires", "Redirect", "Limit-Rate", "Charset"} {
				if resp.Header.Get("X-Accel-"+field) == "" {
					hidden++
				}
			}
			dates := resp.Header.Values("Date")
			if wants := map[bool]int{true: 5}[taken]; hidden != wants || len(dates) != 1 || (dates[0] == old) == taken ||
				resp.Header.Get("X-Accel-Other") == "" || resp.Header.Get("X-Accel") == "" {
				t.Errorf("%s, taken over %v: %d are hidden, %v", name, taken, hidden, fmt.Sprint(resp.Header))
			}
		}
	}
}
