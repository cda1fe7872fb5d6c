package annotation

import (
	"errors"
	"strings"

	"github.com/sluice-gateway/sluice/routing"
)

var _ = add(
	Row{
		Key: "backend-protocol", Scope: ScopeBackend, Value: "HTTP, HTTPS, AUTO_HTTP, H2C, GRPC or GRPCS", Default: "HTTP",
		Set: setProtocol,
		Get: func(s *Settings) any {
			if s.AutoHTTP {
				return autoHTTP
			}
			return s.Protocol.String() + s.Unspoken
		},
		Doc: "What the Backends speak; in any case. Wins over the Service's appProtocol: https, kubernetes.io/wss, h2c, kubernetes.io/h2c, grpc or grpcs, " +
			"which is not read for objects that are taken over from ingress-nginx. Backends of GRPC and GRPCS are also reached by gRPC-Web, binary and text. " +
			"AUTO_HTTP is HTTPS for requests that came over TLS, and HTTP for others. FCGI is not supported, and answers 503.",
	},
)

// autoHTTP is the value of backend-protocol that sets Settings.AutoHTTP.
const autoHTTP = "AUTO_HTTP"

func setProtocol(s *Settings, value string) error {
	upper := strings.ToUpper(value)
	for p := routing.HTTP; p <= routing.GRPCS; p++ {
		if upper == p.String() {
			s.Protocol, s.ProtocolSet = p, true
			return nil
		}
	}
	if upper == autoHTTP {
		s.AutoHTTP, s.ProtocolSet = true, true
		return nil
	}
	if upper == "FCGI" {
		// Each backend has its own Rejection for it.
		s.Unspoken = upper
		return nil
	}
	return errors.New("want HTTP, HTTPS, AUTO_HTTP, H2C, GRPC or GRPCS; HTTP is assumed")
}
