package configmap

import (
	"errors"
	"strconv"
	"strings"

	"github.com/sluice-gateway/sluice/informer/internal/plain"
	"github.com/sluice-gateway/sluice/routing/policy"
)

// Keys of what is believed about clients. They depend on each other: see trust.
const (
	useForwarded = "use-forwarded-headers"
	realIP       = "enable-real-ip"
	realIPRanges = "proxy-real-ip-cidr"
)

// The keys of the gateway's configuration that they set.
const (
	trustedRanges = "forwarded.trusted_cidrs"
	addressOnly   = "forwarded.address_only"
)

// nearby are the ranges of peers that are believed where proxy-real-ip-cidr is absent: addresses that no client on the internet
// can have. ingress-nginx believes everybody then.
const nearby = "127.0.0.0/8,10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,100.64.0.0/10,169.254.0.0/16,::1/128,fc00::/7,fe80::/10"

// What is believed about clients, and what Backends are told of them.
var _ = add(
	Row{
		Key: useForwarded, Effect: EffectGateway, Setting: trustedRanges, Value: yes, Default: "false", Guards: true,
		Set: boolean,
		Doc: "Whether peers are believed about their clients: X-Forwarded-For, or forwarded-for-header, X-Forwarded-Host, X-Forwarded-Port and X-Forwarded-Proto. " +
			"They are the peers of " + realIPRanges + ". Where that is absent ingress-nginx believes everybody; here it is those with addresses that no client on the internet can have (" +
			strings.ReplaceAll(nearby, ",", ", ") + "), which is told. Written as false it has nobody believed.",
	},
	Row{
		Key: realIP, Effect: EffectGateway, Setting: addressOnly, Value: yes, Default: "false", Guards: true,
		Set: boolean,
		Doc: "As " + useForwarded + ", for the client's address alone. It has no effect beside that key.",
	},
	Row{
		Key: realIPRanges, Effect: EffectGateway, Setting: trustedRanges, Value: ranges, Default: "0.0.0.0/0", Guards: true,
		Set: func(*reading, string) error { return nil }, // see trust
		Doc: "The peers that " + useForwarded + " or " + realIP + " is about; it has no effect without one of them. Where a part does not parse nobody is believed.",
	},
	Row{
		Key: "forwarded-for-header", Effect: EffectGateway, Setting: "forwarded.client_header", Value: "name of a field", Default: "X-Forwarded-For", Guards: true,
		Set: func(r *reading, value string) error {
			if value == "X-Forwarded-For" || value == "" {
				return nil
			}
			if err := r.check("forwarded.client_header", value); err != nil {
				// X-Forwarded-For instead could be any client's.
				r.Gateway[trustedRanges] = ""
				return errors.New(err.Error() + "; nobody is believed")
			}
			return r.set("forwarded.client_header", value)
		},
		Doc: "The field in which peers that are believed name their clients.",
	},
	setting("compute-full-forwarded-for", "forwarded.full_list", yes, "false", asBool,
		"Whether X-Forwarded-For is extended rather than replaced, for objects of ingress-nginx's classes; those of the gateway's own always have the whole list."),
	without("forwarded-for-proxy-protocol-header", "X-Forwarded-For-Proxy-Protocol", "behind the PROXY protocol the client is the one that its header names, or the one that this client names in forwarded-for-header, if it is believed"),
	without("forwarded-host-header", "X-Forwarded-Host", "the host that a proxy names is always in X-Forwarded-Host"),
	Row{
		Key: "use-proxy-protocol", Effect: EffectNone, Value: yes, Default: "false", Guards: true,
		Set: func(r *reading, value string) error {
			on, err := strconv.ParseBool(value)
			if err != nil {
				return errors.New("want true or false; false is assumed")
			}
			if on {
				return errors.New("listeners are bound before it is read: set proxy_protocol.listeners and proxy_protocol.trusted_cidrs in the gateway's configuration; " +
					"on a listener without them a connection that begins with a header is refused")
			}
			return nil
		},
		Doc: "Told, and not carried out: `proxy_protocol.listeners` and `proxy_protocol.trusted_cidrs` of the gateway's configuration do the same.",
	},
	setting("proxy-protocol-header-timeout", "proxy_protocol.timeout", "duration", "5s", asIs, "From accepting a connection to the end of its PROXY protocol header."),
	Row{
		Key: "generate-request-id", Effect: EffectNone, Value: yes, Default: "true",
		Set: func(_ *reading, value string) error {
			if on, err := strconv.ParseBool(value); err != nil || !on {
				return errors.New("requests without X-Request-ID always get one")
			}
			return nil
		},
		Doc: "Requests without X-Request-ID always get one; anything but true is refused.",
	},
	setting("proxy-add-original-uri-header", "forwarded.original_uri", yes, "false", asBool,
		"Whether X-Original-URI tells Backends of objects of ingress-nginx's classes the target that the client has asked for; a client's own is replaced then."),
)

// boolean checks what trust reads.
func boolean(_ *reading, value string) error {
	if _, err := strconv.ParseBool(value); err != nil {
		return errors.New("want true or false; false is assumed")
	}
	return nil
}

// trust decides who is believed, from the three keys that say it together.
func (r *reading) trust(reject func(key, value, reason string)) {
	is := func(key string) (on, said bool) {
		on, err := strconv.ParseBool(r.data[key])
		return on, err == nil
	}
	all, said := is(useForwarded)
	address, _ := is(realIP)
	list, given := r.data[realIPRanges]
	switch {
	case all && address:
		reject(realIP, r.data[realIP], "it has no effect beside "+useForwarded)
	case !all && !address:
		if given {
			reject(realIPRanges, list, "it has no effect without "+useForwarded+" or "+realIP)
		}
		if said {
			r.Gateway[trustedRanges] = ""
		}
		return
	}
	if _, nobody := r.Gateway[trustedRanges]; nobody {
		return // a field that cannot be read has decided it
	}
	key := useForwarded
	if !all {
		key = realIP
		r.Gateway[addressOnly] = "true"
	}
	if !given {
		r.Gateway[trustedRanges] = nearby
		reject(key, r.data[key], realIPRanges+" is absent, which has ingress-nginx believe everybody; here peers with private addresses are believed, "+
			"and with it those that it names, such as the load balancer's")
		return
	}
	believed, err := prefixes(list)
	if err == nil {
		err = r.check(trustedRanges, list)
	}
	if err != nil {
		r.Gateway[trustedRanges] = ""
		reject(realIPRanges, list, plain.Short(err.Error())+"; nobody is believed")
		return
	}
	texts := make([]string, 0, len(believed))
	for _, p := range policy.Disjoint(believed) {
		texts = append(texts, p.String())
	}
	r.Gateway[trustedRanges] = strings.Join(texts, ",")
}
