package configmap

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Connections of clients, and fields in general.
var _ = add(
	setting("client-body-timeout", "timeouts.body", seconds, "60", asSeconds, "Between two reads of a request body."),
	setting("client-header-timeout", "timeouts.header", seconds, "60", asSeconds, "From the first byte of a request to the end of its head."),
	Row{
		Key: "enable-underscores-in-headers", Effect: EffectGateway, Setting: namesOfFields, Value: yes, Default: "false",
		Set: func(r *reading, value string) error {
			on, err := strconv.ParseBool(value)
			switch {
			case err != nil:
				return errors.New("want true or false; false is assumed")
			case on && r.Gateway[namesOfFields] == "":
				return r.set(namesOfFields, "underscore")
			}
			return nil
		},
		Doc: "Whether clients' fields may have names with underscores. One that only they tell from a field that the gateway sets is dropped all the same.",
	},
	Row{
		Key: "ignore-invalid-headers", Effect: EffectGateway, Setting: namesOfFields, Value: yes, Default: "true",
		Set: func(r *reading, value string) error {
			on, err := strconv.ParseBool(value)
			switch {
			case err != nil:
				return errors.New("want true or false; true is assumed")
			case !on:
				return r.set(namesOfFields, "token")
			}
			return nil
		},
		Doc: "Whether clients' fields with other names than of letters, digits and hyphens are dropped; false lets all pass that HTTP allows.",
	},
	Row{
		Key: "keep-alive", Effect: EffectGateway, Setting: "timeouts.idle", Value: seconds, Default: "75",
		Set: func(r *reading, value string) error {
			if value == "0" {
				return r.set("http.keep_alive", "false")
			}
			text, err := asSeconds(value)
			if err != nil {
				return err
			}
			return r.set("timeouts.idle", text)
		},
		Doc: "How long a client's connection may wait for its next request; 0 closes it behind each response of HTTP/1.1 (`http.keep_alive`).",
	},
	Row{
		Key: "large-client-header-buffers", Effect: EffectGateway, Setting: "limits.header_bytes", Value: "number and size", Default: "4 8k",
		Set: func(r *reading, value string) error {
			count, each, _ := strings.Cut(value, " ")
			n, err := strconv.ParseUint(count, 10, 16)
			bytes, ok := bytesOf(strings.TrimSpace(each))
			if err != nil || !ok {
				return errors.New("want a number and a size; the gateway's own value is kept")
			}
			return r.set("limits.header_bytes", strconv.FormatUint(n*bytes, 10))
		},
		Doc: "The largest head of a request: the product of both.",
	},
	setting("ssl-ciphers", "tls.ciphers", "suites by OpenSSL's names, with colons between", standardCiphers, asIs, "For TLS 1.2. Groups such as HIGH are not supported."),
	setting("ssl-protocols", "tls.protocols", "TLSv1.2, TLSv1.3 or both", "TLSv1.2 TLSv1.3", asIs, "Older versions are not supported."),
	setting("ssl-reject-handshake", "tls.sni_strict", yes, "false", asBool, "Refuses clients that ask for a name without a certificate of its own, or for none."),
	setting("ssl-session-tickets", "tls.session_tickets", yes, "false", asBool, ""),
	without("allow-backend-server-header", "false", "Backends' Server is in no response for objects of ingress-nginx's classes, as there in spite of it"),
	elsewhere("client-header-buffer-size", "1k", "limits.header_bytes"),
	elsewhere("http2-max-concurrent-streams", "128", "http2.max_streams"),
	elsewhere("http2-max-field-size", "", "limits.header_bytes"),
	elsewhere("http2-max-header-size", "", "limits.header_bytes"),
	elsewhere("max-worker-connections", "16384", "limits.connections"),
	elsewhere("upstream-keepalive-connections", "320", "upstream.max_idle_per_endpoint"),
	elsewhere("upstream-keepalive-timeout", "60", "upstream.idle_timeout"),
	elsewhere("use-http2", "true", "http2.enabled"),
	elsewhere("worker-processes", "", "threads"),
	elsewhere("worker-shutdown-timeout", "240s", "shutdown.drain_seconds"),
	elsewhere("bind-address", "", "listen.http and listen.https"),
	elsewhere("access-log-path", "/var/log/nginx/access.log", "access_log.path"),
	elsewhere("http-access-log-path", "", "access_log.path"),
	elsewhere("disable-access-log", "false", "access_log.path"),
	elsewhere("disable-http-access-log", "false", "access_log.path"),
	elsewhere("error-log-path", "/var/log/nginx/error.log", "error_log"),
)

const namesOfFields = "http.header_names"

// standardCiphers is ingress-nginx's default; of its suites those of DHE are none here.
const standardCiphers = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:" +
	"ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305:DHE-RSA-AES128-GCM-SHA256:DHE-RSA-AES256-GCM-SHA384"

func asIs(value string) (string, error) { return value, nil }

func asBool(value string) (string, error) {
	on, err := strconv.ParseBool(value)
	if err != nil {
		return "", errors.New("want true or false; the gateway's own value is kept")
	}
	return strconv.FormatBool(on), nil
}

func asSeconds(value string) (string, error) {
	n, err := strconv.ParseUint(value, 10, 31)
	if err != nil {
		return "", errors.New("want a number of seconds; the gateway's own value is kept")
	}
	return fmt.Sprintf("%ds", n), nil
}

// bytesOf reads a size of nginx, up to a gigabyte.
func bytesOf(value string) (n uint64, ok bool) {
	digits := strings.TrimRight(value, "kKmM")
	shift := map[string]uint{"": 0, "k": 10, "m": 20}
	s, known := shift[strings.ToLower(value[len(digits):])]
	n, err := strconv.ParseUint(digits, 10, 30)
	return min(n<<s, 1<<30), known && err == nil
}

// elsewhere makes the Row of a key whose like in the gateway's configuration is read at the start alone.
func elsewhere(key, standard, path string) Row {
	row := without(key, standard, "set "+path+" in the gateway's configuration instead")
	row.Doc = "Told, and not carried out: `" + strings.ReplaceAll(path, " and ", "` and `") + "` of the gateway's configuration does the same."
	return row
}
