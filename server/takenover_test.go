package server

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/routing"
	asked "github.com/sluice-gateway/sluice/routing/policy"
	"github.com/sluice-gateway/sluice/server/config"
	"github.com/sluice-gateway/sluice/server/internal/servertest"
)

// claimsBackend answers with the fields about clients that it was sent, a line each, without those of every request.
func claimsBackend(t testing.TB) string {
	return servertest.Backend(t, func(w http.ResponseWriter, r *http.Request) {
		var lines []string
		for name, values := range r.Header {
			if name == "X-Request-Id" && len(values[0]) == 32 {
				values = []string{"made"}
			}
			if name != "User-Agent" && name != "Accept-Encoding" {
				lines = append(lines, name+"="+strings.Join(values, "|"))
			}
		}
		slices.Sort(lines)
		fmt.Fprint(w, strings.Join(lines, "\n"))
	})
}

// claims asks a gateway with fields, "name: value" each, over one of the protocols, and returns what the Backend was sent.
func (g *gateway) claims(streams bool, fields []string) string {
	g.t.Helper()
	dial := func(context.Context, string, string) (net.Conn, error) { return g.dial(), nil }
	transport := &http.Transport{DialContext: dial, DisableCompression: true, Protocols: new(http.Protocols)}
	transport.Protocols.SetHTTP1(!streams)
	transport.Protocols.SetUnencryptedHTTP2(streams)
	defer transport.CloseIdleConnections()
	request, err := http.NewRequest("GET", "http://app.test/a?b=c", nil)
	if err != nil {
		g.t.Fatal(err)
	}
	for _, f := range fields {
		name, value, _ := strings.Cut(f, ": ")
		request.Header.Add(name, value)
	}
	resp, err := transport.RoundTrip(request)
	if err != nil {
		g.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		g.t.Fatal(err)
	}
	return string(body)
}

// TestTakenOverFields: what Backends of objects that were taken over from ingress-nginx are told of clients, whatever a client
// claims.
func TestTakenOverFields(t *testing.T) {
	t.Parallel()
	const peer = "127.0.0.1"
	hostile := []string{
		"X-Forwarded-For: 192.0.2.1", "X-Forwarded-For: 192.0.2.2", "X-Forwarded-Host: evil.test, other.test", "X-Forwarded-Port: 444", "X-Forwarded-Proto: https",
		"X-Forwarded-Scheme: https", "X-Scheme: https", "X-Real-IP: 192.0.2.3", "X-Original-Forwarded-For: 192.0.2.4", "X-Original-Forwarded-Host: evil.test",
		"X-Original-URI: /evil", "X-Request-ID: mine", "Forwarded: for=192.0.2.5", "X-Forwarded-Prefix: /p", "X-Forwarded-Other: x", "CF-Connecting-IP: 192.0.2.6",
		"ssl-client-verify: SUCCESS", "X-Forwarded-Client-Cert: x",
	}
	plain := func(client string) []string {
		return []string{
			"X-Forwarded-For=" + client, "X-Forwarded-Host=app.test", "X-Forwarded-Port=PORT", "X-Forwarded-Proto=http", "X-Forwarded-Scheme=http", "X-Real-Ip=" + client,
			"X-Request-Id=made", "X-Scheme=http",
		}
	}
	// What a stranger's claims become, and with which of his fields.
	spoofed := func(uri, cf string, more ...string) []string {
		list := append([]string{
			"Forwarded=for=192.0.2.5", "X-Forwarded-For=" + peer, "X-Forwarded-Host=app.test", "X-Forwarded-Other=x", "X-Forwarded-Port=PORT", "X-Forwarded-Prefix=/p",
			"X-Forwarded-Proto=http", "X-Forwarded-Scheme=http", "X-Original-Forwarded-Host=evil.test, other.test",
			"X-Original-Uri=" + uri, "X-Real-Ip=" + peer, "X-Request-Id=mine", "X-Scheme=http",
		}, more...)
		if cf != "" {
			list = append(list, "Cf-Connecting-Ip="+cf)
		}
		return list
	}
	believed := func(client, list string) []string {
		return []string{
			"Cf-Connecting-Ip=192.0.2.6", "Forwarded=for=192.0.2.5", "X-Forwarded-Client-Cert=x", "Ssl-Client-Verify=SUCCESS",
			"X-Forwarded-For=" + list, "X-Forwarded-Host=evil.test", "X-Forwarded-Other=x", "X-Forwarded-Port=444", "X-Forwarded-Prefix=/p",
			"X-Forwarded-Proto=https", "X-Forwarded-Scheme=https", "X-Original-Forwarded-For=192.0.2.1, 192.0.2.2", "X-Original-Forwarded-Host=evil.test, other.test",
			"X-Original-Uri=/evil", "X-Real-Ip=" + client, "X-Request-Id=mine", "X-Scheme=https",
		}
	}
	for _, row := range []struct {
		name   string
		set    string
		fields []string
		want   []string
	}{
		{"nothing", "", nil, plain(peer)},
		{"an empty id", "", []string{"X-Request-ID: "}, plain(peer)},
		{"a stranger", "", hostile, spoofed("/evil", "192.0.2.6", "X-Original-Forwarded-For=192.0.2.1, 192.0.2.2")},
		{"a stranger, with all that can be set", "forwarded.full_list=true forwarded.original_uri=true forwarded.client_header=CF-Connecting-IP forwarded.trusted_cidrs=10.0.0.0/8", hostile,
			spoofed("/a?b=c", "", "X-Original-Forwarded-For=192.0.2.6")},
		{"a proxy that is believed", "forwarded.trusted_cidrs=127.0.0.0/8", hostile, believed("192.0.2.2", "192.0.2.2")},
		{"the same says nothing", "forwarded.trusted_cidrs=127.0.0.0/8", nil, plain(peer)},
		{"the whole list", "forwarded.trusted_cidrs=127.0.0.0/8 forwarded.full_list=true", hostile, believed("192.0.2.2", "192.0.2.1, 192.0.2.2, "+peer)},
		{"the whole list of none", "forwarded.trusted_cidrs=127.0.0.0/8 forwarded.full_list=true", nil, plain(peer)},
		{"a list that is all believed", "forwarded.trusted_cidrs=127.0.0.0/8,192.0.2.0/24", hostile, believed("192.0.2.1", "192.0.2.1")},
		{"the address alone", "forwarded.trusted_cidrs=127.0.0.0/8 forwarded.address_only=true",
			[]string{"X-Forwarded-For: 192.0.2.1", "X-Forwarded-Proto: https", "X-Forwarded-Host: evil.test", "X-Forwarded-Port: 444"},
			append(plain("192.0.2.1"), "X-Original-Forwarded-For=192.0.2.1", "X-Original-Forwarded-Host=evil.test")},
		{"another field", "forwarded.trusted_cidrs=127.0.0.0/8 forwarded.client_header=CF-Connecting-IP",
			[]string{"X-Forwarded-For: 192.0.2.1", "CF-Connecting-IP: 192.0.2.6"},
			append(plain("192.0.2.6"), "X-Original-Forwarded-For=192.0.2.6", "Cf-Connecting-Ip=192.0.2.6")},
		{"another field that is known", "forwarded.trusted_cidrs=127.0.0.0/8 forwarded.client_header=X-Real-IP",
			[]string{"X-Forwarded-For: 192.0.2.1", "X-Real-IP: 192.0.2.6"},
			append(plain("192.0.2.6"), "X-Original-Forwarded-For=192.0.2.6")},
		{"a list that cannot be read", "forwarded.trusted_cidrs=127.0.0.0/8", []string{"X-Forwarded-For: 192.0.2.1, unknown"}, append(plain(peer), "X-Original-Forwarded-For=192.0.2.1, unknown")},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			g := newGateway(t, func(c *config.Config) {
				for assignment := range strings.FieldsSeq(row.set) {
					if err := c.Set(assignment); err != nil {
						t.Fatal(err)
					}
				}
			}, Options{})
			g.serve(nil, claimsBackend(t))
			g.takenOver()
			slices.Sort(row.want)
			want := strings.ReplaceAll(strings.Join(row.want, "\n"), "PORT", fmt.Sprint(g.Ports()[0]))
			for _, streams := range []bool{false, true} {
				if got := g.claims(streams, row.fields); got != want {
					t.Errorf("HTTP/2 %v: the Backend is sent\n%s\nwant\n%s", streams, got, want)
				}
			}
		})
	}
}

// TestClientHeaderOfOwnObjects: objects of the gateway's own class are told of clients as ever, by the field that is configured.
func TestClientHeaderOfOwnObjects(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ set, want string }{
		{"forwarded.client_header=CF-Connecting-IP", "X-Forwarded-For=127.0.0.1 X-Forwarded-Proto=http"},
		{"forwarded.client_header=CF-Connecting-IP forwarded.trusted_cidrs=127.0.0.0/8", "Cf-Connecting-Ip=192.0.2.6 X-Forwarded-For=192.0.2.6, 127.0.0.1 X-Forwarded-Proto=https"},
		{"forwarded.trusted_cidrs=127.0.0.0/8 forwarded.address_only=true", "Cf-Connecting-Ip=192.0.2.6 X-Forwarded-For=192.0.2.1, 127.0.0.1 X-Forwarded-Proto=http"},
	} {
		g := newGateway(t, func(c *config.Config) {
			for assignment := range strings.FieldsSeq(row.set) {
				if err := c.Set(assignment); err != nil {
					t.Fatal(err)
				}
			}
		}, Options{})
		g.serve(nil, claimsBackend(t))
		for _, streams := range []bool{false, true} {
			var got []string
			for line := range strings.Lines(g.claims(streams, []string{"X-Forwarded-For: 192.0.2.1", "CF-Connecting-IP: 192.0.2.6", "X-Forwarded-Proto: https"})) {
				if line = strings.TrimSpace(line); strings.HasPrefix(line, "Cf-") || strings.HasPrefix(line, "X-Forwarded-For") || strings.HasPrefix(line, "X-Forwarded-Proto") {
					got = append(got, line)
				}
			}
			if all := strings.Join(got, " "); all != row.want {
				t.Errorf("%s, HTTP/2 %v: %s, want %s", row.set, streams, all, row.want)
			}
		}
	}
}

// TestForbidden: a Route of a host that is closed answers everybody 403, and no Filter of its object is asked.
func TestForbidden(t *testing.T) {
	t.Parallel()
	g := newGateway(t, nil, Options{})
	builder := routing.Builder{Attach: g.Attach}
	host, _ := builder.BuildHost("", []routing.Route{{Path: "/", Type: routing.Prefix, Backend: routing.Forbidden, Anonymous: true, Source: &routing.Source{
		Ingress: routing.ObjectName{Namespace: "default", Name: "app"}, Policy: &asked.Policy{Closed: "for a reason"},
	}}})
	var empty *routing.Table
	g.store.Publish(&routing.Snapshot{Table: empty.With(map[string]*routing.Host{"": host}, nil)})
	for _, method := range []string{"GET", "HEAD", "OPTIONS"} {
		if got := g.raw(method + " / HTTP/1.1\r\nHost: app.test\r\nConnection: close\r\n\r\n"); !strings.HasPrefix(got, "HTTP/1.1 403 ") {
			t.Errorf("%s: %q", method, got)
		}
	}
}

// TestTrailersOfTakenOver: Backends of HTTP/1.1 are not asked for trailers, as by nginx; those of other objects are.
func TestTrailersOfTakenOver(t *testing.T) {
	t.Parallel()
	g := newGateway(t, nil, Options{})
	g.serve(nil, servertest.Backend(t, func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Header["Te"]) }))
	const request = "GET / HTTP/1.1\r\nHost: app.test\r\nTE: trailers\r\nConnection: TE, close\r\n\r\n"
	if got := g.raw(request); !strings.HasSuffix(got, "[trailers]") {
		t.Errorf("another object: %q", got)
	}
	g.takenOver()
	if got := g.raw(request); !strings.HasSuffix(got, "[]") {
		t.Errorf("one that was taken over: %q", got)
	}
}
