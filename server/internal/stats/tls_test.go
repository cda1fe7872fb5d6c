package stats

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"strconv"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/routing"
	"github.com/sluice-gateway/sluice/server/internal/tlsconn"
)

// certificateUntil is one without a key, good enough to be reported.
func certificateUntil(secret string, public any, seconds int64) *routing.Certificate {
	leaf := &x509.Certificate{PublicKey: public, NotAfter: time.Unix(seconds, 0)}
	return routing.NewCertificate(routing.ObjectName{Namespace: "shop", Name: secret}, &tls.Certificate{Leaf: leaf})
}

func TestScrapeCertificates(t *testing.T) {
	ec := certificateUntil("ec", &ecdsa.PublicKey{Curve: elliptic.P256()}, 1900000000)
	rs := certificateUntil("rs", &rsa.PublicKey{N: new(big.Int).Lsh(big.NewInt(1), 2047)}, 1800000000)
	snapshot := &routing.Snapshot{
		Certificates: []*routing.Certificate{ec, rs},
		ServerNames: (*routing.CertificateIndex)(nil).With(map[string][]*routing.Certificate{
			"shop.example": {ec, rs}, "*.shop.example": {rs},
		}),
		DefaultCertificate: rs,
	}
	r := NewRegistry(func() *routing.Snapshot { return snapshot }, nil, roomy)
	wantLines(t, scrape(t, r, "nginx_ingress_controller_ssl_expire_time_seconds"),
		`nginx_ingress_controller_ssl_expire_time_seconds{class="sluice-gateway.io/ingress",host="*.shop.example",namespace="shop",secret_name="rs"} 1.8e+09`,
		`nginx_ingress_controller_ssl_expire_time_seconds{class="sluice-gateway.io/ingress",host="_",namespace="shop",secret_name="rs"} 1.8e+09`,
		`nginx_ingress_controller_ssl_expire_time_seconds{class="sluice-gateway.io/ingress",host="shop.example",namespace="shop",secret_name="ec"} 1.9e+09`,
		`nginx_ingress_controller_ssl_expire_time_seconds{class="sluice-gateway.io/ingress",host="shop.example",namespace="shop",secret_name="rs"} 1.8e+09`,
	)
	wantLines(t, scrape(t, r, "sluice_certificate_expiry_timestamp_seconds"),
		`sluice_certificate_expiry_timestamp_seconds{default="false",key="ECDSA P-256",namespace="shop",secret="ec"} 1.9e+09`,
		`sluice_certificate_expiry_timestamp_seconds{default="false",key="RSA 2048",namespace="shop",secret="rs"} 1.8e+09`,
		`sluice_certificate_expiry_timestamp_seconds{default="true",key="RSA 2048",namespace="shop",secret="rs"} 1.8e+09`,
	)

	// Certificates live at the scrape count.
	snapshot = &routing.Snapshot{}
	wantLines(t, scrape(t, r, "expire_time_seconds"))
	snapshot = nil
	wantLines(t, scrape(t, r, "expire_time_seconds"))
}

func TestScrapeHandshakes(t *testing.T) {
	var now TLS
	now.Clients = tlsconn.Counts{Started: 12, Completed: 7, Resumed: 3, RefusedBusy: 4, RefusedShare: 5, UnderWay: 2}
	now.Clients.Failed[tlsconn.ReasonTimeout] = 6
	now.Endpoints = tlsconn.Counts{Started: 1}
	now.Endpoints.Failed[tlsconn.ReasonCertificate] = 1
	r := NewRegistry(snapshotOf(), func() TLS { return now }, roomy)
	l := startLoop()
	defer l.stop()
	s := r.NewShard(l.post, nil)
	l.do(func() { s.Refusals[RefusedNoHello] = 8 })
	wantLines(t, scrape(t, r, "sluice_tls_handshakes_started_total"),
		`sluice_tls_handshakes_started_total{peer="client"} 12`,
		`sluice_tls_handshakes_started_total{peer="endpoint"} 1`)
	wantLines(t, scrape(t, r, "sluice_tls_handshakes_completed_total", "client"),
		`sluice_tls_handshakes_completed_total{peer="client",resumed="false"} 4`,
		`sluice_tls_handshakes_completed_total{peer="client",resumed="true"} 3`)
	wantLines(t, scrape(t, r, "sluice_tls_handshakes_failed_total", "} 1"),
		`sluice_tls_handshakes_failed_total{peer="endpoint",reason="certificate"} 1`)
	wantLines(t, scrape(t, r, "sluice_tls_handshakes_failed_total", "timeout", "client"),
		`sluice_tls_handshakes_failed_total{peer="client",reason="timeout"} 6`)
	wantLines(t, scrape(t, r, "sluice_tls_handshakes_refused_total"),
		`sluice_tls_handshakes_refused_total{peer="client",reason="bad_hello"} 0`,
		`sluice_tls_handshakes_refused_total{peer="client",reason="busy"} 4`,
		`sluice_tls_handshakes_refused_total{peer="client",reason="hello_too_large"} 0`,
		`sluice_tls_handshakes_refused_total{peer="client",reason="left"} 0`,
		`sluice_tls_handshakes_refused_total{peer="client",reason="no_hello"} 8`,
		`sluice_tls_handshakes_refused_total{peer="client",reason="not_tls"} 0`,
		`sluice_tls_handshakes_refused_total{peer="client",reason="share"} 5`,
		`sluice_tls_handshakes_refused_total{peer="endpoint",reason="busy"} 0`)
	wantLines(t, scrape(t, r, "sluice_tls_handshakes_active"),
		`sluice_tls_handshakes_active{peer="client"} 2`,
		`sluice_tls_handshakes_active{peer="endpoint"} 0`)
}

// TestCertificatesStayBounded: what expires soonest is reported, of each namespace and in all.
func TestCertificatesStayBounded(t *testing.T) {
	snapshot := &routing.Snapshot{}
	names := map[string][]*routing.Certificate{}
	add := func(namespace, secret string, seconds int64) {
		leaf := &x509.Certificate{PublicKey: &ecdsa.PublicKey{Curve: elliptic.P256()}, NotAfter: time.Unix(seconds, 0)}
		c := routing.NewCertificate(routing.ObjectName{Namespace: namespace, Name: secret}, &tls.Certificate{Leaf: leaf})
		snapshot.Certificates = append(snapshot.Certificates, c)
		names[secret+".example"] = []*routing.Certificate{c}
	}
	for i := range 9 {
		add("greedy", "g"+strconv.Itoa(i), int64(9-i))
	}
	add("shop", "late", 100)
	add("bank", "later", 200)
	snapshot.ServerNames = (*routing.CertificateIndex)(nil).With(names)
	r := NewRegistry(func() *routing.Snapshot { return snapshot }, nil, Limits{Series: 3, PerNamespace: 2})
	wantLines(t, scrape(t, r, "expire_time_seconds"),
		`nginx_ingress_controller_ssl_expire_time_seconds{class="sluice-gateway.io/ingress",host="g7.example",namespace="greedy",secret_name="g7"} 2`,
		`nginx_ingress_controller_ssl_expire_time_seconds{class="sluice-gateway.io/ingress",host="g8.example",namespace="greedy",secret_name="g8"} 1`,
		`nginx_ingress_controller_ssl_expire_time_seconds{class="sluice-gateway.io/ingress",host="late.example",namespace="shop",secret_name="late"} 100`)
	if got := scrape(t, r, "sluice_certificate_expiry"); len(got) != 3 {
		t.Errorf("%q", got)
	}
}
