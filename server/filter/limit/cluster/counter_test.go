package cluster

import (
	"context"
	"crypto/tls"
	"encoding/pem"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/server/filter/limit"
)

// patience is what tests wait where they expect an answer.
const patience = 20 * time.Second

// startServer starts a redis-server on a Unix socket of its own, with more lines of configuration, and returns its address.
func startServer(t *testing.T, lines ...string) string {
	t.Helper()
	program, err := exec.LookPath("redis-server")
	if err != nil {
		t.Skip("redis-server is not installed:", err)
	}
	dir := t.TempDir()
	socket := filepath.Join(dir, "s")
	file := filepath.Join(dir, "conf")
	text := strings.Join(append(lines, "port 0", "unixsocket "+socket, "save \"\"", "dir "+dir, ""), "\n")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, file)
	var out strings.Builder
	cmd.Stdout = &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(ended)
	}()
	t.Cleanup(func() { _ = cmd.Process.Kill(); <-ended })
	giveUp := time.After(patience)
	for {
		if c, err := net.Dial("unix", socket); err == nil {
			c.Close()
			return socket
		}
		select {
		case <-ended:
			t.Fatal("redis-server ended: ", out.String())
		case <-giveUp:
			t.Fatal("redis-server does not listen")
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func newCounter(t *testing.T, o Options) *Counter {
	t.Helper()
	if o.Timeout == 0 {
		o.Timeout = patience
	}
	if o.Connections == 0 {
		o.Connections = 8
	}
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func (c *Counter) mustCount(t *testing.T, key string, rates ...limit.Rate) ([]int64, bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	excess, within, err := c.Count(ctx, key, rates)
	if err != nil {
		t.Fatal(err)
	}
	return excess, within
}

// TestScriptIsNginx: the same decisions as nginx' limit_req, for random rates, bursts and times.
func TestScriptIsNginx(t *testing.T) {
	c := newCounter(t, Options{Address: startServer(t), Prefix: "test:"})
	now := int64(1)
	c.clock = func() int64 { return now }
	r := rand.New(rand.NewPCG(3, 4))
	for round := range 20 {
		rate := limit.Rate{PerSecond: 1 + r.Int64N(1<<r.IntN(20)), Burst: 1000 * r.Int64N(20)}
		known, excess, last := false, int64(0), int64(0)
		for i := range 100 {
			now += r.Int64N(2) * r.Int64N(1<<r.IntN(12))
			want, wantWithin := int64(0), true
			if elapsed := max(now-last, 0); known {
				left := excess - rate.PerSecond*elapsed/1000
				if want = max(left+1000, 0); want > rate.Burst {
					want, wantWithin = max(left, 0), false
				} else {
					excess = want
					if elapsed > 0 {
						last = now
					}
				}
			} else {
				known, last = true, now
			}
			got, within := c.mustCount(t, fmt.Sprint("client ", round), rate)
			if within != wantWithin || got[0] != want {
				t.Fatalf("%+v, request %d: %v %v, want %d %v", rate, i, got, within, want, wantWithin)
			}
		}
	}
}

// TestTwoRates: a request that one of them refuses is counted by neither.
func TestTwoRates(t *testing.T) {
	c := newCounter(t, Options{Address: startServer(t)})
	c.clock = func() int64 { return 1000 }
	wide, narrow := limit.Rate{PerSecond: 1000, Burst: 9000}, limit.Rate{PerSecond: 16, Burst: 2000}
	for i, want := range []bool{true, true, true, false, false} {
		excess, within := c.mustCount(t, "a", wide, narrow)
		if n := int64(min(i, 2)) * 1000; within != want || excess[0] != n || excess[1] != n {
			t.Errorf("request %d: %v %v", i, excess, within)
		}
	}
	if _, within := c.mustCount(t, "b", wide, narrow); !within {
		t.Error("another client is refused")
	}
}

// TestManyGateways: what several of them count at once is one count, by the server's clock; what has leaked out expires.
func TestManyGateways(t *testing.T) {
	address := startServer(t)
	rate := limit.Rate{PerSecond: 1, Burst: 49_000} // a thousandth of a request a second
	var passed atomic.Int64
	var all sync.WaitGroup
	for range 4 {
		c := newCounter(t, Options{Address: address})
		for range 4 {
			all.Go(func() {
				for range 20 {
					if _, within := c.mustCount(t, "a", rate); within {
						passed.Add(1)
					}
				}
			})
		}
	}
	all.Wait()
	if n := passed.Load(); n != 50 {
		t.Errorf("%d pass, want 50", n)
	}
	c := newCounter(t, Options{Address: address, Prefix: "x:"})
	c.mustCount(t, "b", limit.Rate{PerSecond: 1000, Burst: 1000})
	life, err := c.client.PTTL(context.Background(), "x:{b} 0").Result()
	if err != nil || life <= 0 || life > 2*time.Second {
		t.Errorf("a key lives for %v: %v", life, err)
	}
	if err := c.client.ScriptFlush(context.Background()).Err(); err != nil {
		t.Fatal(err)
	}
	c.mustCount(t, "b", rate) // of a server that was started anew
}

// TestForeignKeys: what somebody else has written under a key is no count.
func TestForeignKeys(t *testing.T) {
	c := newCounter(t, Options{Address: startServer(t)})
	rate := limit.Rate{PerSecond: 1000, Burst: 1000}
	for i, value := range []string{"", "x", "1", "-1 5", "1 5 6", "1e9 5", "99999999999999999999999 1"} {
		key := fmt.Sprint("k", i)
		if err := c.client.Set(context.Background(), "{"+key+"} 0", value, 0).Err(); err != nil {
			t.Fatal(err)
		}
		c.mustCount(t, key, rate)
	}
	if err := c.client.LPush(context.Background(), "{list} 0", "x").Err(); err != nil {
		t.Fatal(err)
	}
	if _, _, err := c.Count(context.Background(), "list", []limit.Rate{rate}); err == nil {
		t.Error("a list is a count")
	}
}

// TestCredentials: of a file that is read for each connection.
func TestCredentials(t *testing.T) {
	address := startServer(t, "requirepass secret", "user gateway on >other ~* +eval +evalsha +get +set +time")
	file := filepath.Join(t.TempDir(), "credentials")
	rate := limit.Rate{PerSecond: 1000, Burst: 1000}
	for _, row := range []struct {
		text string
		ok   bool
	}{
		{"secret\n", true}, {"secret", true}, {"gateway\nother\n", true}, {"gateway\r\nother\r\n", true},
		{"wrong", false}, {"gateway\nsecret", false}, {"", false}, {"a\nb\nc", false},
	} {
		if err := os.WriteFile(file, []byte(row.text), 0o600); err != nil {
			t.Fatal(err)
		}
		c := newCounter(t, Options{Address: address, Credentials: file})
		_, _, err := c.Count(context.Background(), "a", []limit.Rate{rate})
		if (err == nil) != row.ok {
			t.Errorf("%q: %v", row.text, err)
		}
		if err != nil && (strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "other")) {
			t.Errorf("the error shows the password: %v", err)
		}
	}
	c := newCounter(t, Options{Address: address, Credentials: file + "x"})
	if _, _, err := c.Count(context.Background(), "a", []limit.Rate{rate}); err == nil {
		t.Error("a missing file is none")
	}
	if err := os.WriteFile(file+"x", []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	c.mustCount(t, "a", rate)
}

// TestTLS: the certificate is verified, by the host and by the authorities that are configured.
func TestTLS(t *testing.T) {
	address := startServer(t)
	pair := httptest.NewUnstartedServer(nil)
	pair.StartTLS()
	defer pair.Close()
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: pair.TLS.Certificates})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				to, err := net.Dial("unix", address)
				if err != nil {
					return
				}
				defer to.Close()
				go func() { _, _ = io.Copy(to, c) }()
				_, _ = io.Copy(c, to)
			}()
		}
	}()
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: pair.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	rate := limit.Rate{PerSecond: 1000, Burst: 1000}
	newCounter(t, Options{Address: l.Addr().String(), TLS: true, Authorities: file}).mustCount(t, "a", rate)
	_, port, _ := net.SplitHostPort(l.Addr().String())
	for name, o := range map[string]Options{
		"the system's authorities": {Address: l.Addr().String(), TLS: true},
		"another name":             {Address: "localhost:" + port, TLS: true, Authorities: file},
		"no TLS":                   {Address: l.Addr().String(), Timeout: 200 * time.Millisecond},
	} {
		if _, _, err := newCounter(t, o).Count(context.Background(), "a", []limit.Rate{rate}); err == nil {
			t.Errorf("%s: it is believed", name)
		}
	}
	for _, o := range []Options{{Address: "x:1", TLS: true, Authorities: file + "x"}, {Address: "x", TLS: true}} {
		if _, err := New(o); err == nil {
			t.Errorf("%+v is taken", o)
		}
	}
}

// TestHostileServers: whatever answers, a question ends by its deadline, without the memory that an answer announces.
func TestHostileServers(t *testing.T) {
	hello := "*0\r\n"
	for name, answer := range map[string]func(c net.Conn){
		"closed":             func(c net.Conn) { c.Close() },
		"silent":             func(net.Conn) {},
		"HTTP":               say("HTTP/1.1 400 Bad Request\r\n\r\n"),
		"a huge text":        say("$2000000000\r\n"),
		"a huge list":        say("*2000000000\r\n"),
		"a huge map":         say("%2000000000\r\n"),
		"many lists":         say(strings.Repeat("*16000\r\n", 2000)),
		"deep lists":         say(strings.Repeat("*1\r\n", 200_000)),
		"an endless text":    endless("+" + strings.Repeat("x", 1000)),
		"endless answers":    endless(":1\r\n"),
		"pushes":             endless(">1\r\n+x\r\n"),
		"no numbers":         say(hello, "*2\r\n+a\r\n+b\r\n"),
		"too few":            say(hello, "*1\r\n:1\r\n"),
		"too many":           say(hello, "*3\r\n:1\r\n:1\r\n:1\r\n"),
		"no verdict":         say(hello, "*2\r\n:7\r\n:0\r\n"),
		"a negative excess":  say(hello, "*2\r\n:1\r\n:-5\r\n"),
		"a number too large": say(hello, "*2\r\n:1\r\n:99999999999999999999\r\n"),
		"nothing":            say(hello, "$-1\r\n"),
		"an error":           say(hello, "-ERR no\r\n"),
		"busy":               say(hello, "-LOADING wait\r\n"),
		"moved":              say(hello, "-MOVED 1 127.0.0.1:1\r\n"),
	} {
		t.Run(name, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			go func() {
				for {
					c, err := l.Accept()
					if err != nil {
						return
					}
					defer c.Close()
					go answer(c)
				}
			}()
			c := newCounter(t, Options{Address: l.Addr().String(), Timeout: 200 * time.Millisecond})
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			begun := time.Now()
			for range 3 {
				ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
				if excess, within, err := c.Count(ctx, "a", []limit.Rate{{PerSecond: 1, Burst: 1}}); err == nil {
					t.Errorf("it is believed: %v %v", excess, within)
				}
				cancel()
			}
			if took := time.Since(begun); took > patience {
				t.Errorf("it took %v", took)
			}
			runtime.ReadMemStats(&after)
			if grown := after.TotalAlloc - before.TotalAlloc; grown > 64<<20 {
				t.Errorf("%d MiB were allocated", grown>>20)
			}
		})
	}
}

// say answers each read with the next text, and then no more.
func say(texts ...string) func(net.Conn) {
	return func(c net.Conn) {
		b := make([]byte, 64<<10)
		for _, text := range texts {
			if _, err := c.Read(b); err != nil {
				return
			}
			if _, err := io.WriteString(c, text); err != nil {
				return
			}
		}
		_, _ = io.Copy(io.Discard, c)
	}
}

func endless(text string) func(net.Conn) {
	return func(c net.Conn) {
		for {
			if _, err := io.WriteString(c, text); err != nil {
				return
			}
		}
	}
}

// FuzzBound: an answer is cut at the first length that is too large, whatever the pieces that it comes in.
func FuzzBound(f *testing.F) {
	f.Add([]byte("*2\r\n:1\r\n:0\r\n"), 3)
	f.Add([]byte("$16385\r\n"), 1)
	f.Add([]byte("%100\r\n*16000\r\n*1000\r\n"), 2)
	f.Add([]byte("+999999\r\n-999999\r\n:999999\r\n$-1\r\n"), 5)
	f.Fuzz(func(t *testing.T, text []byte, size int) {
		size = max(size&0xff, 1)
		whole := (&bound{}).scan(text)
		var b bound
		pieces := true
		for rest := text; len(rest) > 0 && pieces; {
			n := min(size, len(rest))
			pieces = b.scan(rest[:n])
			rest = rest[n:]
		}
		if whole != pieces {
			t.Fatalf("%q: whole %v, in pieces of %d %v", text, whole, size, pieces)
		}
	})
}
