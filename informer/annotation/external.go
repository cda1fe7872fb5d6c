package annotation

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/sluice-gateway/sluice/routing/policy"
)

const authURL = "auth-url"

// variablesDoc tells of policy.AuthorityVariables.
const variablesDoc = "$scheme, $host, $http_host, $request_uri, $escaped_request_uri, $uri, $args, $request_method, $remote_addr, $http_NAME, $cookie_NAME and $arg_NAME"

// An authority that is asked about each request.
var _ = add(
	Row{
		Key: authURL, Scope: ScopeRoute, Value: "URL",
		Set: func(s *Settings, value string) error {
			if len(value) > maxURL {
				return s.close("it is too long; " + unreadable)
			}
			if _, err := policy.ParseAuthority(value); err != nil {
				return fmt.Errorf("%w: %w", err, s.close(unreadable))
			}
			if !only(value, urlChars) {
				return s.close("want letters, digits and - . _ ~ / : ? & = $ alone; " + unreadable)
			}
			s.Policy.Set(&policy.External{URL: value, Method: "GET", SignInParam: "rd", CacheFor: defaultCacheFor})
			return nil
		},
		Get: func(s *Settings) any { return externalOf(s).URL },
		Doc: "Where each request is asked about, with its fields and without its body. 2xx lets it pass, 401 and 403 are answered to the client, and everything else 500, " +
			"also where there is no answer within 15 seconds. Behind the host it may have " + variablesDoc + ". " +
			"The certificate of an https URL is not verified, as in ingress-nginx. The addresses that no Endpoint may have are not asked. " +
			"The authority is told X-Original-URL, X-Original-Method, X-Auth-Request-Redirect, X-Sent-From, X-Real-IP and X-Forwarded-For. " +
			"Paths of the object below /.well-known/acme-challenge are open. With a variable that is none: 503.",
	},
	Row{
		Key: "auth-method", Scope: ScopeRoute, Value: "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS or TRACE", Default: "GET", Needs: authURL,
		Set: func(s *Settings, value string) error {
			if !slices.Contains([]string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"}, value) {
				return s.close("want a method; " + unreadable)
			}
			externalOf(s).Method = value
			return nil
		},
		Get: func(s *Settings) any { return externalOf(s).Method },
		Doc: "The method of the questions to auth-url. One that is not GET tells X-Original-URI and X-Scheme too.",
	},
	Row{
		Key: "auth-proxy-set-headers", Scope: ScopeRoute, Value: "ConfigMap, or namespace/ConfigMap", Needs: authURL,
		Set: func(s *Settings, value string) error {
			if value == "" || len(value) > maxURL || strings.Count(value, "/") > 1 || !only(value, wordChars) {
				return s.close("want the name of a ConfigMap, or namespace/name; " + unreadable)
			}
			externalOf(s).Told = value
			return nil
		},
		Get: func(s *Settings) any { return externalOf(s).Told },
		Doc: "ConfigMap of the same namespace with fields that auth-url is sent, instead of a client's of the same names: its keys, with variables in the values as there. One that is missing, is of another namespace, " +
			"or has a field that frames a message or says who the client is, or a variable that is none: 503.",
	},
	Row{
		Key: "auth-response-headers", Scope: ScopeRoute, Value: "names of fields, with commas between", Needs: authURL,
		Set: func(s *Settings, value string) error {
			var list []string
			for name := range strings.SplitSeq(value, ",") {
				if name = strings.TrimSpace(name); name == "" {
					continue
				}
				if !only(name, "-_ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789") || policy.OwnField(name) {
					return fmt.Errorf("%s is no field that may be set: %w", brief(name), s.close(unreadable))
				}
				if list = append(list, name); len(list) > maxFields {
					return s.close(fmt.Sprintf("want at most %d; %s", maxFields, unreadable))
				}
			}
			externalOf(s).Fields = list
			return nil
		},
		Get: func(s *Settings) any { return strings.Join(externalOf(s).Fields, ",") },
		Doc: "Fields of the answer of auth-url that the Backend is sent. A client's own are not, also where the answer has none.",
	},
	Row{
		Key: "auth-always-set-cookie", Scope: ScopeRoute, Value: "true or false", Default: "false", Needs: authURL,
		Set: boolean(func(s *Settings) *bool { return &externalOf(s).AlwaysSetCookie }),
		Get: func(s *Settings) any { return externalOf(s).AlwaysSetCookie },
		Doc: "Whether the client is sent the cookies of auth-url's answer whatever the status; otherwise with 2xx and 3xx.",
	},
	Row{
		Key: "auth-request-redirect", Scope: ScopeRoute, Value: "text", Default: "path and query of the request", Needs: authURL,
		Set: template(func(s *Settings) *string { return &externalOf(s).Redirect }, urlChars, "path and query of the request are told"),
		Get: func(s *Settings) any { return externalOf(s).Redirect },
		Doc: "What auth-url is told in X-Auth-Request-Redirect, with variables as there.",
	},
	Row{
		Key: "auth-signin", Scope: ScopeRoute, Value: "URL, or path", Needs: authURL,
		Set: func(s *Settings, value string) error {
			if _, err := policy.ParseTemplate(value, policy.AuthorityVariables); err != nil {
				// ingress-nginx takes such a page, and no configuration from then on.
				return s.close(err.Error() + "; " + unreadable)
			}
			return template(func(s *Settings) *string { return &externalOf(s).SignIn }, urlChars, "clients are answered 401")(s, value)
		},
		Get: func(s *Settings) any { return externalOf(s).SignIn },
		Doc: "Where a client is redirected (302) to whom auth-url answers 401, with variables as there. A parameter that says where the client came from is added, unless the URL has it. One with a variable that is none: 503.",
	},
	Row{
		Key: "auth-signin-redirect-param", Scope: ScopeRoute, Value: "name of a parameter", Default: "rd", Needs: authURL,
		Set: func(s *Settings, value string) error {
			if value == "" || len(value) > maxBrief || !only(value, wordChars) {
				return errors.New("want the name of a parameter; rd is used")
			}
			externalOf(s).SignInParam = value
			return nil
		},
		Get: func(s *Settings) any { return externalOf(s).SignInParam },
		Doc: "The parameter that auth-signin is sent.",
	},
	Row{
		Key: "auth-cache-key", Scope: ScopeRoute, Value: "text with variables", Needs: authURL,
		Set: func(s *Settings, value string) error {
			return template(func(s *Settings) *string { return &externalOf(s).CacheKey }, urlChars+"{}", "every request is asked about")(s, value)
		},
		Get: func(s *Settings) any { return externalOf(s).CacheKey },
		Doc: "What requests for a path have in common that auth-url answers alike, with variables as there, such as $cookie_session: its answers are kept. " +
			"Two clients with the same key are one: a key of which nothing is secret opens a door. Answers with Set-Cookie, or with Cache-Control: no-store, no-cache or private, are not kept.",
	},
	Row{
		Key: "auth-cache-duration", Scope: ScopeRoute, Value: "statuses and a time, with commas between", Default: defaultCacheFor, Needs: authURL,
		Set: func(s *Settings, value string) error {
			kept, err := policy.ParseCacheFor(value)
			if err != nil || len(value) > maxURL {
				return fmt.Errorf("want statuses and a time: %w", s.close(unreadable))
			}
			if len(kept) > 0 {
				externalOf(s).CacheFor = value
			}
			return nil
		},
		Get: func(s *Settings) any { return externalOf(s).CacheFor },
		Doc: "For how long answers are kept by auth-cache-key, at most a day. What does not parse: 503.",
	},
	keepAlive("auth-keepalive"), keepAlive("auth-keepalive-requests"), keepAlive("auth-keepalive-timeout"),
)

// defaultCacheFor is ingress-nginx's.
const defaultCacheFor = "200 202 401 5m"

const (
	// maxFields bounds the fields that Backends are sent.
	maxFields = 32
	// urlChars are those that ingress-nginx takes in URLs with variables.
	urlChars = wordChars + "?&=$"
)

// externalOf returns the External of the Policy, or a new one that is not in the Policy.
func externalOf(s *Settings) *policy.External {
	if e, ok := s.Policy.Filter(policy.KindExternal).(*policy.External); ok {
		return e
	}
	return &policy.External{}
}

// template makes the Set of a Row whose values are text with variables.
func template(field func(*Settings) *string, chars, otherwise string) func(*Settings, string) error {
	return func(s *Settings, value string) error {
		if value == "" || len(value) > maxURL || !only(value, chars) {
			return errors.New("want letters, digits and - . _ ~ / : ? & = $ alone; " + otherwise)
		}
		if _, err := policy.ParseTemplate(value, policy.AuthorityVariables); err != nil {
			return fmt.Errorf("%w; %s", err, otherwise)
		}
		*field(s) = value
		return nil
	}
}

// keepAlive makes the Row of a setting of connections to authorities.
func keepAlive(key string) Row {
	return Row{
		Key: key, Scope: ScopeRoute, Value: "a number", Needs: authURL,
		Set: func(_ *Settings, value string) error {
			if _, err := strconv.Atoi(value); err != nil {
				return errors.New("want a number")
			}
			return nil
		},
		Get: func(*Settings) any { return "no effect" },
		Doc: "Taken and without effect: connections to authorities are kept alive, 16 at most.",
	}
}
