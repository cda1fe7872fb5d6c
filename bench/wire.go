package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// Wire is the protocol on one side of a proxy. The zero Wire is HTTP/1.1 in clear text.
type Wire struct {
	TLS bool // TLS 1.3, with ALPN
	H2  bool // HTTP/2; without TLS by prior knowledge
}

// Scheme is the scheme of URLs on such a connection.
func (w Wire) Scheme() string {
	if w.TLS {
		return "https"
	}
	return "http"
}

// alpn is the protocol that a client of such a connection offers.
func (w Wire) alpn() string {
	if w.H2 {
		return "h2"
	}
	return "http/1.1"
}

func (w Wire) String() string {
	name := "HTTP/1.1"
	if w.H2 {
		name = "HTTP/2"
	}
	if w.TLS {
		return name + " over TLS"
	}
	return name + " in clear text"
}

// clientTLS is the offer of every TLS client of a run: the same for all proxies, so that one which could
// negotiate something dearer (Go's servers take a post-quantum key exchange where the client has it, OpenSSL 3.0
// has none) is not measured at other work. It checks the certificate against the run's own.
func clientTLS(w Wire, roots *x509.CertPool) *tls.Config {
	return &tls.Config{
		ServerName:       benchHost,
		RootCAs:          roots,
		MinVersion:       tls.VersionTLS13,
		CurvePreferences: []tls.CurveID{tls.X25519},
		NextProtos:       []string{w.alpn()},
	}
}

// checkTLS checks that a connection negotiated what clientTLS offered. The cipher is the cheapest one on
// machines with AES instructions; every proxy is configured to choose it whatever the client's order.
func checkTLS(w Wire, s tls.ConnectionState) error {
	switch {
	case s.Version != tls.VersionTLS13:
		return fmt.Errorf("check TLS: version %s, want 1.3", tls.VersionName(s.Version))
	case s.CipherSuite != tls.TLS_AES_128_GCM_SHA256:
		return fmt.Errorf("check TLS: cipher %s, want TLS_AES_128_GCM_SHA256", tls.CipherSuiteName(s.CipherSuite))
	case s.NegotiatedProtocol != w.alpn():
		return fmt.Errorf("check TLS: ALPN gave %q, want %q", s.NegotiatedProtocol, w.alpn())
	}
	return nil
}

// client asks one address in one protocol and takes an answer in no other. Each call has a connection of its
// own. It may be copied and used concurrently.
type client struct {
	wire  Wire
	addr  string // ip:port
	host  string
	roots *x509.CertPool // nil where wire has no TLS
}

// timeout bounds each call of a client.
const timeout = 5 * time.Second

// do sends one request to the path and gives the answer with its whole body; a status other than 200 is an
// error.
func (c client) do(method, path string, header http.Header, body io.Reader) (*http.Response, []byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	res, err := c.open(ctx, method, path, header, body)
	if err != nil {
		return nil, nil, err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, nil, fmt.Errorf("read answer to %s: %w", path, err)
	}
	return res, b, nil
}

// open is do up to the head of the answer; the caller closes the body, which closes the connection.
func (c client) open(ctx context.Context, method, path string, header http.Header, body io.Reader) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.wire.Scheme()+"://"+c.host+path, body)
	if err != nil {
		return nil, err
	}
	for k, v := range header {
		req.Header[k] = v
	}
	var p http.Protocols
	p.SetHTTP1(!c.wire.H2)
	p.SetHTTP2(c.wire.H2 && c.wire.TLS)
	p.SetUnencryptedHTTP2(c.wire.H2 && !c.wire.TLS)
	res, err := (&http.Transport{
		DisableKeepAlives:  true,
		DisableCompression: true,
		Protocols:          &p,
		TLSClientConfig:    clientTLS(c.wire, c.roots),
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, c.addr)
		},
	}).RoundTrip(req)
	if err != nil {
		return nil, fmt.Errorf("ask for %s in %s: %w", path, c.wire, err)
	}
	if err := c.check(res, path); err != nil {
		res.Body.Close()
		return nil, err
	}
	return res, nil
}

// check refuses an answer that is not in the protocol of the client.
func (c client) check(res *http.Response, path string) error {
	if h2 := res.ProtoMajor == 2; h2 != c.wire.H2 {
		return fmt.Errorf("ask for %s in %s: the answer is in %s", path, c.wire, res.Proto)
	}
	if c.wire.TLS {
		if err := checkTLS(c.wire, *res.TLS); err != nil {
			return fmt.Errorf("ask for %s: %w", path, err)
		}
	}
	if res.StatusCode != http.StatusOK {
		b, _ := io.ReadAll(io.LimitReader(res.Body, 200))
		return fmt.Errorf("ask for %s in %s: status %d: %s", path, c.wire, res.StatusCode, b)
	}
	return nil
}
