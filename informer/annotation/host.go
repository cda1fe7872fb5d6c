package annotation

import (
	"errors"
	"strconv"
)

// TLS connections of clients, except for client certificates.
var _ = add(
	Row{
		Key: "ssl-ciphers", Scope: ScopeHost, Value: "suites by OpenSSL's names, with colons between", Default: "the gateway's",
		Set: ciphers(func(s *Settings) *Ciphers { return &s.Ciphers }),
		Get: func(s *Settings) any { return s.Ciphers },
		Doc: "Cipher suites for clients of the object's hosts, for TLS 1.2 and below; the oldest object with the annotation decides, of those in the namespace that the host belongs to. " +
			"It has no effect without a host. Groups such as HIGH are not supported. " +
			"A request on a connection that was opened under another name, with a suite that is not among these, gets 421.",
	},
	Row{
		Key: "ssl-passthrough", Scope: ScopeHost, Value: "true or false", Default: "false",
		Set: boolean(func(s *Settings) *bool { return &s.Passthrough }),
		Get: func(s *Settings) any { return s.Passthrough },
		Doc: "Sends the TLS connections of the object's hosts to the Backend of path / as they are, told by the server name that the client asks for: " +
			"the client sees the Backend's own certificate and protocols. Nothing else of the object applies to them, and no X-Forwarded field reaches the Backend. " +
			"Another Endpoint is tried where one cannot be connected to; without any, the connection is closed. Silence ends them after timeouts.tunnel. " +
			"Only the oldest object of a host can ask for it. No flag of the gateway is needed, and plain HTTP for the hosts is served by the Routes as ever. " +
			"Where the object says who may ask too, by addresses, passwords or auth-url, the connections are closed, because nothing would look at that. " +
			"A request for them on a TLS connection that was opened under another name gets 421.",
	},
	Row{
		Key: "ssl-prefer-server-ciphers", Scope: ScopeHost, Value: "true or false", Default: "true",
		Set: func(_ *Settings, value string) error {
			if on, err := strconv.ParseBool(value); err != nil || !on {
				return errors.New("the order of cipher suites is always the gateway's")
			}
			return nil
		},
		Get: func(*Settings) any { return true },
		Doc: "The order of cipher suites is always the gateway's; anything but true is refused.",
	},
)
