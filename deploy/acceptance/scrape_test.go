package acceptance

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestScrapeOfManyRoutes: two objects of a tenant have 8,000 hosts each, and every one is asked once. A scrape stays
// small: in the gateway, in bytes and in time.
func TestScrapeOfManyRoutes(t *testing.T) {
	const objects, hosts = 2, 8000
	const rssBar, timeBar, sizeBar = 32 << 20, 2 * time.Second, 32 << 20
	app, _ := stuckBackend(t)
	g := start(t, "", app)
	for object := range objects {
		var b strings.Builder
		fmt.Fprintf(&b, "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: many-%d, namespace: default}\nspec:\n  ingressClassName: sluice\n  rules:\n", object)
		for i := range hosts {
			fmt.Fprintf(&b, "  - {host: h%d-%d.test, http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: app, port: {number: 80}}}}]}}\n", object, i)
		}
		g.write(fmt.Sprintf("many-%d.yaml", object), b.String())
	}
	ask := func(object, host int) int {
		c := g.dial()
		defer c.Close()
		fmt.Fprintf(c, "GET /quick HTTP/1.1\r\nHost: h%d-%d.test\r\nConnection: close\r\n\r\n", object, host)
		resp, err := http.ReadResponse(c.r, nil)
		g.must(err)
		return resp.StatusCode
	}
	for object := range objects {
		for deadline := time.Now().Add(time.Minute); ask(object, hosts-1) != 200; time.Sleep(10 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatal("the hosts do not come")
			}
		}
	}
	g.warm()
	g.scrape()
	before := g.rss()
	for object := range objects {
		for host := range hosts {
			if status := ask(object, host); status != 200 {
				t.Fatalf("host %d of object %d: %d", host, object, status)
			}
		}
	}
	begun := time.Now()
	size := g.scrape()
	took := time.Since(begun)
	grown := g.rss() - before
	own := g.count("nginx_ingress_controller_requests", `ingress="many-`)
	t.Logf("%d used Routes: the gateway grew by %s (bar %s), a scrape has %s and took %v (bars %s, %v), %d Routes have samples of their own",
		objects*hosts, mebibytes(grown), mebibytes(rssBar), mebibytes(size), took, mebibytes(sizeBar), timeBar, own)
	if grown > rssBar || took > timeBar || size > sizeBar {
		t.Error("beyond a bar")
	}
	if asked := g.metric("nginx_ingress_controller_requests", `namespace="default"`, `status="200"`); asked < objects*hosts {
		t.Errorf("%v requests are counted, want at least %d", asked, objects*hosts)
	}
}

// scrape reads a whole answer and returns its size.
func (g *gateway) scrape() int64 {
	g.t.Helper()
	resp, err := http.Get("http://" + g.metrics + "/metrics")
	g.must(err)
	defer resp.Body.Close()
	n, err := io.Copy(io.Discard, resp.Body)
	g.must(err)
	return n
}
