package annotation

import (
	"slices"
	"strings"
)

// Configuration text of nginx. There is nothing here that could read it, and an object that has some may depend on it.
var _ = add(
	snippet("configuration-snippet", "of the object's paths"),
	snippet("server-snippet", "of the object's hosts"),
	snippet("stream-snippet", "of TCP and UDP ports"),
)

func snippet(key, of string) Row {
	return Row{
		Key: key, Scope: ScopeRoute, Value: "configuration of nginx",
		Set: func(s *Settings, value string) error {
			if strings.TrimSpace(value) == "" {
				return nil
			}
			reason := "it is configuration of nginx, which is never carried out; every path of the object answers 503, because it may be what protects it"
			if use := alternatives(value); len(use) > 0 {
				reason += "; instead of it there are " + strings.Join(use, ", ")
			}
			return s.close(reason)
		},
		Get: closed,
		Doc: "Configuration of nginx " + of + " is never carried out: the Routes of the object answer 503, and the Rejection names the annotations that do what is usual in it. ingress-nginx leaves such objects out unless it is told otherwise.",
	}
}

// alternativeOf has annotations by the directives of nginx that are usual in snippets and do the same.
var alternativeOf = map[string]string{
	"add_header":             "response-headers-add",
	"add_trailer":            "response-headers-add",
	"allow":                  "allowlist-source-range",
	"auth_basic":             "auth-type",
	"auth_request":           "auth-url",
	"client_max_body_size":   "proxy-body-size",
	"deny":                   "denylist-source-range",
	"expires":                "response-headers-set",
	"more_clear_headers":     "response-headers-remove",
	"more_set_headers":       "response-headers-set",
	"proxy_connect_timeout":  "proxy-connect-timeout",
	"proxy_cookie_domain":    "proxy-cookie-domain",
	"proxy_cookie_path":      "proxy-cookie-path",
	"proxy_hide_header":      "response-headers-remove",
	"proxy_intercept_errors": "custom-http-errors",
	"error_page":             "custom-http-errors",
	"proxy_read_timeout":     "proxy-read-timeout",
	"proxy_redirect":         "proxy-redirect-from",
	"proxy_send_timeout":     "proxy-send-timeout",
	"proxy_ssl_name":         "proxy-ssl-name",
	"proxy_ssl_verify":       "proxy-ssl-verify",
	"return":                 "permanent-redirect or temporal-redirect",
	"rewrite":                "rewrite-target",
	"satisfy":                "satisfy",
	"ssl_verify_client":      "auth-tls-verify-client",
}

// maxSnippet bounds the part of a snippet that is looked at.
const maxSnippet = 8 << 10

// alternatives returns the annotations that do what the directives of a snippet do, sorted, for people: the first word of each
// statement is looked up, and nothing else is understood.
func alternatives(text string) (list []string) {
	for line := range strings.SplitSeq(text[:min(len(text), maxSnippet)], "\n") {
		line, _, _ = strings.Cut(line, "#")
		for statement := range strings.FieldsFuncSeq(line, func(r rune) bool { return strings.ContainsRune(";{}", r) }) {
			word, _, _ := strings.Cut(strings.TrimSpace(statement), " ")
			if use := alternativeOf[word]; use != "" && !slices.Contains(list, use) {
				list = append(list, use)
			}
		}
	}
	slices.Sort(list)
	return list
}
