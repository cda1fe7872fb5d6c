package config

import (
	"net/netip"
	"slices"
	"time"
)

// Config is the whole configuration of one gateway process. The zero value is not valid: start from
// Default or Load. Copy it with Clone; concurrent readers are safe as long as Set is not called.
type Config struct {
	Version     int    `json:"version"`
	Threads     int    `json:"threads"`
	PIDFile     string `json:"pid_file"`
	ErrorLog    string `json:"error_log"`
	UpgradeSock string `json:"upgrade_sock"`

	Listen     Listen     `json:"listen"`
	Kubernetes Kubernetes `json:"kubernetes"`
	Limits     Limits     `json:"limits"`
	Timeouts   Timeouts   `json:"timeouts"`
	HTTP       HTTP       `json:"http"`
	Forwarded  Forwarded  `json:"forwarded"`
	Upstream   Upstream   `json:"upstream"`
	AccessLog  AccessLog  `json:"access_log"`
	Metrics    Metrics    `json:"metrics"`
	Shutdown   Shutdown   `json:"shutdown"`

	ProxyProtocol ProxyProtocol `json:"proxy_protocol"`
	TLS           TLS           `json:"tls"`
	HTTP2         HTTP2         `json:"http2"`
	Redis         Redis         `json:"redis"`
}

// Listen holds the addresses to bind, each "host:port" with an empty host for every address.
type Listen struct {
	HTTP    []string `json:"http"`
	HTTPS   []string `json:"https"`
	Metrics string   `json:"metrics"`
	Admin   string   `json:"admin"`
	// AdminSocket and AdminTokenFile are paths.
	AdminSocket    string `json:"admin_socket"`
	AdminTokenFile string `json:"admin_token_file"`
}

// Kubernetes selects the objects that are served and where their status points.
type Kubernetes struct {
	IngressClass         string   `json:"ingress_class"`
	Controllers          []string `json:"controllers"`
	WatchNamespaces      []string `json:"watch_namespaces"`
	PublishStatusAddress []string `json:"publish_status_address"`
	PublishService       string   `json:"publish_service"`
	HostOwnership        string   `json:"host_ownership"`
	// NginxConfigMap is the namespace/name of the ConfigMap of ingress-nginx's controller.
	NginxConfigMap string `json:"nginx_configmap"`
	// ExternalNames serves Services of that type, AllowedEndpoints are CIDRs.
	ExternalNames    bool     `json:"external_names"`
	AllowedEndpoints []string `json:"allowed_endpoints"`
}

// Limits bounds what one client can make the gateway hold.
type Limits struct {
	HeaderBytes Size `json:"header_bytes"`
	HeaderCount int  `json:"header_count"`
	// ResponseHeaderCount bounds the field lines of a Backend's response.
	ResponseHeaderCount int `json:"response_header_count"`
	// BodyBytes bounds a request body; 0 = unlimited. A Route's Policy may override it.
	BodyBytes Size `json:"body_bytes"`
	// Connections bounds client connections over all loops; 0 = from RLIMIT_NOFILE and the memory limit.
	Connections int `json:"connections"`
	// ConnectionsPerSource and RequestsPerSource bound those of one IPv4 address or IPv6 /64; 0 = a half and a
	// quarter of Connections.
	ConnectionsPerSource int `json:"connections_per_source"`
	RequestsPerSource    int `json:"requests_per_source"`
	// BufferedBytes bounds the bytes that wait in memory in the whole process; 0 = a quarter of the memory limit.
	BufferedBytes Size `json:"buffered_bytes"`
}

// Timeouts are the deadlines of an exchange, client side first.
type Timeouts struct {
	Header  Duration `json:"header"`
	Body    Duration `json:"body"`
	Idle    Duration `json:"idle"`
	Connect Duration `json:"connect"`
	Read    Duration `json:"read"`
	Send    Duration `json:"send"`
	Request Duration `json:"request"`
	// Tunnel is between two reads of either side of an upgraded connection, such as a WebSocket.
	Tunnel Duration `json:"tunnel"`
	// HalfClosed is how long an Endpoint may be silent for a client that sends nothing more; 0 = as for any.
	HalfClosed Duration `json:"half_closed"`
}

// HTTP tunes the data path.
type HTTP struct {
	// SpliceThreshold is the body length from which plain TCP bodies move by splice(2); 0 = never.
	SpliceThreshold Size `json:"splice_threshold"`
	// HeaderNames decides which names clients' fields may have: plain, underscore or token.
	HeaderNames string `json:"header_names"`
	// ServerHeader is the value of Server in responses without one; "" = none.
	ServerHeader string `json:"server_header"`
	// KeepAlive keeps clients' connections of HTTP/1.1 for further requests.
	KeepAlive bool `json:"keep_alive"`
}

// Forwarded names the peers whose X-Forwarded-* fields are believed.
type Forwarded struct {
	TrustedCIDRs []string `json:"trusted_cidrs"`
	// ClientHeader is the field in which they name their clients.
	ClientHeader string `json:"client_header"`
	// AddressOnly believes them about addresses, and not about scheme, host and port.
	AddressOnly bool `json:"address_only"`
	// FullList and OriginalURI are for objects of ingress-nginx's classes: X-Forwarded-For is extended, X-Original-URI is sent.
	FullList    bool `json:"full_list"`
	OriginalURI bool `json:"original_uri"`
}

// Upstream tunes the connection pools, which are per loop and per Endpoint.
type Upstream struct {
	MaxIdlePerEndpoint        int      `json:"max_idle_per_endpoint"`
	IdleTimeout               Duration `json:"idle_timeout"`
	MaxConnectionsPerEndpoint int      `json:"max_connections_per_endpoint"`
	Retries                   int      `json:"retries"`
}

// AccessLog is where each request is reported.
type AccessLog struct {
	Path   string `json:"path"`
	Format string `json:"format"`
}

// Metrics bounds what a scrape holds of Routes, whose number tenants decide.
type Metrics struct {
	MaxSeries             int `json:"max_series"`
	MaxSeriesPerNamespace int `json:"max_series_per_namespace"`
	// RouteHistograms are those reported with buckets.
	RouteHistograms []string `json:"route_histograms"`
}

// Shutdown bounds the drain.
type Shutdown struct {
	DrainSeconds int `json:"drain_seconds"`
}

// ProxyProtocol lists where a load balancer announces clients by the PROXY protocol, version 1 or 2.
type ProxyProtocol struct {
	// Listeners are those of listen.http and listen.https, as written there, on which every connection
	// must begin with a header.
	Listeners []string `json:"listeners"`
	// TrustedCIDRs are the peers that may connect there.
	TrustedCIDRs []string `json:"trusted_cidrs"`
	Timeout      Duration `json:"timeout"`
}

// TLS configures how HTTPS is served to clients.
type TLS struct {
	Protocols string `json:"protocols"`
	// Ciphers are of TLS 1.2; "" = the package tlsconfig's defaults.
	Ciphers            string   `json:"ciphers"`
	SNIStrict          bool     `json:"sni_strict"`
	DefaultCertificate string   `json:"default_certificate"`
	HandshakeTimeout   Duration `json:"handshake_timeout"`
	// MaxHandshakes bounds those under way in the process, HandshakesPerSource those of one address; 0 of
	// the latter = no bound.
	MaxHandshakes       int      `json:"max_handshakes"`
	HandshakesPerSource int      `json:"handshakes_per_source"`
	SessionTickets      bool     `json:"session_tickets"`
	TicketRotation      Duration `json:"ticket_rotation"`
}

// HTTP2 configures whether and how HTTP/2 is spoken with clients.
type HTTP2 struct {
	Enabled bool `json:"enabled"`
	// MaxStreams bounds the requests under way on one connection.
	MaxStreams int `json:"max_streams"`
	// StalledStreams bounds those of one connection that hold a connection to an Endpoint while they wait for
	// their client's window.
	StalledStreams int `json:"stalled_streams"`
}

// Redis is where all gateways count together: a server of Redis' protocol.
type Redis struct {
	// Address is host:port, or the path of a Unix socket; "" = none.
	Address         string `json:"address"`
	Database        int    `json:"database"`
	CredentialsFile string `json:"credentials_file"`
	TLS             bool   `json:"tls"`
	// CAFile is "" for the system's authorities.
	CAFile      string   `json:"ca_file"`
	Timeout     Duration `json:"timeout"`
	Connections int      `json:"connections"`
	KeyPrefix   string   `json:"key_prefix"`
}

// Default returns a new Config with every key at its default.
func Default() *Config {
	return &Config{
		Version:     1,
		UpgradeSock: "/tmp/sluice.sock",
		Listen: Listen{
			HTTP:    []string{":80"},
			HTTPS:   []string{":443"},
			Metrics: ":10254",
			Admin:   "127.0.0.1:10255",

			AdminSocket:    "/tmp/sluice-admin.sock",
			AdminTokenFile: "/tmp/sluice-admin.token",
		},
		Kubernetes: Kubernetes{
			IngressClass:         "sluice",
			Controllers:          []string{"sluice-gateway.io/ingress"},
			WatchNamespaces:      []string{},
			PublishStatusAddress: []string{},
			HostOwnership:        "merge",
			ExternalNames:        true,
			AllowedEndpoints:     []string{},
		},
		Limits: Limits{HeaderBytes: 16 << 10, HeaderCount: 100, ResponseHeaderCount: 128, BodyBytes: 1 << 20},
		Timeouts: Timeouts{
			Header:  Duration(10 * time.Second),
			Body:    Duration(60 * time.Second),
			Idle:    Duration(75 * time.Second),
			Connect: Duration(5 * time.Second),
			Read:    Duration(60 * time.Second),
			Send:    Duration(60 * time.Second),
			Tunnel:  Duration(time.Hour),

			HalfClosed: Duration(10 * time.Second),
		},
		HTTP:      HTTP{SpliceThreshold: 64 << 10, HeaderNames: "plain", ServerHeader: "sluice", KeepAlive: true},
		Forwarded: Forwarded{TrustedCIDRs: []string{}, ClientHeader: "X-Forwarded-For"},
		Upstream:  Upstream{MaxIdlePerEndpoint: 320, IdleTimeout: Duration(60 * time.Second), Retries: 1},
		AccessLog: AccessLog{Path: "off", Format: "json"},
		Metrics:   Metrics{MaxSeries: 5000, MaxSeriesPerNamespace: 1000, RouteHistograms: []string{"request_duration_seconds"}},
		Shutdown:  Shutdown{DrainSeconds: 30},

		ProxyProtocol: ProxyProtocol{Listeners: []string{}, TrustedCIDRs: []string{}, Timeout: Duration(5 * time.Second)},
		TLS: TLS{
			Protocols:           "TLSv1.2 TLSv1.3",
			HandshakeTimeout:    Duration(10 * time.Second),
			MaxHandshakes:       4096,
			HandshakesPerSource: 256,
			SessionTickets:      true,
			TicketRotation:      Duration(12 * time.Hour),
		},
		HTTP2: HTTP2{Enabled: true, MaxStreams: 128, StalledStreams: 16},
		Redis: Redis{Timeout: Duration(100 * time.Millisecond), Connections: 16, KeyPrefix: "sluice:"},
	}
}

// Clone returns a copy that shares nothing with c.
func (c *Config) Clone() *Config {
	d := *c
	for _, list := range []*[]string{
		&d.Listen.HTTP, &d.Listen.HTTPS,
		&d.Kubernetes.Controllers, &d.Kubernetes.WatchNamespaces, &d.Kubernetes.PublishStatusAddress, &d.Kubernetes.AllowedEndpoints,
		&d.Forwarded.TrustedCIDRs, &d.Metrics.RouteHistograms,
		&d.ProxyProtocol.Listeners, &d.ProxyProtocol.TrustedCIDRs,
	} {
		*list = slices.Clone(*list)
	}
	return &d
}

// DrainTimeout is how long a drain may take.
func (c *Config) DrainTimeout() time.Duration {
	return time.Duration(c.Shutdown.DrainSeconds) * time.Second
}

// TrustedPrefixes returns forwarded.trusted_cidrs parsed, a single address as a prefix of its full length.
// c must have passed Validate: an entry that does not parse is left out here, so it is never trusted.
func (c *Config) TrustedPrefixes() []netip.Prefix { return parsePrefixes(c.Forwarded.TrustedCIDRs) }

// ProxyProtocolPrefixes returns proxy_protocol.trusted_cidrs in the same way.
func (c *Config) ProxyProtocolPrefixes() []netip.Prefix {
	return parsePrefixes(c.ProxyProtocol.TrustedCIDRs)
}

// AllowedEndpoints returns kubernetes.allowed_endpoints in the same way.
func (c *Config) AllowedEndpoints() []netip.Prefix {
	return parsePrefixes(c.Kubernetes.AllowedEndpoints)
}

func parsePrefixes(list []string) []netip.Prefix {
	var prefixes []netip.Prefix
	for _, s := range list {
		if p, err := parsePrefix(s); err == nil {
			prefixes = append(prefixes, p)
		}
	}
	return prefixes
}

// parsePrefix reads a CIDR or a single address, IPv4-mapped addresses unmapped.
func parsePrefix(s string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(s); err == nil {
		a = a.Unmap().WithZone("")
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return p, err
	}
	if a := p.Addr(); a.Is4In6() && p.Bits() >= 96 {
		p = netip.PrefixFrom(a.Unmap(), p.Bits()-96)
	}
	return p.Masked(), nil
}
