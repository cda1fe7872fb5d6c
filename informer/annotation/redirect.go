package annotation

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"path"
	"strconv"
	"strings"

	"github.com/sluice-gateway/sluice/routing/policy"
)

const (
	permanentRedirect = "permanent-redirect"
	temporalRedirect  = "temporal-redirect"
	httpsRedirect     = "ssl-redirect"
)

const redirectURL = "http or https URL, or path"

// Requests that are sent elsewhere.
var _ = add(
	Row{
		Key: "app-root", Scope: ScopeHost, Value: "path",
		Set: setAppRoot,
		Get: func(s *Settings) any { return s.AppRoot },
		Doc: "Where requests for / are sent with 302, on the same host and with the scheme that the client speaks with the gateway; the query is dropped. " +
			"It takes / of the object's hosts from every object; other paths below it stay. " +
			"Objects of the namespace that the host belongs to decide, of several the one with the longest path there, then the oldest.",
	},
	Row{
		Key: "force-ssl-redirect", Scope: ScopeRoute, Value: "true or false", Default: "false",
		Set: boolean(func(s *Settings) *bool { return &s.ForceHTTPS }),
		Get: func(s *Settings) any { return s.ForceHTTPS },
		Doc: "As " + httpsRedirect + ", for hosts without TLS of their own too: where a load balancer in front ends it. " +
			"One that is not in forwarded.trusted_cidrs, or that does not send X-Forwarded-Proto, makes a loop of it. It wins over " + httpsRedirect + ".",
	},
	Row{
		Key: "from-to-www-redirect", Scope: ScopeHost, Value: "true or false", Default: "false",
		Set: boolean(func(s *Settings) *bool { return &s.FromToWWW }),
		Get: func(s *Settings) any { return s.FromToWWW },
		Doc: "Sends requests for www. before a host of the object to that host with 308, and those for the rest of a host that begins with www. to the one with it. " +
			"Path and query stay, less one slash at the end; scheme and port are those that clients use, and the port is always named. " +
			"It has no effect for a name that an object has as a host, or as a server-alias.",
	},
	Row{
		Key: permanentRedirect, Scope: ScopeRoute, Value: redirectURL, Default: "none",
		Set: func(s *Settings, value string) error { return setRedirect(s, value, defaultPermanent) },
		Get: getRedirect(func(r *policy.Redirect) any { return r.To }),
		Doc: "Where every request is sent, with 301: exactly there, whatever its path and query. A path is one on the same host. " +
			"Of letters, digits and -._~/:?&= alone; with anything else, such as variables, the Routes of the object answer 503. Without a host it has no effect.",
	},
	Row{
		Key: permanentRedirect + "-code", Scope: ScopeRoute, Value: "300 to 308", Default: strconv.Itoa(defaultPermanent), Needs: permanentRedirect,
		Set: setRedirectCode(false, defaultPermanent, maxPermanent),
		Get: getRedirect(func(r *policy.Redirect) any { return r.Code }),
		Doc: "The status of " + permanentRedirect + ". Where it is no number the Routes of the object answer 503.",
	},
	Row{
		Key: "preserve-trailing-slash", Scope: ScopeRoute, Value: "true or false", Default: "false",
		Set: boolean(func(s *Settings) *bool { return &s.KeepSlash }),
		Get: func(s *Settings) any { return s.KeepSlash },
		Doc: "Whether " + httpsRedirect + " keeps one slash at the end of path or query.",
	},
	Row{
		Key: "relative-redirects", Scope: ScopeRoute, Value: "true or false", Default: "false",
		Set: func(s *Settings, value string) error {
			err := boolean(func(s *Settings) *bool { return &s.relative })(s, value)
			if r, ok := s.Policy.Filter(policy.KindRedirect).(*policy.Redirect); ok && s.relative {
				r.Relative = r.To[0] == '/'
			}
			return err
		},
		Get: func(s *Settings) any { return s.relative },
		Doc: "Whether a path in " + permanentRedirect + " and " + temporalRedirect + ", and one that is redirected to itself with a slash behind it, is sent as it is, and not as a URL of the same host.",
	},
	Row{
		Key: httpsRedirect, Scope: ScopeRoute, Value: "true or false", Default: "true for objects of ingress-nginx's class, false for others",
		Set: func(s *Settings, value string) error {
			on, err := strconv.ParseBool(value)
			if err != nil {
				return errors.New("want true or false; the default is used")
			}
			s.HTTPS = No
			if on {
				s.HTTPS = Yes
			}
			return nil
		},
		Get: func(s *Settings) any { return s.HTTPS == Yes },
		Doc: "Sends plain HTTP to HTTPS with 308, on hosts for which an object has a tls section, or where a wildcard host that stands for the name has one; a section of another namespace than the host's counts for the paths of that namespace alone. " +
			"What counts is what a trusted proxy says of the client's scheme, in X-Forwarded-Proto. The port of the host is dropped, and one slash at the end of path or query. " +
			"Paths that begin with " + ACMEPath + " stay open.",
	},
	Row{
		Key: temporalRedirect, Scope: ScopeRoute, Value: redirectURL, Default: "none",
		Set: func(s *Settings, value string) error {
			before := s.Policy.Filter(policy.KindRedirect)
			if err := setRedirect(s, value, defaultTemporal); err != nil {
				return err
			}
			s.temporal = true
			if before != nil {
				return errors.New("it wins over " + permanentRedirect + ", which has no effect beside it")
			}
			return nil
		},
		Get: getRedirect(func(r *policy.Redirect) any { return r.To }),
		Doc: "As " + permanentRedirect + ", with 302. It wins over that one.",
	},
	Row{
		Key: temporalRedirect + "-code", Scope: ScopeRoute, Value: "300 to 307", Default: strconv.Itoa(defaultTemporal), Needs: temporalRedirect,
		Set: setRedirectCode(true, defaultTemporal, maxTemporal),
		Get: getRedirect(func(r *policy.Redirect) any { return r.Code }),
		Doc: "The status of " + temporalRedirect + ". Where it is no number the Routes of the object answer 503.",
	},
)

// The statuses are ingress-nginx's.
const (
	minRedirect      = 300
	defaultPermanent = 301
	maxPermanent     = 308
	defaultTemporal  = 302
	maxTemporal      = 307
	hostRedirect     = 308 // of redirects to HTTPS and to another name
	appRootRedirect  = 302
)

// ACMEPath is where certificate authorities ask, in plain HTTP (RFC 8555 section 8.3). Routes whose own path begins with it are
// not redirected to HTTPS.
const ACMEPath = "/.well-known/acme-challenge"

// maxURL bounds a URL that is sent with every response, or made anew for each request.
const maxURL = 2048

func setRedirect(s *Settings, value string, code int) error {
	if value == "" {
		return errors.New("want a URL; there is no redirect")
	}
	if !isURLText(value) || len(value) > maxURL {
		return s.close(fmt.Sprintf("where requests are to be sent is not of letters, digits and -._~/:?&= alone, of at most %d bytes; every path of the object answers 503", maxURL))
	}
	if !strings.HasPrefix(value, "/") || strings.HasPrefix(value, "//") {
		u, err := url.Parse(value)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
			return errors.New("want an http or https URL with a host, or a path; there is no redirect")
		}
	}
	s.Policy.Set(&policy.Redirect{Code: code, To: value, Relative: s.relative && value[0] == '/'})
	return nil
}

func isURLText(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return !isAlphanumeric(r) && !strings.ContainsRune("-._~/:?&=", r) })
}

// setRedirectCode makes the Set of the Row of a code, which may be that of the redirect that is not used.
func setRedirectCode(temporal bool, standard, highest int) func(*Settings, string) error {
	return func(s *Settings, value string) error {
		code, err := strconv.Atoi(value)
		if err != nil {
			return s.close("the status of a redirect is no number; every path of the object answers 503")
		}
		r, ok := s.Policy.Filter(policy.KindRedirect).(*policy.Redirect)
		switch {
		case code < minRedirect || code > highest:
			return fmt.Errorf("want a number from %d to %d; %d is used", minRedirect, highest, standard)
		case ok && s.temporal == temporal:
			r.Code = code
		case ok:
			return errors.New("it has no effect beside " + temporalRedirect)
		}
		return nil
	}
}

func getRedirect(get func(*policy.Redirect) any) func(*Settings) any {
	return func(s *Settings) any {
		r, ok := s.Policy.Filter(policy.KindRedirect).(*policy.Redirect)
		if !ok {
			return nil
		}
		return get(r)
	}
}

func setAppRoot(s *Settings, value string) error {
	const none = "; / is not redirected"
	switch {
	case strings.Contains(value, "$"):
		return errors.New("variables are not supported" + none)
	case !strings.HasPrefix(value, "/") || len(value) > maxURL ||
		strings.ContainsFunc(value, func(r rune) bool { return !isAlphanumeric(r) && !strings.ContainsRune("-._~/:", r) }):
		return fmt.Errorf("want a path of letters, digits and -._~/: alone, of at most %d bytes%s", maxURL, none)
	case path.Clean(value) == "/":
		return errors.New("requests for / would be sent to / again and again" + none)
	}
	s.AppRoot = value
	return nil
}

// AppRootRedirect is what app-root asks for.
func (s *Settings) AppRootRedirect() *policy.Redirect {
	return &policy.Redirect{Code: appRootRedirect, To: s.AppRoot, Port: true}
}

// HTTPSRedirect is what ssl-redirect asks for.
func (s *Settings) HTTPSRedirect() *policy.HTTPS {
	return &policy.HTTPS{Code: s.HostRedirectCode(), KeepSlash: s.KeepSlash}
}

// SlashRedirect is that of a path without the slash at its end.
func (s *Settings) SlashRedirect() policy.Slash { return policy.Slash{Relative: s.relative} }

// HostRedirectCode is the status of redirects to HTTPS and to another name.
func (s *Settings) HostRedirectCode() int { return cmp.Or(s.redirectCode, hostRedirect) }

// HostRedirect is what from-to-www-redirect asks for.
func HostRedirect(to string, code int) *policy.Redirect {
	return &policy.Redirect{Code: code, Host: to}
}
