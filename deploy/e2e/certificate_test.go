package e2e

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// serial returns the serial number of the certificate that clients get for a host; 0 stands for the
// gateway's own.
func serial(t *testing.T, host string) int64 {
	t.Helper()
	c, err := dialTLS(host)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	cert := c.ConnectionState().PeerCertificates[0]
	if cert.Subject.CommonName == "Sluice default certificate" {
		return 0
	}
	return cert.SerialNumber.Int64()
}

func awaitSerial(t *testing.T, host string, want int64) {
	t.Helper()
	eventually(t, fmt.Sprintf("certificate %d for %s", want, host), func() (bool, string) {
		got := serial(t, host)
		return got == want, fmt.Sprint(got)
	})
}

// The life of a Secret: missing, there, renewed, broken, mended, gone. Its host is served all the time.
func TestCertificate(t *testing.T) {
	s := newSpace(t)
	s.web("a", startPod(t, "a"))
	host := s.host("x")
	s.createIngress(s.secureIngress("x", "pair", host, "a:80"))
	await(t, shared.gateway, host, "/", "200 a")
	x := expect(host, "/", "200 a")
	l := startLoad(calmConnections, calmPause, x)
	defer l.stop(t, 0)

	s.awaitRejection("x", "secretName", "no such Secret")
	awaitSerial(t, host, 0)
	ca := newAuthority(t, "ca")
	s.secret("pair", corev1.SecretTypeTLS, ca.pair(11, host))
	awaitSerial(t, host, 11)
	s.awaitNoRejection("x")

	// A client that verifies, over HTTP/2.
	roots := x509.NewCertPool()
	roots.AddCert(ca.cert)
	strict := newSecureClient(&tls.Config{RootCAs: roots})
	if got := strict.get(t, host); got != "HTTP/2.0 200 a" {
		t.Errorf("GET https://%s/: %s", host, got)
	}

	s.setSecret("pair", ca.pair(12, host))
	awaitSerial(t, host, 12)
	broken := ca.pair(13, host)
	broken[corev1.TLSPrivateKeyKey] = ca.pair(14, host)[corev1.TLSPrivateKeyKey]
	s.setSecret("pair", broken)
	s.awaitRejection("x", "secretName", "last good certificate")
	awaitSerial(t, host, 12) // a renewal that went wrong is no reason to show browsers a wrong name
	s.setSecret("pair", ca.pair(15, host))
	awaitSerial(t, host, 15)
	s.awaitNoRejection("x")
	s.deleteSecret("pair")
	awaitSerial(t, host, 0)
	if got := strict.get(t, host); got != "HTTP/2.0 200 a" {
		t.Errorf("GET https://%s/ on a connection from before: %s", host, got)
	}
}

// Clients that a host asks for a certificate, by an authority from a Secret that is read by its name.
func TestClientCertificate(t *testing.T) {
	s := newSpace(t)
	s.web("a", startPod(t, "a"))
	host := s.host("x")
	ca, clients := newAuthority(t, "ca"), newAuthority(t, "clients")
	s.secret("pair", corev1.SecretTypeTLS, ca.pair(1, host))
	ing := s.secureIngress("x", "pair", host, "a:80")
	ing.Annotations = map[string]string{"nginx.ingress.kubernetes.io/auth-tls-secret": s.name + "/clients"}
	s.createIngress(ing)
	// A policy that cannot be kept admits no client.
	s.awaitRejection("x", "auth-tls-secret", "no such Secret")
	anonymous := &tls.Config{InsecureSkipVerify: true}
	if got := newSecureClient(anonymous).get(t, host); got != "HTTP/2.0 503 " {
		t.Errorf("without the Secret: %s", got)
	}
	s.secret("clients", corev1.SecretTypeOpaque, map[string][]byte{"ca.crt": pemOf("CERTIFICATE", clients.cert.Raw)})
	s.awaitNoRejection("x")
	known := anonymous.Clone()
	cert, key := clients.issue(7, "somebody")
	known.Certificates = []tls.Certificate{{Certificate: [][]byte{cert.Raw}, PrivateKey: key}}
	eventually(t, "a client that is known", func() (bool, string) {
		got := newSecureClient(known).get(t, host)
		return got == "HTTP/2.0 200 a", got
	})
	if got := newSecureClient(anonymous).get(t, host); got != "HTTP/2.0 400 " {
		t.Errorf("without a certificate: %s", got)
	}
}

// renewalBound is the bar from the end of the API call that wrote a certificate to the start of the first
// handshake that shows it.
const renewalBound = 50 * time.Millisecond

// TestRenewal renews a certificate under many open connections, none of which may close.
func TestRenewal(t *testing.T) {
	const connections, renewals, rounds = 10_000, 20, 3
	s := newSpace(t)
	s.web("a", startPod(t, "a"))
	host := s.host("x")
	ca := newAuthority(t, "ca")
	s.secret("pair", corev1.SecretTypeTLS, ca.pair(1, host))
	s.createIngress(s.secureIngress("x", "pair", host, "a:80"))
	awaitSerial(t, host, 1)
	await(t, shared.gateway, host, "/", "200 a")
	open := openSecure(t, host, connections)
	last, kept := int64(1), false
	for range rounds {
		before := readMachine(t)
		var took []time.Duration
		for range renewals {
			last++
			pair := ca.pair(last, host)
			s.setSecret("pair", pair)
			written := time.Now()
			for {
				begun := time.Now()
				if serial(t, host) == last {
					took = append(took, begun.Sub(written))
					break
				}
				if time.Since(written) > 10*time.Second {
					t.Fatalf("certificate %d was not shown within 10 s", last)
				}
			}
		}
		slices.Sort(took)
		median, worst := took[renewals/2], took[renewals-1]
		t.Logf("%d renewals under %d connections: new handshakes show them after %s (median), %s (worst); others took %.0f %% of the machine",
			renewals, connections, round(median), round(worst), 100*before.foreign(t))
		if kept = worst <= renewalBound; kept {
			break
		}
	}
	if !kept {
		t.Errorf("the worst of %d is above %s in each of %d rounds", renewals, renewalBound, rounds)
	}
	for i, c := range open {
		if err := c.ask(host); err != nil {
			t.Fatalf("connection %d of %d: %v", i, connections, err)
		}
	}
}
