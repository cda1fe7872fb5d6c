package filter

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"net/http"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/routing/policy"
	"github.com/sluice-gateway/sluice/server"
)

// TestOrder: every Kind that package policy has stands in the onion, once and with a reason.
func TestOrder(t *testing.T) {
	var kinds []string
	files, err := filepath.Glob("../../routing/policy/*.go")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			v, ok := n.(*ast.ValueSpec)
			if ok && len(v.Values) == 1 && fmt.Sprint(v.Type) == "Kind" && strings.HasPrefix(v.Names[0].Name, "Kind") {
				kinds = append(kinds, strings.Trim(v.Values[0].(*ast.BasicLit).Value, `"`))
			}
			return true
		})
	}
	var rows []string
	var stages []policy.Stage
	for _, row := range order {
		if row.make == nil {
			stages = append(stages, policy.Stage(row.kind))
		} else {
			rows = append(rows, string(row.kind))
		}
		if row.why == "" {
			t.Errorf("no reason is given for the place of %s", row.kind)
		}
	}
	if !slices.Equal(stages, policy.Stages()) {
		t.Errorf("the headings are %v, and the Stages %v", stages, policy.Stages())
	}
	for i, m := range Makers() {
		if onion := server.Onion(Makers()); onion[i] != (policy.Place{Kind: m.Kind, Stage: m.Stage}) || !m.Stage.Known() {
			t.Errorf("%s of stage %s is moved by the Server, to %v", m.Kind, m.Stage, onion)
		}
	}
	slices.Sort(kinds)
	slices.Sort(rows)
	if len(kinds) < 3 || !slices.Equal(kinds, rows) {
		t.Errorf("package policy has the kinds %v, the onion %v", kinds, rows)
	}
}

// TestTogether: the three on one Route, in their order.
func TestTogether(t *testing.T) {
	g := newGateway(t, with(
		&policy.Access{Deny: policy.Disjoint([]netip.Prefix{netip.MustParsePrefix("6.6.6.0/24")})},
		&policy.CORS{Origins: []string{"https://a.example"}, Methods: "GET", Credentials: true, MaxAge: 60},
		&policy.Rewrite{Target: "/inside"},
	), func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.RequestURI) })
	for _, row := range []struct {
		method, client, origin string
		status                 int
		allowed, body          string
	}{
		{"GET", "1.2.3.4", "https://a.example", 200, "https://a.example", "/inside?q"},
		{"GET", "1.2.3.4", "https://b.example", 200, "", "/inside?q"},
		{"GET", "6.6.6.6", "https://a.example", 403, "https://a.example", "403 forbidden: the address of the client is not allowed\n"}, // which the page can read
		{"GET", "6.6.6.6", "https://b.example", 403, "", "403 forbidden: the address of the client is not allowed\n"},
		{"OPTIONS", "6.6.6.6", "https://a.example", 204, "https://a.example", ""},
		{"OPTIONS", "6.6.6.6", "https://b.example", 403, "", "403 forbidden: the address of the client is not allowed\n"},
		{"OPTIONS", "1.2.3.4", "https://b.example", 200, "", "/inside?q"},
	} {
		for range 2 {
			resp, body := g.ask(row.method, "/outside?q", "X-Forwarded-For", row.client, "Origin", row.origin)
			if resp.StatusCode != row.status || resp.Header.Get("Access-Control-Allow-Origin") != row.allowed || body != row.body {
				t.Errorf("%v: got %d, %q, %q", row, resp.StatusCode, resp.Header.Get("Access-Control-Allow-Origin"), body)
			}
		}
	}
}
