package configmap

import (
	"errors"
	"strings"
)

const (
	processes = "it is about the processes of nginx, which there are none of"
	logs      = "lines of logs have one form, see access_log.format"
	streams   = "TCP and UDP services are not served"
	tracing   = "requests are not traced"
)

// What nginx alone has.
var _ = add(
	without("access-log-params", "", logs),
	without("allow-cross-namespace-resources", "false", "an object may only name Secrets and ConfigMaps of its own namespace"),
	without("allow-snippet-annotations", "false", "snippets in annotations are refused by name whatever it says"),
	without("debug-connections", "", processes),
	without("default-type", "text/html", "a response without Content-Type is passed on as it is"),
	without("disable-ipv6", "false", "which addresses are bound is decided by listen.http and listen.https"),
	without("disable-ipv6-dns", "false", "names are resolved to addresses of both families"),
	without("disable-stream-access-log", "false", streams),
	without("enable-access-log-for-default-backend", "false", "the access log has all requests"),
	without("enable-aio-write", "true", processes),
	without("enable-auth-access-log", "false", logs),
	without("enable-multi-accept", "true", processes),
	without("enable-ocsp", "false", "OCSP responses are not stapled"),
	without("enable-serial-reloads", "false", "nothing reloads"),
	without("enable-syslog", "false", "logs are files, which a collector may read"),
	without("error-log-level", "notice", processes),
	without("grpc-buffer-size-kb", "0", "bodies are not buffered"),
	without("http2-max-requests", "0", "connections have no bound of requests"),
	without("keep-alive-requests", "1000", "connections have no bound of requests"),
	without("limit-conn-zone-variable", "$binary_remote_addr", "requests are counted by the address of the client"),
	without("log-format-escape-json", "false", logs),
	without("log-format-escape-none", "false", logs),
	without("log-format-stream", "", streams),
	without("log-format-upstream", "", logs),
	without("lua-shared-dicts", "", processes),
	without("map-hash-bucket-size", "64", processes),
	without("max-worker-open-files", "0", processes),
	without("nginx-status-ipv4-whitelist", "127.0.0.1", processes),
	without("nginx-status-ipv6-whitelist", "::1", processes),
	without("opentelemetry-config", "", tracing), without("otel-max-export-batch-size", "512", tracing), without("otel-max-queuesize", "2048", tracing),
	without("otel-sampler", "AlwaysOn", tracing), without("otel-sampler-parent-based", "true", tracing), without("otel-sampler-ratio", "0.01", tracing),
	without("otel-schedule-delay-millis", "5000", tracing), without("otel-service-name", "nginx", tracing),
	without("otlp-collector-host", "", tracing), without("otlp-collector-port", "4317", tracing),
	without("plugins", "", "plugins are written in Lua, for nginx"),
	without("proxy-headers-hash-bucket-size", "64", processes),
	without("proxy-headers-hash-max-size", "512", processes),
	without("proxy-stream-next-upstream", "true", streams), without("proxy-stream-next-upstream-timeout", "600s", streams),
	without("proxy-stream-next-upstream-tries", "3", streams), without("proxy-stream-responses", "1", streams), without("proxy-stream-timeout", "600s", streams),
	without("reuse-port", "true", "each loop has a listening socket of its own in any case"),
	without("server-name-hash-bucket-size", "", processes),
	without("server-name-hash-max-size", "1024", processes),
	without("server-tokens", "false", "responses for objects of ingress-nginx's classes name no software"),
	without("skip-access-log-urls", "", "the access log has all requests"),
	without("ssl-buffer-size", "4k", "records are as large as what there is to send"),
	without("ssl-dh-param", "", "cipher suites with DHE are not supported"),
	without("ssl-early-data", "true", "early data can be repeated by anybody, and is not accepted"),
	without("ssl-ecdh-curve", "auto", "curves are those that Go offers"),
	without("ssl-session-cache", "true", "sessions are resumed by tickets"),
	without("ssl-session-cache-size", "10m", "sessions are resumed by tickets"),
	without("ssl-session-ticket-key", "", "keys of tickets are made by the gateway, and replaced"),
	without("ssl-session-timeout", "10m", "tickets are good as long as tls.ticket_rotation says"),
	without("strict-validate-path-type", "true", "paths are checked in any case"),
	without("syslog-host", "", "logs are files, which a collector may read"),
	without("syslog-port", "514", "logs are files, which a collector may read"),
	without("stream-access-log-path", "", streams),
	without("upstream-keepalive-requests", "10000", "connections have no bound of requests"),
	without("upstream-keepalive-time", "1h", "connections have no bound of time while they are used"),
	without("use-geoip", "false", "places of addresses are not known"),
	without("use-geoip2", "false", "places of addresses are not known"),
	without("geoip2-autoreload-in-minutes", "0", "places of addresses are not known"),
	without("variables-hash-bucket-size", "256", processes),
	without("variables-hash-max-size", "2048", processes),
	without("worker-cpu-affinity", "", processes),
	without("main-snippet", "", processes),
	without("stream-snippet", "", streams),
	snippet("http-snippet"), snippet("location-snippet"), snippet("server-snippet"),
)

// harmless are beginnings of the directives that guard nothing, so that pages without them are no more open.
var harmless = []string{
	"access_log", "add_trailer", "aio", "client_body_buffer_size", "client_body_timeout", "client_header", "client_max_body_size", "error_log", "etag", "gzip",
	"brotli", "keepalive", "large_client_header_buffers", "log_", "lua_shared_dict", "output_buffers", "postpone_output", "proxy_buffer", "proxy_busy", "proxy_connect_timeout",
	"proxy_headers_hash", "proxy_http_version", "proxy_max_temp", "proxy_read_timeout", "proxy_send_timeout", "proxy_temp", "proxy_socket_keepalive", "resolver", "send_timeout",
	"sendfile", "server_names_hash", "ssl_buffer_size", "tcp_no", "types_hash", "underscores_in_headers", "variables_hash", "worker_",
}

// snippet makes the Row of text for nginx's configuration. It may be all that guards a page.
func snippet(key string) Row {
	return Row{
		Key: key, Effect: EffectNone, Value: "anything", Guards: true,
		Set: func(r *reading, value string) error {
			const why = "text of nginx's configuration is not carried out"
			for statement := range strings.FieldsFuncSeq(withoutComments(value), func(c rune) bool { return c == ';' || c == '{' || c == '}' || c == '\n' }) {
				statement = strings.TrimSpace(statement)
				if statement != "" && !guardsNothing(statement) {
					return r.close(why + ", and this may guard pages" + closed)
				}
			}
			if strings.TrimSpace(value) == "" {
				return nil
			}
			return errors.New(why + "; it has no effect")
		},
		Doc: "Refused: nothing becomes text of a configuration. Where it has a directive that may guard pages, which is any but a few of logs, buffers, sizes and timeouts, all objects are closed.",
	}
}

// guardsNothing reports that a statement begins with a harmless directive.
func guardsNothing(statement string) bool {
	for _, beginning := range harmless {
		if strings.HasPrefix(statement, beginning) {
			return true
		}
	}
	return false
}

// withoutComments drops what is behind a # at the beginning of a line.
func withoutComments(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(strings.TrimSpace(line), "#") {
			b.WriteString(line)
		}
	}
	return b.String()
}
