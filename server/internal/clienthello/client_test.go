package clienthello_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"math/big"
	"net"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/server/internal/clienthello"
)

// errSeen ends a handshake once its hello was seen.
var errSeen = errors.New("seen")

// oneWay is a connection that reads given bytes and swallows what is written.
type oneWay struct {
	net.Conn
	in io.Reader
}

func (c oneWay) Read(p []byte) (int, error)       { return c.in.Read(p) }
func (c oneWay) Write(p []byte) (int, error)      { return len(p), nil }
func (c oneWay) Close() error                     { return nil }
func (c oneWay) SetDeadline(time.Time) error      { return nil }
func (c oneWay) SetWriteDeadline(time.Time) error { return nil }

// serverSees returns what crypto/tls's server reads from raw, nil where it refuses.
func serverSees(raw []byte) (seen *tls.ClientHelloInfo) {
	c := tls.Server(oneWay{in: bytes.NewReader(raw)}, &tls.Config{
		MinVersion: tls.VersionTLS10,
		GetConfigForClient: func(info *tls.ClientHelloInfo) (*tls.Config, error) {
			seen = info
			return nil, errSeen
		},
	})
	_ = c.Handshake()
	return seen
}

// sameAsServer compares a parsed hello with what crypto/tls read from the same bytes, and returns what
// differs. The exceptions: names are compared in lower case, and crypto/tls lists versions it
// made up where the client sent no list.
func sameAsServer(h *clienthello.Hello, seen *tls.ClientHelloInfo) string {
	if name := strings.ToLower(seen.ServerName); name != string(h.ServerName()) {
		return "server name " + name + ", we " + string(h.ServerName())
	}
	if h.ALPN != (len(seen.SupportedProtos) > 0) || h.H2 != slices.Contains(seen.SupportedProtos, "h2") || h.HTTP11 != slices.Contains(seen.SupportedProtos, "http/1.1") {
		return "protocols " + strings.Join(seen.SupportedProtos, " ") + ", we " + meaning(h)
	}
	newest := uint16(0)
	for _, v := range seen.SupportedVersions {
		if v >= tls.VersionTLS10 && v <= tls.VersionTLS13 {
			newest = max(newest, v)
		}
	}
	made := !slices.Contains(seen.Extensions, 43)
	if newest != h.Version && !(made && min(newest, tls.VersionTLS12) == h.Version) {
		return "another version, we " + meaning(h)
	}
	if h.ECH != slices.Contains(seen.Extensions, 0xfe0d) {
		return "ECH, we " + meaning(h)
	}
	return ""
}

// firstFlight is the first flight of crypto/tls's client.
func firstFlight(config *tls.Config) []byte {
	var out bytes.Buffer
	_ = tls.Client(recorder{oneWay{in: bytes.NewReader(nil)}, &out}, config).Handshake()
	return out.Bytes()
}

type recorder struct {
	oneWay
	out *bytes.Buffer
}

func (c recorder) Write(p []byte) (int, error) { return c.out.Write(p) }

// flight is a client's first bytes, and the values that a reader must find in them.
type flight struct {
	name string
	raw  []byte
	want string
}

// flights are the first flights of crypto/tls clients.
func flights(t testing.TB) []flight {
	t.Helper()
	var all []flight
	add := func(name, want string, config *tls.Config) {
		config.InsecureSkipVerify = true
		all = append(all, flight{name, firstFlight(config), want})
	}
	add("defaults", "0304 name=a.example", &tls.Config{ServerName: "a.example"})
	add("no name", "0304 name=", &tls.Config{})
	add("an address is no name", "0304 name=", &tls.Config{ServerName: "192.0.2.1"})
	add("upper case and a dot", "0304 name=www.example.com", &tls.Config{ServerName: "WWW.Example.Com."})
	add("long name", "0304 name="+name253, &tls.Config{ServerName: name253})
	add("protocols", "0304 name=a alpn h2 http/1.1", &tls.Config{ServerName: "a", NextProtos: []string{"h2", "http/1.1"}})
	add("one protocol", "0304 name=a alpn http/1.1", &tls.Config{ServerName: "a", NextProtos: []string{"http/1.1"}})
	add("another protocol", "0304 name=a alpn", &tls.Config{ServerName: "a", NextProtos: []string{"acme-tls/1"}})
	for _, v := range []uint16{tls.VersionTLS10, tls.VersionTLS11, tls.VersionTLS12, tls.VersionTLS13} {
		want := map[uint16]string{tls.VersionTLS10: "0301", tls.VersionTLS11: "0302", tls.VersionTLS12: "0303", tls.VersionTLS13: "0304"}[v]
		add(tls.VersionName(v)+" alone", want+" name=a", &tls.Config{ServerName: "a", MinVersion: v, MaxVersion: v})
		add("up to "+tls.VersionName(v), want+" name=a", &tls.Config{ServerName: "a", MinVersion: tls.VersionTLS10, MaxVersion: v})
	}
	add("post-quantum key share", "0304 name=a", &tls.Config{ServerName: "a", CurvePreferences: []tls.CurveID{tls.X25519MLKEM768, tls.X25519}})
	add("small key share", "0304 name=a", &tls.Config{ServerName: "a", CurvePreferences: []tls.CurveID{tls.CurveP256}})
	var many []string
	for range 200 {
		many = append(many, strings.Repeat("x", 20))
	}
	add("200 protocols", "0304 name=a alpn h2", &tls.Config{ServerName: "a", NextProtos: append(many, "h2")})
	for _, v := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		raw := resumption(t, v)
		all = append(all, flight{"resumption of " + tls.VersionName(v), raw, "0304 name=a.example alpn h2"})
	}
	return all
}

// resumption returns the first flight of a client that has a session.
func resumption(t testing.TB, version uint16) []byte {
	t.Helper()
	server := &tls.Config{Certificates: []tls.Certificate{certificate(t)}, MaxVersion: version, NextProtos: []string{"h2"}}
	client := &tls.Config{ServerName: "a.example", InsecureSkipVerify: true, ClientSessionCache: tls.NewLRUClientSessionCache(1), NextProtos: []string{"h2"}}
	l, err := net.Listen("tcp", "127.0.0.1:0") // a Pipe has no buffer, and both sides write at once
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	served := make(chan error, 1)
	go func() {
		c, err := l.Accept()
		if err == nil {
			defer c.Close()
			_, err = tls.Server(c, server).Write([]byte("x")) // behind the session ticket
		}
		served <- err
	}()
	near, err := net.DialTimeout("tcp", l.Addr().String(), time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	defer near.Close()
	_ = near.SetDeadline(time.Now().Add(time.Minute))
	c := tls.Client(near, client)
	if _, err := io.ReadFull(c, make([]byte, 1)); err != nil {
		t.Fatalf("handshake: %v", err)
	}
	if err := <-served; err != nil {
		t.Fatalf("serve: %v", err)
	}
	return firstFlight(client)
}

func certificate(t testing.TB) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"a.example"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// checkFlight takes one first flight whole, in pieces and in other records, and compares with crypto/tls.
func checkFlight(t *testing.T, raw []byte, want string) {
	t.Helper()
	h, st := parse(raw)
	if st != clienthello.Done || meaning(h) != want || h.Len != len(raw) {
		t.Fatalf("%d bytes: got %s, want all and %s", len(raw), describe(h, st), want)
	}
	message := string(raw[5:])
	for _, size := range []int{1, 2, 100, 500, 1 << 14} {
		cut := []byte(records(message, size))
		if len(cut) > clienthello.DefaultMaxBytes {
			continue
		}
		got, st := parse(cut)
		if st != clienthello.Done || meaning(got) != want {
			t.Errorf("in records of %d: %s, want %s", size, describe(got, st), want)
		}
		if fault := splitFault(cut, 1+len(cut)/500, clienthello.Limits{}); fault != "" {
			t.Error(fault)
		}
		seen := serverSees(cut)
		if seen == nil {
			if size > 1 { // that many records crypto/tls takes for an attack
				t.Errorf("in records of %d: crypto/tls refuses", size)
			}
		} else if fault := sameAsServer(got, seen); fault != "" {
			t.Errorf("in records of %d: crypto/tls reads %s", size, fault)
		}
	}
}

func TestClients(t *testing.T) {
	large := 0
	for _, c := range flights(t) {
		t.Run(c.name, func(t *testing.T) { checkFlight(t, c.raw, c.want) })
		if len(c.raw) > 1200 {
			large++
		}
		if strings.HasPrefix(c.name, "resumption of TLS 1.3") && !slices.Contains(serverSees(c.raw).Extensions, 41) {
			t.Error("the resuming client sends no pre_shared_key")
		}
	}
	if large < 2 {
		t.Errorf("%d flights with a post-quantum key share, want several", large)
	}
}

// TestOpenSSL reads the first flights of another client.
func TestOpenSSL(t *testing.T) {
	program, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("openssl is not installed")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_ = l.(*net.TCPListener).SetDeadline(time.Now().Add(60 * time.Second))
	for _, c := range []struct {
		name, want string
		args       []string
	}{
		{"defaults", "0304 name=a.example", []string{"-servername", "A.example"}},
		{"no name", "0304 name=", []string{"-noservername"}},
		{"protocols", "0304 name=a.example alpn h2 http/1.1", []string{"-servername", "a.example", "-alpn", "h2,http/1.1"}},
		{"TLS 1.2", "0303 name=a.example", []string{"-servername", "a.example", "-tls1_2"}},
		{"TLS 1.3", "0304 name=a.example", []string{"-servername", "a.example", "-tls1_3"}},
		{"small records", "0304 name=a.example", []string{"-servername", "a.example", "-max_send_frag", "512", "-split_send_frag", "512"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			command := exec.CommandContext(ctx, program, append([]string{"s_client", "-connect", l.Addr().String()}, c.args...)...)
			var output bytes.Buffer
			command.Stdout, command.Stderr = &output, &output
			if err := command.Start(); err != nil {
				t.Fatal(err)
			}
			defer func() { _ = command.Wait() }()
			conn, err := l.Accept()
			if err != nil {
				cancel()
				t.Fatal(err)
			}
			defer conn.Close()
			_ = conn.SetDeadline(time.Now().Add(time.Minute))
			var h clienthello.Hello
			var raw []byte
			st := clienthello.Incomplete
			for st == clienthello.Incomplete {
				piece := make([]byte, 100)
				n, err := conn.Read(piece)
				if err != nil {
					t.Fatalf("after %d bytes: %v", len(raw), err)
				}
				raw = append(raw, piece[:n]...)
				st = clienthello.Parse(&h, raw, clienthello.Limits{})
			}
			if st != clienthello.Done || meaning(&h) != c.want || h.Len != len(raw) {
				t.Errorf("got %s, want %s", describe(&h, st), c.want)
			}
			if seen := serverSees(raw); seen == nil {
				t.Error("crypto/tls refuses")
			} else if fault := sameAsServer(&h, seen); fault != "" {
				t.Errorf("crypto/tls reads %s", fault)
			}
			// An alert in plain text is understood.
			_, _ = conn.Write(clienthello.AppendAlert(nil, clienthello.UnrecognizedName))
			conn.Close()
			_ = command.Wait()
			if !strings.Contains(strings.ToLower(output.String()), "unrecognized name") {
				t.Errorf("openssl says:\n%s", output.String())
			}
		})
	}
}
