//go:build !race && !invariants

package filter

import (
	"bytes"
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/routing"
	"github.com/sluice-gateway/sluice/routing/policy"
	"github.com/sluice-gateway/sluice/server/internal/servertest"
)

// TestChoicesDoNotAllocate: a choice costs no memory, in each of its forms, and neither does a cookie that is set.
func TestChoicesDoNotAllocate(t *testing.T) {
	const cookie = "Cookie: a=b; s=00112233445566778899aabbccddeeff|00112233445566778899aabbccddeeff\r\n"
	canary := &policy.Canary{Header: "X-Canary", Pattern: "^(a|b)+$", Cookie: "c"}
	persistent := &policy.Affinity{Cookie: "s", Persistent: true}
	all := &policy.Affinity{Cookie: "s", SameSite: "None", KnownNone: true, Expires: "60", MaxAge: "60"}
	for name, row := range map[string]struct {
		policy *policy.Policy
		split  *routing.Split
		fields string
	}{
		"weights":            {nil, weights(50, 50), ""},
		"canary":             {with(canary), weights(50, 50), "X-Canary: ababab\r\nCookie: x=y; c=never\r\n"},
		"hash":               {with(&policy.Hash{Template: "$request_uri$http_x_user$cookie_a$binary_remote_addr", Among: 3}), nil, cookie},
		"session":            {with(all), nil, cookie},
		"new session":        {with(all), nil, ""},
		"persistent":         {with(persistent), nil, cookie},
		"session and canary": {with(all, canary), weights(50, 50), cookie + "X-Canary: ababab\r\n"},
	} {
		f := newFork(t, row.split, row.policy)
		for i := range f.endpoints {
			for range 3 {
				f.endpoints[i] = append(f.endpoints[i], routing.Endpoint{Addr: fixedEndpoint(t)})
			}
		}
		f.update(row.split, row.policy)
		c, err := net.Dial("tcp", strings.TrimPrefix(f.base, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		request := []byte("GET /x/y?z=1 HTTP/1.1\r\nHost: a.test:8080\r\nUser-Agent: Chrome/55\r\n" + row.fields + "\r\n")
		var b [4096]byte
		do := func() {
			if _, err := c.Write(request); err != nil {
				t.Fatal(err)
			}
			n, err := c.Read(b[:])
			if err != nil || !bytes.HasPrefix(b[:n], []byte("HTTP/1.1 204 ")) {
				t.Fatalf("%s: after %q: %v", name, b[:n], err)
			}
		}
		servertest.WantNoAllocations(t, name, 2000, do)
	}
}

// fixedEndpoint answers each head with the same bytes, and allocates nothing once a connection is there.
func fixedEndpoint(t *testing.T) netip.AddrPort {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				var b [4096]byte
				answer := []byte("HTTP/1.1 204 No Content\r\n\r\n")
				for n := 0; ; {
					m, err := c.Read(b[n:])
					if err != nil {
						return
					}
					if n += m; bytes.HasSuffix(b[:n], []byte("\r\n\r\n")) {
						n = 0
						if _, err := c.Write(answer); err != nil {
							return
						}
					}
				}
			}()
		}
	}()
	return netip.MustParseAddrPort(l.Addr().String())
}
