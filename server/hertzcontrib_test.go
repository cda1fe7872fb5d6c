package server

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/cloudwego/hertz/pkg/app"
	"github.com/hertz-contrib/jwt"

	asked "github.com/sluice-gateway/sluice/routing/policy"
	"github.com/sluice-gateway/sluice/server/config"
	"github.com/sluice-gateway/sluice/server/internal/servertest"
)

// TestHertzContrib: a middleware that was written for Hertz, by others, guards an object's Routes as it is.
func TestHertzContrib(t *testing.T) {
	t.Parallel()
	guard, err := jwt.New(&jwt.HertzJWTMiddleware{
		Realm: "zone", Key: []byte("a key of the test"), Timeout: time.Hour, IdentityKey: "id",
		PayloadFunc: func(data any) jwt.MapClaims { return jwt.MapClaims{"id": data} },
		Authorizator: func(data any, _ context.Context, c *app.RequestContext) bool {
			c.Request.Header.Set("X-User", data.(string))
			return data != "mallory"
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	g := newGateway(t, func(c *config.Config) { c.Threads = 1 }, Options{Makers: []Maker{{
		Kind: "token", Stage: asked.StageAccess,
		Make: func(asked.Filter, Env) (Filter, error) { return HertzFilter(guard.MiddlewareFunc()), nil },
	}}})
	p := &asked.Policy{}
	p.Set(&asked.Named[string]{Name: "token"})
	g.serve(p, servertest.Backend(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		_, _ = io.WriteString(w, r.Header.Get("X-User")+" "+string(body))
	}))
	tokenOf := func(name string) string {
		token, _, err := guard.TokenGenerator(name)
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	for _, row := range []struct {
		name, token string
		status      int
		text        string
	}{
		{"a token", tokenOf("alice"), 200, "alice the body"},
		{"one that is not allowed", tokenOf("mallory"), 403, "permission"},
		{"none", "", 401, ""},
		{"one that was changed", tokenOf("alice") + "x", 401, ""},
	} {
		c := g.wire()
		c.Send("POST / HTTP/1.1\r\nHost: a\r\nX-User: client\r\nAuthorization: Bearer " + row.token + "\r\nContent-Length: 8\r\n\r\nthe body")
		got := c.ReadAnswer("POST")
		if got.StatusCode != row.status || !strings.Contains(got.Text, row.text) || (row.status >= 400) != (got.Header.Get("WWW-Authenticate") == "JWT realm=zone") {
			t.Errorf("%s: got %d %q %v", row.name, got.StatusCode, got.Text, got.Header)
		}
	}
	if name := HertzFilter(guard.MiddlewareFunc()).Name(); !strings.Contains(name, "HertzJWTMiddleware") {
		t.Errorf("the log would name it %q", name)
	}
}
