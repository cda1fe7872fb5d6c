package server

import (
	"crypto/tls"
	"fmt"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/routing"
	"github.com/sluice-gateway/sluice/server/config"
	"github.com/sluice-gateway/sluice/server/internal/servertest"
)

// speakers send a POST with fields in its head and in its trailers, by one protocol each.
var speakers = map[string]func(t testing.TB, g *gateway, head, trailers []string){
	"h1": func(_ testing.TB, g *gateway, head, trailers []string) {
		c := g.wire()
		lines := func(fields []string) (text string) {
			for i := 0; i < len(fields); i += 2 {
				text += fields[i] + ": " + fields[i+1] + "\r\n"
			}
			return text
		}
		c.Send("%s", "POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n"+lines(head)+"\r\n3\r\nabc\r\n0\r\n"+lines(trailers)+"\r\n")
	},
	"h1 bytewise trailers": func(_ testing.TB, g *gateway, head, trailers []string) {
		c := g.wire()
		_ = c.SetNoDelay(true)
		text := ""
		for i := 0; i < len(head); i += 2 {
			text += head[i] + ": " + head[i+1] + "\r\n"
		}
		c.Send("%s", "POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n"+text+"\r\n3\r\nabc\r\n0\r\n")
		g.settle()
		for i := 0; i < len(trailers); i += 2 {
			line := trailers[i] + ": " + trailers[i+1] + "\r\n"
			c.Send("%s", line[:len(line)/2])
			g.settle()
			c.Send("%s", line[len(line)/2:])
			g.settle()
		}
		c.Send("\r\n")
	},
	"h2": func(t testing.TB, g *gateway, head, trailers []string) {
		c := servertest.DialHTTP2(t, g.addr)
		lower := func(fields []string) []string {
			out := append([]string(nil), fields...)
			for i := 0; i < len(out); i += 2 {
				out[i] = strings.ToLower(out[i])
			}
			return out
		}
		c.Request(1, "POST", "/", false, lower(head)...)
		_ = c.WriteData(1, false, []byte("abc"))
		c.Fields(1, true, lower(trailers)...)
	},
}

// TestClientsCannotSpeakForTheGateway sends names that Backends take for those that the gateway writes, and those that other
// proxies write, in heads and in trailers, and sees which arrive.
func TestClientsCannotSpeakForTheGateway(t *testing.T) {
	t.Parallel()
	const mark = "evil"
	folded := []string{
		"X_Forwarded_For", "X_Real_IP", "X_Forwarded_Proto", "X-Forwarded_Port", "X_Request_ID", "X_Scheme", "X_Forwarded-Host",
		"SSL_Client_Verify", "ssl-client_cert", "Content_Length", "Transfer_Encoding", "X_Original_Forwarded_For", "X_Client_Cert",
		"X.Forwarded.For", "X.Real.IP", "X~Request~ID", "ssl.client.verify", "X+Forwarded+Proto", "X_Forwarded_User",
	}
	foreign := []string{
		"X-Original-Forwarded-For", "X-Forwarded-Server", "X-Forwarded-Ssl", "X-Forwarded-User", "X-Client-Cert", "Client-Cert", "Client-Cert-Chain",
		"X-SSL-Client-Verify", "ssl-client-verify", "ssl-client-cert", "X-Forwarded-Client-Cert", "Forwarded", "X-Forwarded-Tls-Client-Cert",
	}
	claimed := []string{"X-Forwarded-For", "X-Real-IP", "X-Request-ID", "X-Scheme", "X-Forwarded-Prefix"}
	odd := []string{"User_Name", "user.name", "a!#$%&'*+^`|~b"}
	plain := []string{"X-Mine", "Sum", "ssl-clientele", "x-forward-for", "Client-Ce", "X-Real"}
	for _, p := range []routing.Protocol{routing.HTTP, routing.H2C} {
		for name, speak := range speakers {
			for _, rule := range []string{"plain", "underscore", "token"} {
				for _, trusted := range []bool{false, true} {
					t.Run(fmt.Sprintf("%s to %v, %s, trusted %v", name, p, rule, trusted), func(t *testing.T) {
						backend, seen := servertest.RecordingBackend(t, p)
						g := newGateway(t, func(c *config.Config) {
							c.HTTP.HeaderNames = rule
							if trusted {
								c.Forwarded.TrustedCIDRs = []string{"127.0.0.0/8"}
							}
						}, Options{})
						g.serveProtocol(p, backend)
						check := func(text string, trailers bool) {
							t.Helper()
							want := func(name string, there bool) {
								if servertest.HasField(text, name) != there {
									t.Errorf("%q: there %v, in trailers %v, want %v", name, !there, trailers, there)
								}
							}
							for _, n := range folded {
								want(n, false)
							}
							want("Proxy", false)
							for _, n := range foreign {
								want(n, trusted && !trailers)
							}
							for _, n := range claimed {
								if strings.Contains(text, strings.ToLower(n)+": "+mark) && !(trusted && !trailers) {
									t.Errorf("%q is the client's, in trailers %v", n, trailers)
								}
							}
							want(odd[0], rule != "plain")
							want(odd[1], rule == "token")
							want(odd[2], rule == "token")
							for _, n := range plain {
								want(n, true)
							}
						}
						var fields []string
						for _, list := range [][]string{folded, {"Proxy"}, foreign, claimed, odd, plain} {
							for _, n := range list {
								fields = append(fields, n, mark)
							}
						}
						speak(t, g, fields, nil)
						check(servertest.NextSeen(t, seen), false)
						speak(t, g, []string{"Trailer", "X-Sum"}, fields)
						check(servertest.NextSeen(t, seen), true)
					})
				}
			}
		}
	}
}

// TestHeaderNamesAreLive: a reload changes which names are passed on.
func TestHeaderNamesAreLive(t *testing.T) {
	t.Parallel()
	backend, seen := servertest.RecordingBackend(t, routing.HTTP)
	g := newGateway(t, nil, Options{})
	g.serve(nil, backend)
	c := g.wire()
	ask := func() bool {
		c.Send("GET / HTTP/1.1\r\nHost: a\r\nUser_Name: me\r\n\r\n")
		text := servertest.NextSeen(t, seen)
		c.Head()
		return servertest.HasField(text, "User_Name")
	}
	if ask() {
		t.Error("passed by default")
	}
	changed := config.Default()
	changed.HTTP.HeaderNames = "underscore"
	g.Reload(changed)
	g.settle()
	if !ask() {
		t.Error("dropped after the reload")
	}
}

// TestNominatedTrailersStay: RFC 9110 section 7.6.1 has what Connection lists removed from trailers too.
func TestNominatedTrailersStay(t *testing.T) {
	t.Parallel()
	for _, p := range []routing.Protocol{routing.HTTP, routing.H2C} {
		backend, seen := servertest.RecordingBackend(t, p)
		g := newGateway(t, nil, Options{})
		g.serveProtocol(p, backend)
		speakers["h1"](t, g, []string{"Connection", "keep-alive, X-Hop", "Trailer", "X-Sum"}, []string{"X-Hop", "1", "X-Sum", "2"})
		if text := servertest.NextSeen(t, seen); servertest.HasField(text, "X-Hop") || !servertest.HasField(text, "X-Sum") {
			t.Errorf("%v: %s", p, text)
		}
	}
	answer := "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: X-Hop\r\n\r\n2\r\nok\r\n0\r\nX-Hop: 1\r\nX-Sum: 2\r\n\r\n"
	backend := servertest.RawBackend(t, func(_ int, c *servertest.Wire) {
		for c.Head() != "" {
			c.Send("%s", answer)
		}
	})
	g := newGateway(t, nil, Options{})
	g.serve(nil, backend)
	if a := g.wire().Get("/"); a.Cut != nil || a.Trailer.Get("X-Hop") != "" || a.Trailer.Get("X-Sum") != "2" {
		t.Errorf("%q, %v, trailers %v", a.Text, a.Cut, a.Trailer)
	}
}

// TestCertificateFieldsOfTrustedPeers: where a Host asks for certificates itself, no peer's fields about certificates go on,
// under any name.
func TestCertificateFieldsOfTrustedPeers(t *testing.T) {
	t.Parallel()
	ca := servertest.NewAuthority(t, "ca")
	backend, seen := servertest.RecordingBackend(t, routing.HTTP)
	g := newGateway(t, func(c *config.Config) { c.Forwarded.TrustedCIDRs = []string{"127.0.0.0/8"} }, Options{})
	g.publish(&routing.Backend{}, backend, nil, map[string][]*tls.Certificate{"*.test": {ca.Server("*.test")}},
		site{name: "a.test", auth: asks(routing.ClientAuthOptional, ca, nil)}, site{name: "open.test"})
	names := []string{"ssl-client-verify", "SSL-Client-Subject-DN", "X-SSL-Client-Verify", "Client-Cert", "X-Client-Verify", "X-Forwarded-Client-Cert"}
	var lines []string
	for _, name := range names {
		lines = append(lines, name+": forged")
	}
	for host, want := range map[string]int{"a.test": 0, "open.test": len(names)} {
		g.mustTLS(host, nil).get(host, "/", lines...)
		if head := servertest.NextSeen(t, seen); strings.Count(head, "forged") != want || strings.Contains(head, "ssl-client-verify: none") != (want == 0) {
			t.Errorf("of what is said to %s, %d fields are to arrive: %q", host, want, head)
		}
	}
}
