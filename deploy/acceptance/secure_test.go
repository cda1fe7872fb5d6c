package acceptance

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// secureHost serves a.test over TLS too, with a certificate of the given serial number.
func (g *gateway) secureHost(serial int64) {
	g.t.Helper()
	certificate, key := g.pair(serial, "a.test")
	g.write("secret.yaml", secretYAML("a-test", certificate, key))
	g.write("ingress.yaml", strings.Replace(ingressYAML(0), "  rules:\n", "  tls: [{hosts: [a.test], secretName: a-test}]\n  rules:\n", 1))
}

// pair makes a certificate that is signed by its own key, for the given names, in PEM.
func (g *gateway) pair(serial int64, names ...string) (certificate, key []byte) {
	g.t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	g.must(err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: names[0]}, DNSNames: names,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(1, 0, 0),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	g.must(err)
	encoded, err := x509.MarshalPKCS8PrivateKey(private)
	g.must(err)
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: encoded})
}

func secretYAML(name string, certificate, key []byte) string {
	return fmt.Sprintf("apiVersion: v1\nkind: Secret\nmetadata: {name: %s, namespace: default}\ntype: kubernetes.io/tls\ndata:\n  tls.crt: %s\n  tls.key: %s\n",
		name, base64.StdEncoding.EncodeToString(certificate), base64.StdEncoding.EncodeToString(key))
}

// anyCertificate is for clients that look at the serial number only.
var anyCertificate = &tls.Config{ServerName: "a.test", InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}}

// dialTLS opens a connection over TLS and shakes hands. It fails the test where that fails.
func (g *gateway) dialTLS() *client {
	g.t.Helper()
	c, err := tls.Dial("tcp", g.secure, anyCertificate)
	g.must(err)
	return newClient(c)
}

// serial is the serial number of the certificate that the gateway showed.
func (c *client) serial() int64 {
	return c.Conn.(*tls.Conn).ConnectionState().PeerCertificates[0].SerialNumber.Int64()
}

// metric returns the sum of the samples of a metric whose labels contain all of parts, and count their
// number.
func (g *gateway) metric(name string, parts ...string) float64 {
	g.t.Helper()
	sum, _ := g.samples(name, parts...)
	return sum
}

func (g *gateway) count(name string, parts ...string) int {
	g.t.Helper()
	_, n := g.samples(name, parts...)
	return n
}

func (g *gateway) samples(name string, parts ...string) (sum float64, n int) {
	g.t.Helper()
	resp, err := http.Get("http://" + g.metrics + "/metrics")
	g.must(err)
	defer resp.Body.Close()
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		// Labels may contain spaces.
		at := strings.LastIndexByte(lines.Text(), ' ')
		if at < 0 {
			continue
		}
		series := lines.Text()[:at]
		if found, _, _ := strings.Cut(series, "{"); found != name || !containsAll(series, parts) {
			continue
		}
		v, err := strconv.ParseFloat(lines.Text()[at+1:], 64)
		g.must(err)
		sum, n = sum+v, n+1
	}
	return sum, n
}

func containsAll(s string, parts []string) bool {
	for _, p := range parts {
		if !strings.Contains(s, p) {
			return false
		}
	}
	return true
}

// clientHello returns the first flight of a client that asks for a.test.
func clientHello() []byte {
	var hello bytes.Buffer
	near, far := net.Pipe()
	defer far.Close()
	go func() { _ = tls.Client(near, anyCertificate).Handshake() }()
	piece := make([]byte, 16<<10)
	n, err := far.Read(piece)
	if err != nil {
		panic(err)
	}
	hello.Write(piece[:n])
	return hello.Bytes()
}
