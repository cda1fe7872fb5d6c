package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-gateway/sluice/server/internal/stats"
	"github.com/sluice-gateway/sluice/server/internal/tlsconfig"
)

// maxTimeout keeps every deadline within what the timer wheel can hold.
const maxTimeout = Duration(30 * 24 * time.Hour)

// Validate checks every key and returns all errors joined, each starting with the key's path.
func (c *Config) Validate() error {
	v := &validator{addresses: map[string]string{}}
	if c.Version != 1 {
		v.fail("version", "%d is not known; this release reads version 1", c.Version)
	}
	v.number("threads", c.Threads, 0, 1024)
	if p := c.UpgradeSock; p != "" && (!filepath.IsAbs(p) || len(p) > 100) {
		v.fail("upgrade_sock", "%q must be an absolute path of at most 100 bytes (the kernel's bound for a socket name), or empty", p)
	}
	v.listen(&c.Listen)
	v.kubernetes(&c.Kubernetes)

	v.size("limits.header_bytes", c.Limits.HeaderBytes, 1<<10, 32<<10)
	v.number("limits.header_count", c.Limits.HeaderCount, 8, 1000)
	v.number("limits.response_header_count", c.Limits.ResponseHeaderCount, 8, 1000)
	v.number("limits.connections", c.Limits.Connections, 0, 10_000_000)
	v.number("limits.connections_per_source", c.Limits.ConnectionsPerSource, 0, 10_000_000)
	v.number("limits.requests_per_source", c.Limits.RequestsPerSource, 0, 10_000_000)
	if b := c.Limits.BufferedBytes; b != 0 {
		v.size("limits.buffered_bytes", b, 1<<20, 1<<40)
	}

	v.timeout("timeouts.header", c.Timeouts.Header)
	v.timeout("timeouts.body", c.Timeouts.Body)
	v.timeout("timeouts.idle", c.Timeouts.Idle)
	v.timeout("timeouts.connect", c.Timeouts.Connect)
	v.timeout("timeouts.read", c.Timeouts.Read)
	v.timeout("timeouts.send", c.Timeouts.Send)
	v.timeout("timeouts.tunnel", c.Timeouts.Tunnel)
	if c.Timeouts.HalfClosed != 0 {
		v.timeout("timeouts.half_closed", c.Timeouts.HalfClosed)
	}
	if c.Timeouts.Request != 0 {
		v.timeout("timeouts.request", c.Timeouts.Request)
	}

	v.size("http.splice_threshold", c.HTTP.SpliceThreshold, 0, 1<<30)
	if n := c.HTTP.HeaderNames; n != "plain" && n != "underscore" && n != "token" {
		v.fail("http.header_names", "%q is not known; write plain, underscore or token", n)
	}
	if s := c.HTTP.ServerHeader; len(s) > 100 || s != strings.TrimSpace(s) || strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' }) {
		v.fail("http.server_header", "%q is no value for a field; write at most 100 visible ASCII characters and spaces, or nothing for no field", s)
	}
	v.prefixes("forwarded.trusted_cidrs", c.Forwarded.TrustedCIDRs)
	if name := c.Forwarded.ClientHeader; !clientHeader.MatchString(name) || slices.Contains(notClients, strings.ToLower(name)) {
		v.fail("forwarded.client_header", "%q is no field that names clients: write letters, digits and hyphens, such as X-Forwarded-For", name)
	}

	v.number("upstream.max_idle_per_endpoint", c.Upstream.MaxIdlePerEndpoint, 0, 65535)
	v.timeout("upstream.idle_timeout", c.Upstream.IdleTimeout)
	v.number("upstream.max_connections_per_endpoint", c.Upstream.MaxConnectionsPerEndpoint, 0, 65535)
	v.number("upstream.retries", c.Upstream.Retries, 0, 10)

	v.number("metrics.max_series", c.Metrics.MaxSeries, 0, 1_000_000)
	v.number("metrics.max_series_per_namespace", c.Metrics.MaxSeriesPerNamespace, 0, 1_000_000)
	for i, name := range c.Metrics.RouteHistograms {
		if known := stats.RouteHistograms(); !slices.Contains(known, name) {
			v.fail(fmt.Sprintf("metrics.route_histograms[%d]", i), "%q is not known; write some of %s", name, strings.Join(known, ", "))
		}
	}

	if p := c.AccessLog.Path; p != "off" && p != "stdout" && !filepath.IsAbs(p) {
		v.fail("access_log.path", "%q must be off, stdout or an absolute path", p)
	}
	if c.AccessLog.Format != "json" {
		v.fail("access_log.format", "%q is not known; write json", c.AccessLog.Format)
	}
	v.number("shutdown.drain_seconds", c.Shutdown.DrainSeconds, 0, 86400)
	v.proxyProtocol(&c.ProxyProtocol, &c.Listen)
	v.tls(&c.TLS)
	v.number("http2.max_streams", c.HTTP2.MaxStreams, 1, 10_000)
	v.number("http2.stalled_streams", c.HTTP2.StalledStreams, 0, 10_000)
	v.redis(&c.Redis)
	return errors.Join(v.errs...)
}

// clientHeader is the form of forwarded.client_header, and notClients are fields that say something else, in lower case.
var (
	clientHeader = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9-]{0,63}$`)
	notClients   = []string{
		"authorization", "connection", "content-length", "content-type", "cookie", "expect", "forwarded", "host", "keep-alive", "max-forwards", "te", "trailer",
		"transfer-encoding", "upgrade", "x-forwarded-host", "x-forwarded-port", "x-forwarded-prefix", "x-forwarded-proto", "x-forwarded-scheme", "x-request-id", "x-scheme",
	}
)

// validator collects the errors of one Validate.
type validator struct {
	errs []error
	// addresses maps each listen address seen to its key, to find one used twice.
	addresses map[string]string
}

func (v *validator) fail(key, format string, args ...any) {
	v.errs = append(v.errs, fmt.Errorf(key+": "+format, args...))
}

func (v *validator) number(key string, n, low, high int) {
	if n < low || n > high {
		v.fail(key, "%d is out of range; write %d to %d", n, low, high)
	}
}

func (v *validator) size(key string, n, low, high Size) {
	if n < low || n > high {
		v.fail(key, "%s is out of range; write %s to %s", n, low, high)
	}
}

func (v *validator) timeout(key string, d Duration) {
	switch {
	case d == 0:
		v.fail(key, "0 would wait for ever on a peer that went away; write a duration such as 60s")
	case d < Duration(time.Millisecond) || d > maxTimeout:
		v.fail(key, "%s is out of range; write 1ms to %s", d, maxTimeout)
	}
}

func (v *validator) listen(l *Listen) {
	if len(l.HTTP)+len(l.HTTPS) == 0 {
		v.fail("listen", "http and https are both empty, so nothing would be served; give one an address such as \":80\"")
	}
	for _, a := range l.HTTP {
		v.address("listen.http", a)
	}
	for _, a := range l.HTTPS {
		v.address("listen.https", a)
	}
	if l.Metrics != "" {
		v.address("listen.metrics", l.Metrics)
	}
	if l.Admin != "" {
		v.address("listen.admin", l.Admin)
	}
	if p := l.AdminSocket; p != "" && (!filepath.IsAbs(p) || len(p) > 86) {
		v.fail("listen.admin_socket", "%q must be an absolute path of at most 86 bytes (of the 107 that the kernel takes, 20 are for making it), or empty", p)
	}
	if p := l.AdminTokenFile; p != "" && !filepath.IsAbs(p) {
		v.fail("listen.admin_token_file", "%q must be an absolute path, or empty", p)
	}
}

// address checks "host:port". Host names are refused: resolving one at start could bind another
// address than the intended one, and would need DNS before the gateway serves it.
func (v *validator) address(key, a string) {
	host, port, err := net.SplitHostPort(a)
	if err != nil {
		v.fail(key, "%q is not an address; write host:port, such as \":80\" or \"127.0.0.1:8080\"", a)
		return
	}
	if _, err := netip.ParseAddr(host); host != "" && err != nil {
		v.fail(key, "%q must have an IP address or nothing before the colon, not a name", a)
		return
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		v.fail(key, "%q has no port from 0 to 65535 (0 = any free one)", a)
		return
	}
	if other, twice := v.addresses[a]; twice && n != 0 {
		v.fail(key, "%q is also in %s; each address can be bound once", a, other)
	}
	v.addresses[a] = key
}

func (v *validator) tls(t *TLS) {
	_, _, refused := tlsconfig.ParseProtocols(t.Protocols)
	for _, name := range refused {
		v.fail("tls.protocols", "%q is not served; write TLSv1.2, TLSv1.3 or both", name)
	}
	_, refused = tlsconfig.ParseCiphers(t.Ciphers)
	for _, name := range refused {
		v.fail("tls.ciphers", "%q is no cipher suite that is served; write names such as ECDHE-RSA-AES128-GCM-SHA256, without OpenSSL's keywords", name)
	}
	if s := t.DefaultCertificate; s != "" {
		if ns, name, ok := strings.Cut(s, "/"); !ok || ns == "" || name == "" || strings.Contains(name, "/") {
			v.fail("tls.default_certificate", "%q must be namespace/name, or empty", s)
		}
	}
	v.timeout("tls.handshake_timeout", t.HandshakeTimeout)
	v.number("tls.max_handshakes", t.MaxHandshakes, 1, 1_000_000)
	v.number("tls.handshakes_per_source", t.HandshakesPerSource, 0, 1_000_000)
	if d := t.TicketRotation; d < Duration(time.Minute) || d > Duration(7*24*time.Hour) {
		v.fail("tls.ticket_rotation", "%s is out of range; write 1m to 168h, or turn tls.session_tickets off", d)
	}
}

func (v *validator) kubernetes(k *Kubernetes) {
	if k.IngressClass == "" {
		v.fail("kubernetes.ingress_class", "must name a class, such as sluice")
	}
	if len(k.Controllers) == 0 {
		v.fail("kubernetes.controllers", "is empty, so no IngressClass would be ours; write [sluice-gateway.io/ingress]")
	}
	for _, name := range k.Controllers {
		if domain, path, ok := strings.Cut(name, "/"); !ok || domain == "" || path == "" {
			v.fail("kubernetes.controllers", "%q must be domain/name, such as k8s.io/ingress-nginx", name)
		}
	}
	for _, ns := range k.WatchNamespaces {
		if ns == "" || strings.Contains(ns, "/") {
			v.fail("kubernetes.watch_namespaces", "%q is not a namespace; for all of them write []", ns)
		}
	}
	for _, a := range k.PublishStatusAddress {
		if a == "" || strings.ContainsAny(a, " /") {
			v.fail("kubernetes.publish_status_address", "%q is neither an address nor a host name", a)
		}
	}
	v.prefixes("kubernetes.allowed_endpoints", k.AllowedEndpoints)
	if s := k.NginxConfigMap; s != "" {
		if ns, name, ok := strings.Cut(s, "/"); !ok || ns == "" || name == "" || strings.Contains(name, "/") {
			v.fail("kubernetes.nginx_configmap", "%q must be namespace/name, or empty", s)
		}
	}
	if k.HostOwnership != "merge" && k.HostOwnership != "namespace" {
		v.fail("kubernetes.host_ownership", "%q is not known; write merge or namespace", k.HostOwnership)
	}
	if s := k.PublishService; s != "" {
		if ns, name, ok := strings.Cut(s, "/"); !ok || ns == "" || name == "" {
			v.fail("kubernetes.publish_service", "%q must be namespace/name", s)
		}
		if len(k.PublishStatusAddress) > 0 {
			v.fail("kubernetes.publish_service", "cannot be set together with publish_status_address; keep one")
		}
	}
}

func (v *validator) redis(r *Redis) {
	if a := r.Address; a != "" && !filepath.IsAbs(a) {
		host, port, err := net.SplitHostPort(a)
		if n, bad := strconv.ParseUint(port, 10, 16); err != nil || bad != nil || n == 0 || host == "" {
			v.fail("redis.address", "%q is no address; write host:port, such as redis.shop.svc:6379, or the absolute path of a socket", a)
		}
	} else if a != "" && r.TLS {
		v.fail("redis.tls", "is not spoken over a Unix socket; write host:port, or false")
	}
	for _, f := range []struct{ key, path string }{{"redis.credentials_file", r.CredentialsFile}, {"redis.ca_file", r.CAFile}} {
		if f.path != "" && !filepath.IsAbs(f.path) {
			v.fail(f.key, "%q must be an absolute path, or empty", f.path)
		}
	}
	if r.CAFile != "" && !r.TLS {
		v.fail("redis.ca_file", "has no effect without redis.tls; write redis.tls: true")
	}
	if d := r.Timeout; d < Duration(time.Millisecond) || d > Duration(10*time.Second) {
		v.fail("redis.timeout", "%s is out of range; write 1ms to 10s", d)
	}
	v.number("redis.database", r.Database, 0, 1_000_000)
	v.number("redis.connections", r.Connections, 1, 1000)
	if p := r.KeyPrefix; len(p) > 100 || strings.ContainsFunc(p, func(c rune) bool { return c <= ' ' || c > '~' || c == '{' || c == '}' }) {
		v.fail("redis.key_prefix", "%q is none; write at most 100 visible ASCII characters without braces", p)
	}
}

func (v *validator) prefixes(key string, list []string) {
	for _, s := range list {
		if _, err := parsePrefix(s); err != nil {
			v.fail(key, "%q is neither a CIDR such as 10.0.0.0/8 nor an address", s)
		}
	}
}

// proxyProtocol requires each entry to be a listener, because a misspelt address would leave the
// real one without the protocol: the load balancer's headers would be taken for malformed requests.
func (v *validator) proxyProtocol(p *ProxyProtocol, l *Listen) {
	for i, a := range p.Listeners {
		switch {
		case !slices.Contains(l.HTTP, a) && !slices.Contains(l.HTTPS, a):
			v.fail("proxy_protocol.listeners", "%q is neither in listen.http nor in listen.https; write the address exactly as it stands there", a)
		case slices.Contains(p.Listeners[:i], a):
			v.fail("proxy_protocol.listeners", "%q is given twice", a)
		}
	}
	v.prefixes("proxy_protocol.trusted_cidrs", p.TrustedCIDRs)
	if len(p.Listeners) > 0 && len(p.TrustedCIDRs) == 0 {
		v.fail("proxy_protocol.trusted_cidrs", "is empty, so every connection to proxy_protocol.listeners would be closed; write the load balancer's addresses, such as [10.0.0.0/8]")
	}
	v.timeout("proxy_protocol.timeout", p.Timeout)
}
