//go:build !race && !invariants

package filter

import (
	"bytes"
	"net"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/routing/policy"
	"github.com/sluice-gateway/sluice/server/internal/servertest"
)

// TestRedirectsDoNotAllocate: a redirect costs no memory, in each of its forms.
func TestRedirectsDoNotAllocate(t *testing.T) {
	for name, p := range map[string]*policy.Policy{
		"fixed":    with(&policy.Redirect{Code: 301, To: "https://new.test"}),
		"app root": with(&policy.Redirect{Code: 302, To: "/app", Port: true}),
		"www":      with(&policy.Redirect{Code: 308, Host: "www.a.test"}),
		"https":    with(&policy.HTTPS{Code: 308}),
		"fields": with(&policy.Redirect{Code: 301, To: "https://new.test"}, &policy.Fields{
			Remove: []string{"X-A"}, Set: []policy.Field{{Name: "X-B", Value: "b"}}, Add: []policy.Field{{Name: "Link", Value: "</a>"}},
			Default: []policy.Field{{Name: "X-C", Value: "c"}},
		}, &policy.Location{From: "https://", To: "http://"}, &policy.Cookies{Path: policy.Change{From: "/", To: "/a"}}, errorPages(404)),
		"no host": with(&policy.Host{Template: "$host:$http_port$scheme$remote_addr"}),
	} {
		g := newGateway(t, p, neverAsked(t))
		wantNoAllocation(t, name, g, "GET /x/y?z=1 HTTP/1.1\r\nHost: a.test:8080\r\nX-Forwarded-For: 192.0.2.1\r\n\r\n")
	}
}

// wantNoAllocation sends a request many times, whose answer ends with a line break.
func wantNoAllocation(t *testing.T, name string, g *gateway, text string) {
	t.Helper()
	request := []byte(text)
	c, err := net.Dial("tcp", strings.TrimPrefix(g.base, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var b [4096]byte
	do := func() {
		if _, err := c.Write(request); err != nil {
			t.Fatal(err)
		}
		n, err := c.Read(b[:])
		if err != nil || !bytes.HasSuffix(b[:n], []byte("\n")) {
			t.Fatalf("after %q: %v", b[:n], err)
		}
	}
	servertest.WantNoAllocations(t, name, 2000, do)
}
