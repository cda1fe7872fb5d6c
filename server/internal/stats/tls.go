package stats

import (
	"slices"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sluice-gateway/sluice/routing"
	"github.com/sluice-gateway/sluice/server/internal/tlsconn"
)

// TLS holds the counts of handshakes for a scrape.
type TLS struct{ Clients, Endpoints tlsconn.Counts }

// Refusal is why a client's connection for TLS ended before its handshake began.
type Refusal uint8

const (
	// RefusedNoHello: the ClientHello did not come in time.
	RefusedNoHello Refusal = iota
	// RefusedNotTLS: the bytes are no TLS.
	RefusedNotTLS
	// RefusedHelloSize: it is larger than any client's.
	RefusedHelloSize
	// RefusedBadHello: it is malformed.
	RefusedBadHello
	// RefusedLeft: the client went away.
	RefusedLeft

	// Refusals is the number of Refusals, for arrays indexed by Refusal.
	Refusals = iota
)

var refusalNames = [Refusals]string{"no_hello", "not_tls", "hello_too_large", "bad_hello", "left"}

// String returns the metric label.
func (r Refusal) String() string { return refusalNames[r] }

// send sends the counts of handshakes; sum is over all loops.
func (t TLS) send(ch chan<- prometheus.Metric, sum *Counters) {
	for r, n := range sum.Refusals {
		handshakesRefused.value(ch, float64(n), "client", Refusal(r).String())
	}
	handshakesRefused.value(ch, float64(t.Clients.RefusedShare), "client", "share")
	sendHandshakes(ch, "client", &t.Clients)
	sendHandshakes(ch, "endpoint", &t.Endpoints)
}

func sendHandshakes(ch chan<- prometheus.Metric, peer string, c *tlsconn.Counts) {
	handshakesStarted.value(ch, float64(c.Started), peer)
	handshakesCompleted.value(ch, difference(c.Completed, c.Resumed), peer, "false")
	handshakesCompleted.value(ch, float64(c.Resumed), peer, "true")
	for r, n := range c.Failed {
		handshakesFailed.value(ch, float64(n), peer, tlsconn.Reason(r).String())
	}
	handshakesRefused.value(ch, float64(c.RefusedBusy), peer, "busy")
	handshakesActive.value(ch, float64(c.UnderWay), peer)
}

// nginxClass is ingress-nginx's class of a certificate: the controller that serves it.
const nginxClass = "sluice-gateway.io/ingress"

// sendCertificates reports until when the certificates of a Snapshot are valid; nil has none. Beyond the limits those
// that expire last are left out.
func sendCertificates(ch chan<- prometheus.Metric, s *routing.Snapshot, limits Limits) {
	if s == nil {
		return
	}
	var secrets, hosts soonest
	for _, c := range s.Certificates {
		secrets = append(secrets, expiring{c, ""})
	}
	for _, c := range secrets.within(limits) {
		certificateExpiry.value(ch, float64(c.NotAfter.Unix()), c.Secret.Namespace, c.Secret.Name, c.KeyType(), "false")
	}
	for host, list := range s.ServerNames.All() {
		for _, c := range list {
			hosts = append(hosts, expiring{c, host})
		}
	}
	for _, c := range hosts.within(limits) {
		nginxExpiry.value(ch, float64(c.NotAfter.Unix()), nginxClass, c.host, c.Secret.Namespace, c.Secret.Name)
	}
	if c := s.DefaultCertificate; c != nil {
		certificateExpiry.value(ch, float64(c.NotAfter.Unix()), c.Secret.Namespace, c.Secret.Name, c.KeyType(), "true")
		nginxExpiry.value(ch, float64(c.NotAfter.Unix()), nginxClass, "_", c.Secret.Namespace, c.Secret.Name)
	}
}

// expiring is a certificate, for a host or by itself.
type expiring struct {
	*routing.Certificate
	host string
}

// soonest is certificates in the order in which they expire, once within was called.
type soonest []expiring

// within returns as many as the limits allow.
func (s soonest) within(limits Limits) soonest {
	slices.SortStableFunc(s, func(a, b expiring) int { return a.NotAfter.Compare(b.NotAfter) })
	byNamespace := map[string]int{}
	kept := s[:0]
	for _, c := range s {
		if byNamespace[c.Secret.Namespace]++; len(kept) < limits.Series && byNamespace[c.Secret.Namespace] <= limits.PerNamespace {
			kept = append(kept, c)
		}
	}
	return kept
}
