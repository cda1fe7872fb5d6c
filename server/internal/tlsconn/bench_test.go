package tlsconn

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/server/internal/tlsconfig"
)

// BenchmarkExchange is a server's part of a small request and its response: one Read, one Append. The
// client's part is prepared outside the clock, in batches.
func BenchmarkExchange(b *testing.B) {
	request, response := make([]byte, 120), make([]byte, 180)
	for _, v := range versions {
		b.Run(v.name, func(b *testing.B) {
			server, client := pair(b, NewHandshakes(Limits{}), serverConfig(v.id), clientConfig(), 0)
			benchmarkReads(b, server, client, request, func(out []byte) []byte {
				out, _ = server.Append(out, response)
				return out
			})
		})
	}
}

// BenchmarkRead decrypts records of one size.
func BenchmarkRead(b *testing.B) {
	for _, size := range []int{100, 1000, 16 << 10} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			server, client := pair(b, NewHandshakes(Limits{}), serverConfig(tls.VersionTLS13), clientConfig(), 0)
			b.SetBytes(int64(size))
			benchmarkReads(b, server, client, make([]byte, size), func(out []byte) []byte { return out })
		})
	}
}

func benchmarkReads(b *testing.B, server, client *end, data []byte, then func([]byte) []byte) {
	const batch = 256
	records := make([][]byte, batch)
	var err error
	p, out := make([]byte, 64<<10), make([]byte, 0, 64<<10)
	b.ReportAllocs()
	b.ResetTimer()
	for i := 0; i < b.N; i++ {
		if i%batch == 0 {
			b.StopTimer()
			for j := range records {
				if records[j], err = client.Append(records[j][:0], data); err != nil {
					b.Fatal(err)
				}
			}
			b.StartTimer()
		}
		n, err := server.Read(p, records[i%batch], false)
		if err != nil || n != len(data) {
			b.Fatal(n, err)
		}
		out = then(out[:0])
	}
}

// BenchmarkAppend encrypts records of one size.
func BenchmarkAppend(b *testing.B) {
	for _, size := range []int{100, 1000, 16 << 10, 64 << 10} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			server, _ := pair(b, NewHandshakes(Limits{}), serverConfig(tls.VersionTLS13), clientConfig(), 0)
			data, out := make([]byte, size), make([]byte, 0, 80<<10)
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				out, _ = server.Append(out[:0], data)
			}
		})
	}
}

func certificate(t testing.TB, kind string) *tls.Certificate {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: kind}, NotAfter: time.Now().Add(time.Hour)}
	pair := &tls.Certificate{}
	var err error
	var public any
	if kind == "RSA 2048" {
		key, e := rsa.GenerateKey(rand.Reader, 2048)
		err, pair.PrivateKey, public = e, key, key.Public()
	} else {
		key, e := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		err, pair.PrivateKey, public = e, key, key.Public()
	}
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, public, pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	pair.Certificate = [][]byte{der}
	if pair.Leaf, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	return pair
}

// BenchmarkHandshake shakes hands with crypto/tls's client on the other side of the same goroutines, and
// reports what the server's part takes: server-us is CPU time of the process while only the server has
// work. 1e6/server-us is handshakes per CPU second.
func BenchmarkHandshake(b *testing.B) {
	for _, kind := range []string{"ECDSA P-256", "RSA 2048"} {
		cert := certificate(b, kind)
		for _, group := range []struct {
			name   string
			curves []tls.CurveID
		}{{"X25519", []tls.CurveID{tls.X25519}}, {"X25519MLKEM768", nil}} {
			for _, v := range versions {
				for _, resume := range []bool{false, true} {
					if v.id == tls.VersionTLS12 && group.curves == nil || resume && kind != "ECDSA P-256" {
						continue
					}
					name := fmt.Sprintf("%s/%s/%s/full", kind, v.name, group.name)
					if resume {
						name = fmt.Sprintf("%s/%s/resumed", v.name, group.name)
					}
					b.Run(name, func(b *testing.B) {
						config := tlsconfig.NewServer(tlsconfig.Settings{MinVersion: v.id, MaxVersion: v.id, Tickets: tlsconfig.NewTickets(time.Hour, 3)}, oneCertificate{cert}, nil).Config()
						c := &tls.Config{InsecureSkipVerify: true, CurvePreferences: group.curves, ServerName: "x"}
						if resume {
							c.ClientSessionCache = tls.NewLRUClientSessionCache(1)
						}
						benchmarkHandshakes(b, config, c, resume)
					})
				}
			}
		}
	}
}

// benchmarkHandshakes measures the server's side alone: each of its phases runs while nothing else does.
func benchmarkHandshakes(b *testing.B, server, client *tls.Config, resume bool) {
	hs := NewHandshakes(Limits{})
	var spent time.Duration
	remote := netip.MustParseAddrPort("192.0.2.1:443")
	p := make([]byte, 4096)
	n := 0
	b.ReportAllocs()
	for b.Loop() {
		q := make(queue, 16)
		s, c := &end{}, &end{}
		c.Conn, _ = hs.Client(Params{Config: client, Remote: remote, Loop: q, Owner: c, Buffers: &c.heap})
		q.run()
		first := c.advance()
		c.progress = 0
		t0 := cpuTime()
		s.Conn, _ = hs.Server(Params{Config: server, Remote: remote, Loop: q, Owner: s, Buffers: &s.heap, Early: first})
		for s.progress == 0 {
			q.run()
		}
		s.progress = 0
		flight := s.advance()
		spent += cpuTime() - t0
		c.Feed(flight, false)
		for c.progress == 0 {
			q.run()
		}
		out := c.advance()
		t0 = cpuTime()
		if !s.done {
			s.Feed(out, false)
			for s.progress == 0 {
				q.run()
			}
			out = s.advance()
			spent += cpuTime() - t0
		}
		if !c.done {
			c.Feed(out, false)
			c.progress = 0
			for c.progress == 0 {
				q.run()
			}
			final := c.advance()
			if !s.done {
				b.Fatal("BUG: the server waits for more")
			}
			out = final
		}
		if s.err != nil || c.err != nil || !s.done || !c.done {
			b.Fatal(s.err, c.err, s.done, c.done)
		}
		// The client takes its ticket.
		if _, err := c.Read(p, out, false); err != nil {
			b.Fatal(err)
		}
		if n++; resume && n > 1 && !s.State().DidResume {
			b.Fatal("not resumed")
		}
	}
	b.ReportMetric(float64(spent.Microseconds())/float64(n), "server-us")
}

// cpuTime is the CPU time of the process so far.
func cpuTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
