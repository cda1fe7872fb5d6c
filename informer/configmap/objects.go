package configmap

import (
	"errors"
	"strconv"
)

const (
	yes     = "true or false"
	seconds = "seconds"
	size    = "bytes, with k, m or g"
	onOff   = "on or off"
	number  = "a number"

	nextUpstream = "proxy-next-upstream"
)

// Defaults of annotations that guard nothing.
var _ = add(
	asDefault("app-root", "", "path", "", ""),
	asDefault("client-body-buffer-size", "", size, "8k", ""),
	asDefault("custom-http-errors", "", "statuses, with commas between", "", ""),
	asDefault("disable-proxy-intercept-errors", "", yes, "false", ""),
	asDefault("enable-opentelemetry", "", yes, "false", ""),
	asDefault("opentelemetry-operation-name", "", "text", "", ""),
	asDefault("opentelemetry-trust-incoming-span", "", yes, "true", ""),
	asDefault("force-ssl-redirect", "", yes, "false", ""),
	asDefault("hide-headers", "response-headers-remove", "names of fields, with commas between", "", ""),
	asDefault("hsts", "", yes, "true", ""),
	asDefault("hsts-include-subdomains", "", yes, "true", ""),
	asDefault("hsts-max-age", "", seconds, "31536000", ""),
	asDefault("hsts-preload", "", yes, "false", ""),
	asDefault("limit-conn-status-code", "limit-status-code", "status", "503", "Limits of both kinds have one status; limit-req-status-code wins."),
	asDefault("limit-req-status-code", "limit-status-code", "status", "503", ""),
	asDefault("limit-rate", "", "kilobytes in a second", "0", ""),
	asDefault("limit-rate-after", "", "kilobytes", "0", ""),
	asDefault("load-balance", "", "round_robin or ewma", "round_robin", ""),
	asDefault("preserve-trailing-slash", "", yes, "false", ""),
	asDefault("proxy-body-size", "", size, "1m", ""),
	asDefault("proxy-buffer-size", "", size, "4k", ""),
	asDefault("proxy-buffering", "", onOff, "off", ""),
	asDefault("proxy-buffers-number", "", number, "4", ""),
	asDefault("proxy-busy-buffers-size", "", size, "", ""),
	asDefault("proxy-connect-timeout", "", seconds, "5", ""),
	asDefault("proxy-cookie-domain", "", "two domains, or off", "off", ""),
	asDefault("proxy-cookie-path", "", "two paths, or off", "off", ""),
	asDefault("proxy-http-version", "", "1.0 or 1.1", "1.1", ""),
	asDefault("proxy-max-temp-file-size", "", size, "1024m", ""),
	asDefault("proxy-next-upstream", "", "causes, with spaces between", "error timeout", ""),
	asDefault("proxy-next-upstream-timeout", "", seconds, "0", ""),
	asDefault("proxy-next-upstream-tries", "", number, "3", ""),
	asDefault("proxy-read-timeout", "", seconds, "60", ""),
	asDefault("proxy-redirect-from", "", "URL, default or off", "off", ""),
	asDefault("proxy-redirect-to", "", "URL, default or off", "off", ""),
	asDefault("proxy-request-buffering", "", onOff, "on", ""),
	asDefault("proxy-send-timeout", "", seconds, "60", ""),
	asDefault("relative-redirects", "", yes, "false", ""),
	Row{
		Key: "proxy-ssl-location-only", Effect: EffectNone, Value: yes, Default: "false",
		Set: boolean,
		Doc: "proxy-ssl-* always hold for the paths of their own object alone, whatever this says; ingress-nginx has them hold for the whole host unless it is true.",
	},
	Row{
		Key: "retry-non-idempotent", Effect: EffectAnnotation, Annotation: nextUpstream, Value: yes, Default: "false",
		Set: func(r *reading, value string) error {
			on, err := strconv.ParseBool(value)
			if err != nil {
				return errors.New("want true or false; false is assumed")
			}
			if !on {
				return nil
			}
			causes := r.data[nextUpstream]
			if causes == "" {
				causes = "error timeout"
			}
			row := Row{Annotation: nextUpstream}
			return r.setDefault(&row, r.Objects.Values, causes+" non_idempotent")
		},
		Doc: "Adds non_idempotent to the causes of objects without causes of their own.",
	},
	asDefault("service-upstream", "", yes, "false", ""),
	asDefault("ssl-redirect", "", yes, "true", ""),
	asDefault("upstream-hash-by", "", "text with variables", "", ""),
	asDefault("upstream-hash-by-subset", "", yes, "false", ""),
	asDefault("upstream-hash-by-subset-size", "", number, "3", ""),
	asDefault("use-port-in-redirects", "", yes, "false", ""),
)
