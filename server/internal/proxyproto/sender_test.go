package proxyproto_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/server/internal/proxyproto"
	"github.com/sluice-gateway/sluice/server/internal/servertest"
)

// These tests hold the package to what others send and receive: HAProxy as sender, nginx as receiver.
// Each is skipped where the program is not installed.

// TestHAProxySends has HAProxy announce connections in both versions, over IPv4, IPv6 and a socket of
// both families, with TLS and a client certificate.
func TestHAProxySends(t *testing.T) {
	program := lookProgram(t, "haproxy")
	sink := listen(t, "127.0.0.1:0")
	dir := t.TempDir()
	authority, pool, clientCert := certificates(t, dir)
	if err := os.WriteFile(filepath.Join(dir, "ca.pem"), authority, 0o600); err != nil {
		t.Fatal(err)
	}

	v1, v2, both, secure := servertest.FreeAddr(t), servertest.FreeAddr(t), servertest.FreeAddr(t), servertest.FreeAddr(t)
	_, bothPort, _ := net.SplitHostPort(both)
	config := fmt.Sprintf(`
global
	maxconn 64
defaults
	mode tcp
	timeout connect 60s
	timeout client 60s
	timeout server 60s
listen v1
	bind %[1]s
	server sink %[5]s send-proxy
listen v2
	bind %[2]s
	unique-id-format %%{+X}o%%ci-%%cp
	server sink %[5]s send-proxy-v2 proxy-v2-options crc32c,unique-id
listen both
	bind :::%[3]s v4v6
	server sink %[5]s send-proxy
listen secure
	bind %[4]s ssl crt %[6]s/server.pem ca-file %[6]s/ca.pem verify optional alpn h2,http/1.1
	server sink %[5]s send-proxy-v2 proxy-v2-options ssl,cert-cn,crc32c,authority,ssl-cipher
`, v1, v2, bothPort, secure, sink.Addr(), dir)
	file := filepath.Join(dir, "haproxy.cfg")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	run(t, v1, program, "-db", "-q", "-f", file)

	receive := func(c net.Conn) proxyproto.Header {
		t.Helper()
		defer c.Close()
		// The sender connects on the first byte from the client at the latest.
		fmt.Fprint(c, "payload")
		got, err := sink.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer got.Close()
		_ = got.SetDeadline(time.Now().Add(time.Minute))
		h, rest := readHeader(t, got)
		payload := make([]byte, len("payload"))
		if _, err := io.ReadFull(io.MultiReader(bytes.NewReader(rest), got), payload); err != nil || string(payload) != "payload" {
			t.Errorf("payload %q, %v", payload, err)
		}
		if want := c.LocalAddr().(*net.TCPAddr).AddrPort(); unmap(want) != h.Source {
			t.Errorf("source %v, want %v", h.Source, want)
		}
		if want := c.RemoteAddr().(*net.TCPAddr).AddrPort(); unmap(want) != h.Destination {
			t.Errorf("destination %v, want %v", h.Destination, want)
		}
		return h
	}
	t.Run("version 1", func(t *testing.T) {
		if h := receive(dial(t, v1)); h.Version != 1 {
			t.Errorf("%+v", h)
		}
	})
	t.Run("version 2", func(t *testing.T) {
		if h := receive(dial(t, v2)); h.Version != 2 || !h.Checksum || len(h.UniqueID) == 0 || h.TLS.Used {
			t.Errorf("%+v", h)
		}
	})
	t.Run("a socket of both families", func(t *testing.T) {
		receive(dial(t, "127.0.0.1:"+bothPort)) // announced as TCP6 ::ffff:127.0.0.1
		if c, err := net.DialTimeout("tcp", "[::1]:"+bothPort, time.Second); err == nil {
			if h := receive(c); !h.Source.Addr().Is6() {
				t.Errorf("%+v", h)
			}
		} else {
			t.Log("no IPv6 loopback:", err)
		}
	})
	for _, certificate := range []bool{false, true} {
		t.Run(fmt.Sprintf("TLS, client certificate %v", certificate), func(t *testing.T) {
			options := &tls.Config{RootCAs: pool, ServerName: "a.example", NextProtos: []string{"h2"}, MinVersion: tls.VersionTLS13}
			if certificate {
				options.Certificates = []tls.Certificate{clientCert}
			}
			raw := dial(t, secure)
			c := tls.Client(raw, options)
			_ = c.SetDeadline(time.Now().Add(time.Minute))
			if err := c.Handshake(); err != nil {
				t.Fatal(err)
			}
			h := receive(c)
			if !h.TLS.Used || string(h.TLS.Version) != "TLSv1.3" || string(h.Authority) != "a.example" || !h.Checksum ||
				h.TLS.Certificate != certificate || h.TLS.Verified != certificate || (string(h.TLS.CommonName) == "Bob Bär") != certificate {
				t.Errorf("authority %s, %+v, common name %s", h.Authority, h.TLS, h.TLS.CommonName)
			}
		})
	}
}

// TestNginxReceives has nginx read the Append functions' output, and answer with its content.
func TestNginxReceives(t *testing.T) {
	program := lookProgram(t, "nginx")
	dir, addr := t.TempDir(), servertest.FreeAddr(t)
	config := fmt.Sprintf(`
daemon off; master_process off; pid %[1]s/pid; error_log %[1]s/error.log;
events {}
http {
	access_log off;
	client_body_temp_path %[1]s/a; proxy_temp_path %[1]s/b; fastcgi_temp_path %[1]s/c; uwsgi_temp_path %[1]s/d; scgi_temp_path %[1]s/e;
	server {
		listen %[2]s proxy_protocol;
		return 200 "$proxy_protocol_addr $proxy_protocol_port $proxy_protocol_server_addr $proxy_protocol_server_port";
	}
}`, dir, addr)
	file := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	run(t, addr, program, "-p", dir, "-e", dir+"/error.log", "-c", file)
	for _, c := range []struct{ source, destination string }{
		{"192.0.2.1:1000", "198.51.100.2:443"},
		{"[2001:db8::1]:1000", "[2001:db8::2]:443"},
	} {
		source, destination := netip.MustParseAddrPort(c.source), netip.MustParseAddrPort(c.destination)
		h := proxyproto.Header{Source: source, Destination: destination, Authority: []byte("a.example"), UniqueID: []byte("id"),
			TLS: proxyproto.TLS{Used: true, Version: []byte("TLSv1.3")}, Checksum: true}
		for _, raw := range [][]byte{proxyproto.AppendV1(nil, source, destination), proxyproto.AppendV2(nil, &h)} {
			conn := dial(t, addr)
			fmt.Fprintf(conn, "%sGET / HTTP/1.0\r\n\r\n", raw)
			answer, _ := io.ReadAll(conn)
			conn.Close()
			want := fmt.Sprintf("%s %d %s %d", source.Addr(), source.Port(), destination.Addr(), destination.Port())
			if _, body, _ := strings.Cut(string(answer), "\r\n\r\n"); body != want {
				t.Errorf("%q: nginx read %q, want %q", raw, answer, want)
			}
		}
	}
}

func unmap(a netip.AddrPort) netip.AddrPort { return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()) }

// readHeader reads a header, one byte a time, and what was read behind it.
func readHeader(t *testing.T, c net.Conn) (proxyproto.Header, []byte) {
	t.Helper()
	var buf []byte
	for {
		buf = append(buf, 0)
		if _, err := io.ReadFull(c, buf[len(buf)-1:]); err != nil {
			t.Fatalf("after %q: %v", buf, err)
		}
		h, n, st := proxyproto.Parse(buf)
		if st == proxyproto.Done {
			compare(t, buf)
			return h, buf[n:]
		}
		if st != proxyproto.Incomplete {
			t.Fatalf("%q: %v", buf, st)
		}
	}
}

// lookProgram finds a program on the path or where Debian has it.
func lookProgram(t *testing.T, name string) string {
	t.Helper()
	for _, at := range []string{name, "/usr/sbin/" + name} {
		if program, err := exec.LookPath(at); err == nil {
			return program
		}
	}
	t.Skipf("%s is not installed", name)
	return ""
}

// run starts a program and waits until it listens on addr. It is killed at the end of the test.
func run(t *testing.T, addr, program string, args ...string) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	command := exec.CommandContext(ctx, program, args...)
	var output bytes.Buffer
	command.Stdout, command.Stderr = &output, &output
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		_ = command.Wait()
		close(ended)
	}()
	t.Cleanup(func() {
		cancel()
		<-ended
	})
	deadline := time.After(time.Minute)
	for {
		if listening(addr) {
			return
		}
		select {
		case <-ended:
			t.Fatalf("%s ended:\n%s", program, output.String())
		case <-deadline:
			t.Fatalf("%s does not listen on %s", program, addr)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// listening looks into the kernel's table, because a connection made to find out would be passed on.
func listening(addr string) bool {
	table, err := os.ReadFile("/proc/net/tcp")
	if err != nil {
		return false
	}
	a := netip.MustParseAddrPort(addr)
	b := a.Addr().As4()
	return strings.Contains(string(table), fmt.Sprintf(" %02X%02X%02X%02X:%04X 00000000:0000 0A ", b[3], b[2], b[1], b[0], a.Port()))
}

func listen(t *testing.T, addr string) *net.TCPListener {
	t.Helper()
	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	_ = l.(*net.TCPListener).SetDeadline(time.Now().Add(60 * time.Second))
	return l.(*net.TCPListener)
}

func dial(t *testing.T, addr string) net.Conn {
	t.Helper()
	c, err := net.DialTimeout("tcp", addr, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	_ = c.SetDeadline(time.Now().Add(time.Minute))
	return c
}

// certificates writes server.pem into dir and returns the authority, as PEM and as pool, and a client's
// key pair.
func certificates(t *testing.T, dir string) ([]byte, *x509.CertPool, tls.Certificate) {
	t.Helper()
	made := 0
	create := func(name string, ca bool, parent *x509.Certificate, by *ecdsa.PrivateKey) (*x509.Certificate, *ecdsa.PrivateKey) {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		made++
		template := &x509.Certificate{
			SerialNumber: big.NewInt(int64(made)), Subject: pkix.Name{CommonName: name},
			NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
			IsCA: ca, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		}
		if !ca {
			template.KeyUsage = x509.KeyUsageDigitalSignature
			template.DNSNames = []string{"a.example"}
		}
		if parent == nil {
			parent, by = template, key
		}
		der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, by)
		if err != nil {
			t.Fatal(err)
		}
		certificate, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		return certificate, key
	}
	root, rootKey := create("authority", true, nil, nil)
	server, serverKey := create("server", false, root, rootKey)
	client, clientKey := create("Bob Bär", false, root, rootKey)

	key, err := x509.MarshalPKCS8PrivateKey(serverKey)
	if err != nil {
		t.Fatal(err)
	}
	text := append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Raw}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})...)
	if err := os.WriteFile(filepath.Join(dir, "server.pem"), text, 0o600); err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(root)
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: root.Raw}), pool,
		tls.Certificate{Certificate: [][]byte{client.Raw}, PrivateKey: clientKey}
}
