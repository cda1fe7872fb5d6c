package annotation

import (
	"errors"
	"net/netip"
	"strconv"
	"strings"

	"github.com/sluice-gateway/sluice/routing/policy"
)

// The request that a Backend is sent.
var _ = add(
	Row{
		Key: "upstream-vhost", Scope: ScopeRoute, Value: "host, or host:port", Default: "the client's",
		Set: setUpstreamHost,
		Get: func(s *Settings) any {
			if h, ok := s.Policy.Filter(policy.KindHost).(*policy.Host); ok {
				return h.Template
			}
			return s.Policy.UpstreamHost
		},
		Doc: "Replaces the Host header sent to the Backend. $host, $scheme, $remote_addr, $namespace, $ingress_name, $service_name, $service_port, " +
			"and $http_ with the name of a request field, are what they are in ingress-nginx; a request of which they make no host is answered 400. " +
			"With another variable, or what can be no host, the Routes of the object answer 503.",
	},
	Row{
		Key: "connection-proxy-header", Scope: ScopeRoute, Value: "close or keep-alive", Default: "none",
		Set: func(s *Settings, value string) error {
			if value == "" {
				return errors.New("want close or keep-alive; Backends are told nothing")
			}
			if value != policy.ConnectionClose && value != policy.ConnectionKeep {
				return s.close("what Backends are to be told of their connection is neither close nor keep-alive; every path of the object answers 503")
			}
			s.Policy.Connection = value
			return nil
		},
		Get: func(s *Settings) any { return s.Policy.Connection },
		Doc: "The field Connection that Backends of HTTP/1.1 are sent. With close each request has a connection of its own, and with either no WebSocket can be opened. " +
			"With any other value the Routes of the object answer 503.",
	},
)

func setUpstreamHost(s *Settings, value string) error {
	const closes = "; every path of the object answers 503"
	switch {
	case value == "":
		return errors.New("want a host name or address, optionally with a port; the client's Host is sent")
	case strings.Contains(value, "$"):
		pieces, err := policy.ParseTemplate(value, policy.HostVariables)
		if err != nil {
			return s.close("the Host for the Backend cannot be made: " + err.Error() + closes)
		}
		for _, p := range pieces {
			if strings.ContainsFunc(p.Text, func(r rune) bool { return !isAlphanumeric(r) && !strings.ContainsRune("-._~:", r) }) {
				return s.close("what stands between the variables of the Host for the Backend is not of letters, digits and -._~: alone" + closes)
			}
		}
		s.Policy.Set(&policy.Host{Template: value})
	case !validAuthority(value):
		return s.close("the Host for the Backend is no host name or address, optionally with a port" + closes)
	default:
		s.Policy.UpstreamHost = value
	}
	return nil
}

// maxHostName is the longest name that DNS has.
const maxHostName = 253

// validAuthority accepts host, host:port and [v6]:port.
func validAuthority(s string) bool {
	host := s
	if i := strings.LastIndexByte(s, ':'); i >= 0 && !strings.HasSuffix(s, "]") {
		port, err := strconv.ParseUint(s[i+1:], 10, 16)
		if err != nil || port == 0 {
			return false
		}
		host = s[:i]
	}
	if v6, ok := strings.CutPrefix(host, "["); ok {
		v6, ok = strings.CutSuffix(v6, "]")
		addr, err := netip.ParseAddr(v6)
		return ok && err == nil && addr.Is6() && addr.Zone() == ""
	}
	return host != "" && len(host) <= maxHostName && !strings.ContainsFunc(host, func(r rune) bool { return !isAlphanumeric(r) && !strings.ContainsRune("-._~", r) })
}
