package annotation

import (
	"errors"
	"net/netip"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
)

// The request that a Backend is sent.
var _ = add(
	Row{
		Key: "upstream-vhost", Scope: ScopeRoute, Value: "host, or host:port", Default: "the client's",
		Set: setUpstreamHost,
		Get: func(s *Settings) any { return s.Policy.UpstreamHost },
		Doc: "Replaces the Host header sent to the Backend. Variables are not supported.",
	},
)

func setUpstreamHost(s *Settings, value string) error {
	if strings.Contains(value, "$") {
		return errors.New("variables are not supported; the client's Host is sent")
	}
	if !validAuthority(value) {
		return errors.New("want a host name or address, optionally with a port; the client's Host is sent")
	}
	s.Policy.UpstreamHost = value
	return nil
}

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
	return len(validation.IsDNS1123Subdomain(strings.ToLower(host))) == 0
}
