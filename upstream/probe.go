package upstream

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"github.com/sluice-gateway/sluice/routing"
)

// One check of one Endpoint. Each has a connection of its own, which ends with it: what counts is whether a new client is
// served. The Endpoint is not trusted: its head is bounded, of its body nothing is read but a gRPC answer, all of it within
// the context's deadline.

const (
	// probeHead bounds the head of an answer, bytes.
	probeHead = 16 << 10
	// probeMessage bounds an answer of grpc.health.v1; such a message has two bytes.
	probeMessage = 1 << 10
)

// probeEndpoint makes a check, and returns why the Endpoint is not well.
func probeEndpoint(ctx context.Context, b *routing.Backend, check routing.Check, addr netip.AddrPort) error {
	streams := b.Protocol == routing.H2C || b.Protocol == routing.GRPC || b.Protocol == routing.GRPCS || check.Kind == routing.CheckGRPC
	protocol := "http/1.1"
	if streams {
		protocol = "h2"
	}
	var config *tls.Config
	if b.TLS != nil {
		config = b.TLS.Config(protocol)
	}
	if check.Kind == routing.CheckTCP {
		return probeTCP(ctx, config, addr)
	}
	transport := &http.Transport{
		DialContext:     (&net.Dialer{}).DialContext,
		TLSClientConfig: config, DisableKeepAlives: true, DisableCompression: true, MaxResponseHeaderBytes: probeHead,
		Protocols: new(http.Protocols),
	}
	switch {
	case !streams:
		transport.Protocols.SetHTTP1(true)
	case config != nil:
		transport.Protocols.SetHTTP2(true)
	default:
		transport.Protocols.SetUnencryptedHTTP2(true)
	}
	defer transport.CloseIdleConnections()
	if check.Kind == routing.CheckGRPC {
		return probeGRPC(ctx, transport, check, probeRequest(ctx, "POST", config, addr, "/grpc.health.v1.Health/Check", check.Host))
	}
	path := check.Path
	if path == "" {
		path = "/"
	}
	resp, err := transport.RoundTrip(probeRequest(ctx, "GET", config, addr, path, check.Host))
	if err != nil {
		return err
	}
	_ = resp.Body.Close()
	if resp.StatusCode < int(check.Least) || resp.StatusCode > int(check.Most) {
		return fmt.Errorf("status %d", resp.StatusCode)
	}
	return nil
}

// probeRequest makes a request to the Endpoint at addr. path has been checked to be one; the root stands for what is none.
func probeRequest(ctx context.Context, method string, config *tls.Config, addr netip.AddrPort, path, host string) *http.Request {
	u, err := url.ParseRequestURI(path)
	if err != nil {
		u = &url.URL{Path: "/"}
	}
	u.Scheme, u.Host = "http", addr.String()
	if config != nil {
		u.Scheme = "https"
	}
	r := &http.Request{Method: method, URL: u, Host: host, Header: http.Header{"User-Agent": {"sluice-health-check"}}}
	return r.WithContext(ctx)
}

func probeTCP(ctx context.Context, config *tls.Config, addr netip.AddrPort) error {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr.String())
	if err != nil {
		return err
	}
	defer conn.Close()
	if config == nil {
		return nil
	}
	return tls.Client(conn, config).HandshakeContext(ctx)
}

// probeGRPC calls Check of grpc.health.v1.Health.
func probeGRPC(ctx context.Context, transport http.RoundTripper, check routing.Check, r *http.Request) error {
	message := []byte{}
	if check.Service != "" {
		message = append(binary.AppendUvarint(append(message, 1<<3|2), uint64(len(check.Service))), check.Service...)
	}
	body := binary.BigEndian.AppendUint32([]byte{0}, uint32(len(message)))
	body = append(body, message...)
	r.Header.Set("Content-Type", "application/grpc")
	r.Header.Set("Te", "trailers")
	r.Body, r.ContentLength = io.NopCloser(strings.NewReader(string(body))), int64(len(body))
	resp, err := transport.RoundTrip(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != 200 {
		return fmt.Errorf("status %d", resp.StatusCode)
	}
	answer, err := io.ReadAll(io.LimitReader(resp.Body, probeMessage+1))
	switch {
	case err != nil:
		return err
	case len(answer) > probeMessage:
		return errors.New("the answer is too long")
	}
	status := resp.Trailer.Get("Grpc-Status")
	if status == "" {
		status = resp.Header.Get("Grpc-Status")
	}
	if status != "0" {
		return fmt.Errorf("grpc-status %q", status[:min(len(status), 10)])
	}
	if !serving(answer) {
		return errors.New("not serving")
	}
	return nil
}

// serving reports whether answer is one message of HealthCheckResponse whose status is SERVING.
func serving(answer []byte) bool {
	if len(answer) < 5 || answer[0] != 0 || int64(binary.BigEndian.Uint32(answer[1:5])) != int64(len(answer)-5) {
		return false
	}
	is := false
	for m := answer[5:]; len(m) > 0; {
		tag, n := binary.Uvarint(m)
		if n <= 0 {
			return false
		}
		m = m[n:]
		switch tag & 7 {
		case 0:
			value, n := binary.Uvarint(m)
			if n <= 0 {
				return false
			}
			if m = m[n:]; tag>>3 == 1 {
				is = value == 1
			}
		case 2:
			size, n := binary.Uvarint(m)
			if n <= 0 || size > uint64(len(m)-n) {
				return false
			}
			m = m[n+int(size):]
		default:
			return false
		}
	}
	return is
}
