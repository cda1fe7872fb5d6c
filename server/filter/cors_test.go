package filter

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/sluice-gateway/sluice/routing/policy"
)

// TestCORS: which origins are allowed, and that the Backend's own CORS fields are replaced for those and left for others.
func TestCORS(t *testing.T) {
	app := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Access-Control-Allow-Origin", "theirs")
		w.Header().Set("Access-Control-Allow-Methods", "theirs")
		w.Header().Set("Access-Control-Max-Age", "1")
		w.Header().Set("Vary", "Accept")
		w.WriteHeader(map[string]int{"/": 200, "/missing": 404}[r.URL.Path])
	}
	some := &policy.CORS{Origins: []string{"http://*.b.example:8080", "https://a.example", "null"}, Methods: "GET, PUT", Headers: "X-A", Expose: "X-B", Credentials: true, MaxAge: 5}
	all := &policy.CORS{Origins: []string{"*"}, Methods: "GET", MaxAge: -1}
	for _, row := range []struct {
		cors    *policy.CORS
		origin  string
		allowed string // "" = the Backend's stands
	}{
		{some, "https://a.example", "https://a.example"},
		{some, "HTTPS://A.example", "HTTPS://A.example"},
		{some, "null", "null"},
		{some, "http://x.b.example:8080", "http://x.b.example:8080"},
		{some, "http://X-9.b.example:8080", "http://X-9.b.example:8080"},
		{some, "http://b.example:8080", ""},
		{some, "http://.b.example:8080", ""},
		{some, "http://x.y.b.example:8080", ""},
		{some, "http://x_y.b.example:8080", ""},
		{some, "http://evil.test/.b.example:8080", ""},
		{some, "http://x.b.example", ""},
		{some, "http://x.b.example:80801", ""},
		{some, "https://x.b.example:8080", ""},
		{some, "xhttps://a.example", ""},
		{some, "https://a.example.evil.test", ""},
		{some, "https://evil.test#https://a.example", ""},
		{some, "https://aXexample", ""},
		{some, "", ""},
		{all, "https://whoever.example", "*"},
		{all, "", "*"},
	} {
		g := newGateway(t, with(row.cors), app)
		for _, ask := range []struct {
			method, path string
			status       int
		}{{"GET", "/", 200}, {"GET", "/missing", 404}, {"HEAD", "/", 200}, {"OPTIONS", "/", 204}} {
			fields := []string{"Origin", row.origin}
			if row.origin == "" {
				fields = nil
			}
			resp, _ := g.ask(ask.method, ask.path, fields...)
			h := resp.Header
			got := fmt.Sprint(resp.StatusCode, h["Access-Control-Allow-Origin"], h["Access-Control-Allow-Credentials"], h["Access-Control-Allow-Methods"],
				h["Access-Control-Allow-Headers"], h["Access-Control-Expose-Headers"], h["Access-Control-Max-Age"], h["Vary"])
			own := ask.method == "OPTIONS" && row.allowed != ""
			vary := "[Accept]"
			if own {
				vary = "[]"
			}
			var want string
			switch {
			case row.cors == all:
				want = fmt.Sprint(ask.status, " [*] [] [GET] [] [] [-1] ", vary)
			case row.allowed != "":
				if vary = "[Accept Origin]"; own {
					vary = "[Origin]"
				}
				want = fmt.Sprint(ask.status, " [", row.allowed, "] [true] [GET, PUT] [X-A] [X-B] [5] ", vary)
			default:
				status := ask.status
				if status == 204 {
					status = 200 // the Backend's
				}
				want = fmt.Sprint(status, " [theirs] [] [theirs] [] [] [1] [Accept Origin]")
			}
			if got != want {
				t.Errorf("%s %s of %q:\n got %s\nwant %s", ask.method, ask.path, row.origin, got, want)
			}
		}
	}
}
