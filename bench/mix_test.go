package main

import (
	"bytes"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func startTestOrigin1(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go serveOrigin1(l)
	return l.Addr().String()
}

// The origin that takes bodies as net/http's client sees it.
func TestOrigin1(t *testing.T) {
	c := client{addr: startTestOrigin1(t), host: benchHost}
	for path, want := range map[string][]byte{"/": []byte(smallAnswer + "\n"), "/16k": body(16 << 10), "/1m": body(1 << 20)} {
		if _, got, err := c.do(http.MethodGet, path, nil, nil); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %d bytes, %v, want %d", path, len(got), err, len(want))
		}
	}
	if _, _, err := c.do(http.MethodGet, "/nothing", nil, nil); err == nil {
		t.Error("a path that does not exist is answered")
	}
	const check = "9 bytes, CRC-32 cbf43926\n" // the check value of this CRC
	if _, got, err := c.do(http.MethodPost, "/", nil, strings.NewReader("123456789")); err != nil || string(got) != check {
		t.Errorf("POST: %q, %v", got, err)
	}
	// A reader of unknown length is sent in chunks.
	if _, got, err := c.do(http.MethodPost, "/", nil, struct{ *bytes.Reader }{bytes.NewReader([]byte("123456789"))}); err != nil || string(got) != check {
		t.Errorf("POST in chunks: %q, %v", got, err)
	}
	header := http.Header{
		"X-Forwarded-For": {"127.0.0.1"}, "X-Forwarded-Proto": {"http"}, "X-Forwarded-Host": {benchHost},
		"X-Forwarded-Port": {"81"}, "X-Real-Ip": {"127.0.0.1"}, "X-Request-Id": {"a"},
	}
	_, got, err := c.do(http.MethodGet, "/forwarded", header, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := checkForwarded(string(got), "http", benchHost, "127.0.0.1:81"); err != nil {
		t.Error(err)
	}
}

// Connections are kept, in chunks and not: the next request begins where the body has ended.
func TestOrigin1KeepsConnections(t *testing.T) {
	conn, err := net.Dial("tcp", startTestOrigin1(t))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(time.Minute))
	const chunked = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n1234\r\n5\r\n56789\r\n0\r\n\r\n"
	const plain = "POST / HTTP/1.1\r\nHost: a\r\ncontent-length: 9\r\n\r\n123456789"
	for _, request := range []string{chunked, plain, chunked} {
		if _, err := conn.Write([]byte(request)); err != nil {
			t.Fatal(err)
		}
		var got []byte
		for {
			b := make([]byte, 1000)
			n, err := conn.Read(b)
			if got = append(got, b[:n]...); err != nil {
				t.Fatalf("%q: %v", got, err)
			}
			if size, err := answerLength(got); err != nil || size > 0 && len(got) >= size {
				break
			}
		}
		if !bytes.HasSuffix(got, []byte("\r\n\r\n9 bytes, CRC-32 cbf43926\n")) {
			t.Fatalf("%q", got)
		}
	}
}

// The parts come as often as their weights say, in an order that does not change.
func TestOrder(t *testing.T) {
	mix := []part{{Weight: 70}, {Weight: 15}, {Weight: 1}, {Weight: 10}, {Weight: 4}}
	all := order(mix)
	if len(all) != 1000 || !slices.Equal(all, order(mix)) || slices.IsSorted(all) {
		t.Fatalf("%d requests", len(all))
	}
	for i, p := range mix {
		n := 0
		for _, j := range all {
			if i == j {
				n++
			}
		}
		if n != 10*p.Weight {
			t.Errorf("part %d comes %d times, want %d", i, n, 10*p.Weight)
		}
	}
	if order(nil) != nil || order([]part{{Weight: 0}}) != nil {
		t.Error("an order of nothing")
	}
}

func TestMixFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mix.json")
	mix := []part{{Weight: 1, Path: "/", Answer: 10}, {Weight: 2, Path: "/a", Post: 5, Close: true, Answer: -1}}
	if err := writeMix(path, mix); err != nil {
		t.Fatal(err)
	}
	if got, err := readMix(path); err != nil || !slices.Equal(got, mix) {
		t.Errorf("%+v, %v", got, err)
	}
	for _, bad := range []string{"", "[]", `[{"weight":0,"path":"/"}]`, `[{"weight":1}]`, `[{"weight":1,"path":"/","post":-1}]`} {
		if err := os.WriteFile(path, []byte(bad), 0o644); err != nil {
			t.Fatal(err)
		}
		if got, err := readMix(path); err == nil {
			t.Errorf("%q is read as %+v", bad, got)
		}
	}
}

func TestPartOnTheWire(t *testing.T) {
	tests := []struct {
		part part
		want string
	}{
		{part{Path: "/a"}, "GET /a HTTP/1.1\r\nHost: h\r\n\r\n"},
		{part{Path: "/", Close: true}, "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"},
		{part{Path: "/", Post: 3}, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\n012"},
	}
	for _, tt := range tests {
		if got := string(tt.part.wire("h")); got != tt.want {
			t.Errorf("%+v: %q", tt.part, got)
		}
	}
}

// Every part of the case arrives whole and is answered whole, however large, by a generator that is not held back.
func TestGeneratorMakesTheMix(t *testing.T) {
	addr := startTestOrigin1(t)
	c, err := selectCases("mixed")
	if err != nil {
		t.Fatal(err)
	}
	g := &rig{addr: addr, script: filepath.Join(t.TempDir(), "s.lua")}
	from := client{addr: addr, host: benchHost}
	c[0].Mix = append(slices.Clone(c[0].Mix), part{Weight: 1, Post: 1 << 20, Path: "/"})
	if err := g.expect(c[0], from, from, ""); err != nil {
		t.Fatal(err)
	}
	mix, err := readMix(g.mix)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []int{len(smallAnswer) + 1, 16 << 10, 1 << 20} {
		if mix[i].Answer != want {
			t.Errorf("part %d: answers of %d bytes are expected, want %d", i, mix[i].Answer, want)
		}
	}
	load, err := newGenerator(addr, benchHost, mix, 4)
	if err != nil {
		t.Fatal(err)
	}
	defer load.close()
	r, err := load.run(0, 0, 200*time.Millisecond)
	if err != nil || r.Errors != 0 || r.Requests == 0 || r.Requests != load.sent || r.RPS <= 0 {
		t.Errorf("%+v, %v; %d sent", r, err, load.sent)
	}
	if err := sameMix(mix, from, from); err != nil {
		t.Error(err)
	}
}

// An answer of another length, or one that comes before the request has been sent, is an error with its reason.
func TestGeneratorChecksAnswers(t *testing.T) {
	addr := startTestOrigin1(t)
	early, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer early.Close()
	go func() {
		for {
			conn, err := early.Accept()
			if err != nil {
				return
			}
			conn.Write([]byte("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno"))
			t.Cleanup(func() { conn.Close() })
		}
	}()
	tests := []struct {
		name, addr string
		mix        []part
		reason     string
	}{
		{"another length", addr, []part{{Weight: 1, Path: "/16k", Answer: 16<<10 - 1}}, "a body of 16384 bytes, want 16383"},
		{"another status", addr, []part{{Weight: 1, Path: "/nothing", Answer: -1}}, "404"},
		{"too early", early.Addr().String(), []part{{Weight: 1, Path: "/", Post: 64 << 20, Answer: -1}}, "before the request was sent"},
		{"too much", early.Addr().String(), []part{{Weight: 1, Path: "/", Answer: 1}}, "a body of 2 bytes"},
	}
	for _, tt := range tests {
		g, err := newGenerator(tt.addr, benchHost, tt.mix, 1)
		if err != nil {
			t.Fatal(err)
		}
		r, err := g.run(20, 0, 100*time.Millisecond)
		g.close()
		if err != nil || r.Errors == 0 || r.Requests != 0 || !strings.Contains(r.Reason, tt.reason) {
			t.Errorf("%s: %+v, %v", tt.name, r, err)
		}
	}
}

// What arrives changed is no equal work.
func TestSameMixSeesADifference(t *testing.T) {
	origin := client{addr: startTestOrigin1(t), host: benchHost}
	proxy := client{addr: startTestOrigin(t), wire: Wire{H2: true}, host: benchHost}
	if err := sameMix([]part{{Weight: 1, Path: "/"}}, origin, proxy); err != nil {
		t.Error(err)
	}
	if err := sameMix([]part{{Weight: 1, Path: "/", Post: 10}}, origin, proxy); err == nil {
		t.Error("the other origin does not read bodies")
	}
}

// wireSize is what wrk will read of one answer.
func TestWireSize(t *testing.T) {
	addr := startTestOrigin1(t)
	c := client{addr: addr, host: benchHost}
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(time.Minute))
	conn.Write(part{Path: "/"}.wire(benchHost))
	whole := make([]byte, 1000)
	n, err := conn.Read(whole)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := wireSize(c, "/", []string{"Connection: close"}); err != nil || got != n {
		t.Errorf("%d, %v, want %d", got, err, n)
	}
	if _, err := wireSize(c, "/nothing", nil); err == nil {
		t.Error("an answer with status 404 has a size")
	}
}
