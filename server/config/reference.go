package config

import (
	"encoding/json"
	"fmt"
	"strings"
)

// key documents one configuration key. Its type and default come from Config and Default.
type key struct {
	Path string
	// Live is true when a reload applies a change to new requests without a restart.
	Live bool
	Doc  string
}

// keys is every key, in the order of Config. A test compares it with the struct.
var keys = []key{
	{"version", false, "Version of this file's format; 1 is the only one."},
	{"threads", false, "Event loops, each on its own thread with its own listener sockets; 0 = GOMAXPROCS, which follows the cgroup's CPU quota."},
	{"pid_file", false, "File that holds the process id: written once the listeners are bound, removed at exit; empty = none."},
	{"error_log", true, "File for the gateway's own log, opened anew on every reload so that it can be rotated; empty = stderr. Nothing waits for it: where it does not keep up (a pipe or FIFO whose reader stalls, a full disk), up to 4 MiB of lines wait, and further ones are lost and counted in sluice_log_lines_lost_total."},
	{"upgrade_sock", false, "Unix socket over which listeners are to be handed to a successor process; empty = no handing over. This release does not open it yet."},

	{"listen.http", false, "Addresses for HTTP, `host:port`; an empty host binds every address, IPv4 and IPv6."},
	{"listen.https", false, "Addresses for HTTPS, `host:port`; certificates come from the Secrets of `spec.tls`, by the name that a client asks for."},
	{"listen.metrics", false, "Address of `/metrics`, `/healthz` and `/readyz`; reached by Prometheus and the kubelet, so it faces the cluster; empty = off."},
	{"listen.admin", false, "Address of the dashboard, `/api/v1/` and `/debug/`; whoever is answered there sees every Route and can profile the process, so keep it on loopback. Each request must show the token of `listen.admin_token_file`: that somebody reaches loopback proves nothing on a node that many share. Empty = off."},
	{"listen.admin_socket", false, "Unix socket that serves the same, to the user that the gateway runs as and to root, without a token; `sluice explain` asks there unless it is told otherwise, and `curl --unix-socket` does. It takes the place of one that another gateway left. An absolute path of at most 86 bytes; empty = none."},
	{"listen.admin_token_file", false, "File with the token for `listen.admin`, at least 16 bytes, shown as `Authorization: Bearer`, or as the password of any user by a browser. Where there is none it is made, with a random token that only the gateway's user can read. It must belong to that user or root, and nobody else may be able to write it, or nobody is answered. Read for each request, so that a mounted Secret can be exchanged. Empty = `listen.admin` answers nobody."},

	{"kubernetes.ingress_class", false, "Name of our own IngressClass. An Ingress that gives it is ours even where there is no object of that name; an object of that name decides by its `spec.controller`. A class that is deleted in a cluster counts for 10 s more, because replacing one means deleting and creating it."},
	{"kubernetes.controllers", false, "Values of IngressClass `spec.controller` that are ours; add `k8s.io/ingress-nginx` to take over its classes."},
	{"kubernetes.watch_namespaces", false, "Namespaces to watch; empty = all."},
	{"kubernetes.publish_status_address", false, "Addresses or host names written to the status of served Ingresses."},
	{"kubernetes.publish_service", false, "Service, `namespace/name`, whose addresses are written to the status instead."},
	{"kubernetes.host_ownership", false, "Whether objects of other namespaces may add paths to a Host. A Host belongs to the namespace of the oldest object that names it, and in either case that one alone decides what is decided once for a whole Host: client certificates, `ssl-ciphers`, `ssl-passthrough`, and the certificate that is shown. `merge`: every namespace may add paths, as with ingress-nginx and every other controller that we know; the default, because one host over the paths of several teams is usual, and a gateway that left them out would answer 404 for them on the day of the move. `namespace`: what other namespaces have for a Host is left out, and each such object has a Rejection; the owner of a wildcard also has the names that it stands for, but for older ones. Write that where namespaces do not trust each other: under `merge` whoever may create an Ingress may take `/login` of a host of another's `/`."},
	{"kubernetes.nginx_configmap", true, "ConfigMap, `namespace/name`, of the ingress-nginx controller whose classes are taken over: its keys count as they change, see informer/CONFIGMAP.md. Nothing is served, and /readyz says so, before it has been read once. In a cluster the gateway needs the right to read it, see deploy/base/clusterrole.yaml. Empty = none."},
	{"kubernetes.external_names", false, "Serve Services of type ExternalName. Whoever may write a Service decides with it what the gateway connects to, past every NetworkPolicy that is about Pods: false where that is not wanted; their paths then answer 503. Requests to them carry `CDN-Loop: sluice` (RFC 8586); one that has it eight times comes back again and again, and answers 508."},
	{"kubernetes.allowed_endpoints", false, "Ranges that Endpoints may be in although they are refused otherwise, as CIDRs or addresses. Refused are, from EndpointSlices, from literal addresses in `externalName` and from each answer for a name: loopback, link-local and unspecified addresses, multicast, broadcast, the metadata services of clouds, the addresses of the gateway's own node (also those of Pods on its host network), and spellings of these in IPv6 (mapped, NAT64, 6to4, Teredo). A directory of manifests may have loopback and the own addresses. Each is a Rejection. Empty = none."},

	{"limits.header_bytes", true, "Largest request head, request line and all fields together; beyond it 431. 1k to 32k."},
	{"limits.header_count", true, "Most header fields in a request; beyond it 431."},
	{"limits.response_header_count", true, "Most header fields in a response of a Backend; beyond it 502. Each is looked at several times on a loop that others share. Backends that set a cookie or a Link for each of many things need more than the default, which is more than nearly all send. 8 to 1000; the head's bytes are bounded by 64k as well."},
	{"limits.body_bytes", true, "Largest request body; beyond it 413; 0 = unlimited. All that a gRPC client sends on one stream is one body, and beyond it RESOURCE_EXHAUSTED. An Ingress can override it (proxy-body-size)."},
	{"limits.connections", true, "Most client connections over all loops; beyond it an idle one is closed for the newcomer, of the source that has most, then one that waits for its client, of a source with more than the newcomer's, and else the newcomer. 0 = two thirds of what RLIMIT_NOFILE allows, less 512 descriptors for everything else, the last third being for Endpoints; but one for each 32 KiB of the memory limit at most, which is that of the cgroup, GOMEMLIMIT or else the machine's memory."},
	{"limits.connections_per_source", true, "Most of them from one source: an IPv4 address, or an IPv6 /64. Beyond it an idle one of its own is closed for the newcomer, and else the newcomer. Behind the PROXY protocol the source is the client that is named. Peers of `forwarded.trusted_cidrs` speak for many clients and are not bounded: add a proxy there that hides its clients' addresses, or raise this where Nodes do. 0 = half of limits.connections, so that no source can have them all."},
	{"limits.requests_per_source", true, "Most requests under way of one source, on all its connections; beyond it 429. The same peers are not bounded. 0 = a quarter of limits.connections, which is half as many as there can be connections to Endpoints by default, and 128 at least."},
	{"limits.buffered_bytes", true, "Most bytes of memory, in the whole process, that wait for a peer: parts of heads and records, bodies that the other side does not take, frames and records not sent yet. Beyond it the connections that hold most are cut, until the rest fits. 1m or more; 0 = a quarter of the memory limit: as much again is the garbage collector's, and the rest is for connections and Routes."},

	{"timeouts.header", true, "From the first byte of a request to the end of its head; then 408."},
	{"timeouts.body", true, "Between two reads of a request body; then 408. What the request calls itself makes no difference; only where client and Endpoint both speak HTTP/2, a gRPC stream may rest for timeouts.tunnel."},
	{"timeouts.idle", true, "How long a client connection may wait for its next request."},
	{"timeouts.connect", true, "To connect to an Endpoint; then another is tried, or 502."},
	{"timeouts.read", true, "Between two reads from an Endpoint, the wait for the response head included; then 504."},
	{"timeouts.send", true, "Between two writes to a peer that takes no bytes."},
	{"timeouts.request", true, "For a whole exchange; 0 = no bound."},
	{"timeouts.tunnel", true, "How long an upgraded connection, such as a WebSocket, or one that is passed through (ssl-passthrough) may be silent in both directions, and a gRPC stream that its client has not ended, where both sides speak HTTP/2. For all but the second, an Ingress's proxy-read-timeout has precedence."},
	{"timeouts.half_closed", true, "Between two reads from an Endpoint, the wait for the response head included, for an HTTP/1 client that has ended what it sends (a FIN); then the exchange is given up as one whose client went away (499, client_abort). Nobody can tell a client that has left from one that still reads, such as nc -N: this is long enough for the answers that scripts wait for, while long polls whose clients are gone do not pile up until timeouts.read. 1ms gives up nearly at once, as nginx does (proxy_ignore_client_abort off); 0 = as for any client (on). A client that resets its connection, or its HTTP/2 stream, is given up at once in any case."},

	{"http.splice_threshold", true, "Bodies of at least this length move between plain TCP sockets inside the kernel (splice); 0 = never."},
	{"http.header_names", true, "Names that fields of clients may have, in heads and trailers: `plain` = letters, digits and hyphens; `underscore` = underscores too; `token` = all that HTTP allows. Fields with other names are dropped, as nginx drops them: CGI, WSGI, Rack and PHP make one of `X_Real_IP`, `X.Real.IP` and `X-Real-IP`, so that a client could speak for the gateway. Whatever this says, a name that only such bytes tell from one that the gateway sets or believes is dropped. Responses may have any name."},
	{"http.server_header", true, "Value of the Server field of responses in which the Backend sends none, and of the gateway's own answers; empty = no field. Objects of a class of ingress-nginx (`kubernetes.controllers`) have no such field in any response, as there: the gateway adds none, and a Backend's is dropped. Answers to requests that no object is for have none either where such classes are served."},
	{"http.keep_alive", true, "Keep clients' connections of HTTP/1.1 for further requests; false closes them behind each response. HTTP/2 has one connection in any case."},

	{"forwarded.trusted_cidrs", true, "Peers whose X-Forwarded-*, X-Original-Forwarded-For, Forwarded, X-Request-ID and fields about client certificates are believed, as CIDRs or addresses; others' are replaced or dropped. Empty = nobody's."},
	{"forwarded.client_header", true, "Field in which these peers name their clients, such as `CF-Connecting-IP`: an address, or a list of which the last that is not one of theirs counts. Where it is another than X-Forwarded-For, that one is replaced whoever sends it, and this one is dropped from clients that are not believed."},
	{"forwarded.address_only", true, "Believe these peers about the addresses of their clients alone, and not about X-Forwarded-Proto, X-Forwarded-Host and X-Forwarded-Port."},
	{"forwarded.full_list", true, "For objects of ingress-nginx's classes, whose Backends are told the address of the client alone in X-Forwarded-For: extend what a peer that is believed sends instead, as for all other objects."},
	{"forwarded.original_uri", true, "For objects of the same classes: tell Backends in X-Original-URI the target that the client has asked for, instead of what a client says there."},

	{"upstream.max_idle_per_endpoint", false, "Idle connections kept to each Endpoint, per loop; 0 = none."},
	{"upstream.idle_timeout", false, "How long an idle upstream connection is kept; keep it below the keep-alive timeout of the Pods."},
	{"upstream.max_connections_per_endpoint", false, "Most connections to each Endpoint, per loop; 0 = no bound. A request that finds its Endpoint full goes to another, and gets 503 where all are, or all of the 33 that it looks at. Requests that announce trailers to an Endpoint of HTTP/2 have connections of their own, and may take half of these; beyond that their trailers are left out."},
	{"upstream.retries", true, "How often a request is tried on another Endpoint when that is safe: it was provably not sent, or it is idempotent and no response byte came."},

	{"access_log.path", false, "One line per request: `off`, `stdout` or a file, which may be a FIFO. Requests do not wait for it: where it does not keep up, lines are lost and counted, as those of error_log."},
	{"access_log.format", false, "Format of those lines; `json` is the only one: time, remote, method, host, target, status, bytes_in and bytes_out with heads and framing, duration_us, upstream_us (from the choice of an Endpoint on, 0 without one), user_agent, referer, and where there is one endpoint, ingress, path (the Route's) and reason (as in sluice_request_failures_total). A TLS connection that is passed through has passthrough and no request's fields."},

	{"metrics.max_series", false, "Most Routes that have samples of their own in /metrics, by first use, and most hosts whose certificates have, by how soon they expire; 0 = none. The requests of further Routes are counted together, with the ingress `_other`. Objects decide how many Routes there are and clients which of them are used, so without a bound a tenant could make a scrape of gigabytes; 5000 Routes are some 150,000 samples, 25 MB of text before compression."},
	{"metrics.max_series_per_namespace", false, "The same for the objects of one namespace, so that none takes the room of the others."},
	{"metrics.route_histograms", false, "Histograms per Route that are reported with their buckets, 16 samples a Route each (8 for sizes): `request_duration_seconds`, `response_duration_seconds`, `header_duration_seconds`, `connect_duration_seconds`, `request_size`, `response_size`. Of the others there is the sum and the count, for rates and means."},

	{"shutdown.drain_seconds", true, "How long a drain waits for requests in flight before it cuts them; keep terminationGracePeriodSeconds above it."},

	{"proxy_protocol.listeners", false, "Addresses of `listen.http` and `listen.https`, written as there, on which every connection must begin with a PROXY protocol header, version 1 or 2, also before TLS; one without is closed. The client is then the address that the header names: for X-Forwarded-For, X-Real-IP, the access log, `forwarded.trusted_cidrs` and `tls.handshakes_per_source`. X-Forwarded-Port is the port that it connected to, and X-Forwarded-Proto is https also where the header says that it spoke TLS with the load balancer. Headers without a client (LOCAL, UNKNOWN), which load balancers send with their own checks, leave the connection its own address. Empty = none."},
	{"proxy_protocol.trusted_cidrs", true, "Peers that may connect to these, as CIDRs or addresses; connections of others are closed unread, so that nobody can claim an address. What a header says is believed of these only, and in full. Required where there are listeners."},
	{"proxy_protocol.timeout", true, "From accepting a connection to the end of its PROXY protocol header; then it is closed."},

	{"tls.protocols", true, "Versions of TLS that clients may use: `TLSv1.2`, `TLSv1.3` or both; the same for every Host."},
	{"tls.ciphers", true, "Cipher suites of TLS 1.2 by their OpenSSL or IANA names, separated by colons; empty = those with forward secrecy and authenticated encryption. The order has no effect, and TLS 1.3's suites are always on. A Host can have others (ssl-ciphers)."},
	{"tls.sni_strict", true, "Refuse clients that ask for a name without a certificate of its own, or for none, with the alert unrecognized_name; otherwise they get the default certificate."},
	{"tls.default_certificate", false, "Secret, `namespace/name`, with the certificate for clients that ask for no name, or for one without a certificate of its own; empty, or while there is no such Secret = a self-signed one, made at start."},
	{"tls.handshake_timeout", true, "From accepting a connection to the end of its TLS handshake; then it is closed."},
	{"tls.max_handshakes", true, "Most TLS handshakes under way; beyond it the one that has waited longest for its client gives way."},
	{"tls.handshakes_per_source", true, "Most of them with one IPv4 address or one IPv6 /64; beyond it that source's own longest gives way. 0 = no bound. Raise it where a proxy that hides its clients' addresses is in front."},
	{"tls.session_tickets", true, "Let clients resume sessions by tickets, which saves them and the gateway most of a handshake."},
	{"tls.ticket_rotation", true, "How often the key of session tickets is replaced; a ticket is good with the last three keys."},

	{"http2.enabled", false, "Offer HTTP/2 to clients, by ALPN over TLS and by prior knowledge in clear text."},
	{"http2.max_streams", false, "Most requests under way on one HTTP/2 connection. 1 to 10000."},
	{"http2.stalled_streams", true, "Most streams of one HTTP/2 connection that may each hold a connection to an Endpoint while their client has opened no window for them, or taken nothing at all, for 5 seconds; others beyond it are reset with ENHANCE_YOUR_CALM. A browser pauses a few at most. Does not apply to peers of `forwarded.trusted_cidrs`."},

	{"redis.address", false, "Server of Redis' protocol in which all gateways count the limits of `cluster-limit-rps` and `cluster-limit-rpm` together: `host:port`, or the absolute path of a Unix socket; empty = each gateway counts by itself, or does what `cluster-limit-unavailable` says. One server, or a proxy in front of several; from version 5."},
	{"redis.database", false, "Number of the database there."},
	{"redis.credentials_file", false, "File with the password, or with a user's name and the password on the line below. Read for each connection, so that a mounted Secret can be exchanged. The user needs the commands EVAL, EVALSHA, GET, SET and TIME for the keys of `redis.key_prefix`. Empty = none."},
	{"redis.tls", false, "Speak TLS with it. Its certificate must be good for the host of `redis.address`."},
	{"redis.ca_file", false, "File with the authorities of that certificate, in PEM; empty = those of the system."},
	{"redis.timeout", false, "Longest wait for an answer, connection included; then `cluster-limit-unavailable` decides. Every request of a Route with such a limit waits for one. After three failures in a row only one request a second asks."},
	{"redis.connections", false, "Most connections to it; 1 to 1000. At most 256 requests wait for answers at a time, 64 of one namespace; further ones do not wait."},
	{"redis.key_prefix", false, "What every key begins with: the same for gateways that count together."},
}

// Reference returns CONFIG.md.
func Reference() string {
	var b strings.Builder
	b.WriteString(`# Configuration reference

Generated from the table in reference.go; change it there, then run ` + "`go test ./server/config -update`" + `.

` + "`sluice serve -c FILE`" + ` reads YAML; ` + "`--set key.path=value`" + ` overrides single keys. Unknown keys are errors. Every key has a default,
and a key without a value keeps it. Sizes are bytes or have a unit: ` + "`64k`, `8m`, `1g`" + `. Durations are seconds or have a unit: ` + "`10s`, `1m30s`, `250ms`" + `.
A reload (SIGHUP) applies the keys marked live and logs those that need a restart. They count for new requests on connections that
are open, too, but for what is settled as a connection begins: its TLS, its PROXY protocol header, and which source it is of. A
time that is running already goes on.

| Key | Type | Default | Live | Meaning |
|---|---|---|---|---|
`)
	defaults := Default()
	for _, k := range keys {
		v, _ := defaults.lookup(k.Path)
		text, err := json.Marshal(v.Interface())
		if err != nil {
			panic("BUG: a default does not marshal: " + err.Error())
		}
		live := ""
		if k.Live {
			live = "yes"
		}
		fmt.Fprintf(&b, "| `%s` | %s | `%s` | %s | %s |\n", k.Path, typeName(v.Type()), strings.ReplaceAll(string(text), "|", `\|`), live, k.Doc)
	}
	return b.String()
}
