package annotation

import "strings"

// Risk is how much harm an annotation of ingress-nginx can do to others than its object, as that controller ranks it. The zero
// value is that of none.
type Risk uint8

// The Risks.
const (
	Low Risk = iota + 1
	Medium
	High
	Critical
)

var riskNames = [...]string{"", "Low", "Medium", "High", "Critical"}

// String returns ingress-nginx's spelling.
func (r Risk) String() string { return riskNames[r] }

// ParseRisk reads ingress-nginx's spelling.
func ParseRisk(s string) (r Risk, ok bool) {
	for i, name := range riskNames {
		if i > 0 && name == s {
			return Risk(i), true
		}
	}
	return 0, false
}

// risks are those above Low of ingress-nginx's annotations, by key. Keys that ingress-nginx does not have are no risk to it, and
// Low here.
var risks = map[Risk][]string{
	Medium: {
		"affinity-mode", "allowlist-source-range", "app-root", "auth-cache-duration", "auth-cache-key", "auth-proxy-set-headers", "auth-realm",
		"auth-request-redirect", "auth-response-headers", "auth-secret", "auth-signin-redirect-param", "auth-tls-secret", "auth-tls-verify-client",
		"canary-by-cookie", "canary-by-header", "canary-by-header-pattern", "canary-by-header-value", "cors-allow-headers", "cors-allow-methods",
		"cors-allow-origin", "cors-expose-headers", "custom-headers", "denylist-source-range", "fastcgi-index", "fastcgi-params-configmap",
		"force-ssl-redirect", "opentelemetry-operation-name", "permanent-redirect", "preserve-trailing-slash", "proxy-body-size", "proxy-cookie-domain",
		"proxy-cookie-path", "proxy-next-upstream", "proxy-redirect-from", "proxy-redirect-to", "proxy-ssl-ciphers", "proxy-ssl-secret", "rewrite-target",
		"session-cookie-domain", "session-cookie-expires", "session-cookie-max-age", "session-cookie-name", "session-cookie-path", "temporal-redirect",
		"whitelist-source-range", "x-forwarded-prefix",
	},
	High: {
		"auth-signin", "auth-tls-error-page", "auth-tls-match-cn", "auth-url", "mirror-host", "mirror-target", "modsecurity-transaction-id",
		"proxy-ssl-name", "server-alias", "upstream-hash-by",
	},
}

var riskByKey = func() map[string]Risk {
	all := make(map[string]Risk)
	for r, keys := range risks {
		for _, key := range keys {
			all[key] = r
		}
	}
	return all
}()

// riskOf returns the Risk of an annotation, by its key.
func riskOf(key string) Risk {
	if strings.HasSuffix(key, "-snippet") {
		return Critical
	}
	return max(riskByKey[key], Low)
}
