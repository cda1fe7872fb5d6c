package server

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/routing"
	"github.com/sluice-gateway/sluice/server/config"
	"github.com/sluice-gateway/sluice/server/internal/exchange"
	"github.com/sluice-gateway/sluice/server/internal/servertest"
)

// TestServerField: responses have the gateway's Server field where the Backend sends none, as configured, in every pairing
// and in the gateway's own answers; under takeover they have none.
func TestServerField(t *testing.T) {
	t.Parallel()
	backend := servertest.StartBackend(t, false, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/named":
			w.Header().Set("Server", "pod/1")
		case "/undated":
			w.Header()["Date"] = nil
		}
		_, _ = io.WriteString(w, "ok")
	}))
	for _, p := range []routing.Protocol{routing.HTTP, routing.H2C} {
		for name, client := range map[string]*http.Client{"h1": servertest.HTTP1Client(t), "h2": servertest.HTTP2Client(t)} {
			t.Run(fmt.Sprintf("%s to %v", name, p), func(t *testing.T) {
				g := newGateway(t, nil, Options{})
				want := func(path, server string) {
					t.Helper()
					for _, origin := range []string{"http://" + g.addr, "https://" + g.secureAddr} {
						req, _ := http.NewRequest("GET", origin+path, nil)
						if path == "/many" {
							for i := range 150 {
								req.Header.Set(fmt.Sprint("X-", i), "1")
							}
						}
						resp, err := client.Do(req)
						if err != nil {
							t.Fatal(err)
						}
						_, _ = io.Copy(io.Discard, resp.Body)
						resp.Body.Close()
						if refused := path == "/%00" || path == "/many"; (resp.StatusCode >= 400) != refused && path != "/" {
							t.Errorf("%s: %d", path, resp.StatusCode)
						}
						var list []string
						if server != "" {
							list = []string{server}
						}
						if got := resp.Header.Values("Server"); strings.Join(got, "|") != strings.Join(list, "|") || len(resp.Header.Values("Date")) != 1 {
							t.Errorf("%s: Server %q, Date %q, want %q", path, got, resp.Header.Values("Date"), list)
						}
					}
				}
				g.serveProtocol(p, backend)
				want("/", "sluice")
				want("/undated", "sluice")
				want("/named", "pod/1")
				want("/%00", "sluice") // 400, of our own
				want("/many", "sluice")

				changed := config.Default()
				changed.HTTP.ServerHeader = ""
				g.Reload(changed)
				g.settle()
				want("/", "")
				want("/named", "pod/1")
				want("/%00", "")

				changed.HTTP.ServerHeader = "edge"
				changed.Kubernetes.Controllers = append(changed.Kubernetes.Controllers, exchange.IngressNginx)
				g.Reload(changed)
				g.settle()
				want("/", "edge")
				want("/%00", "")
				g.takenOver()
				want("/", "")
				want("/named", "")
				g.serveProtocol(p) // no Endpoint
				want("/", "edge")
			})
		}
	}
}

// named is a Filter that answers with a Server field of its own.
type named struct{}

func (named) Name() string { return "named" }

func (named) Request(x *Exchange) Verdict {
	return x.Respond(200, []byte("X-Line: Server: x\r\nsErver: mine\r\n"), nil)
}

// TestServerFieldOfAFilter: a Filter's Server field replaces the gateway's.
func TestServerFieldOfAFilter(t *testing.T) {
	t.Parallel()
	g := newGateway(t, nil, Options{Filters: []Filter{named{}}})
	g.serve(nil)
	if got := g.wire().Get("/").Header.Values("Server"); len(got) != 1 || got[0] != "mine" {
		t.Errorf("Server %q", got)
	}
}
