package main

import (
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestParseWrk(t *testing.T) {
	w, err := parseWrk("Running 1s test\n\nSLUICE-BENCH {\"requests\":100,\"duration_us\":2000000,\"connect\":1,\"read\":2,\"write\":3,\"status\":4,\"timeout\":5,\"p50_us\":6,\"p99_us\":7}\nbye\n")
	if err != nil || w.Requests != 100 || w.DurationUS != 2_000_000 || w.errors() != 15 || w.P99US != 7 {
		t.Errorf("parseWrk = %+v, %v", w, err)
	}
	if _, err := parseWrk("unable to connect"); err == nil {
		t.Error("parseWrk accepted an output without a summary")
	}
}

// The bytes that wrk has read are held against its answers.
func TestReadWrk(t *testing.T) {
	const output = "SLUICE-BENCH {\"requests\":100,\"duration_us\":2000000,\"bytes\":%d,\"status\":1}\n"
	tests := []struct {
		bytes, errors int64
	}{
		{30000, 1},
		{30500, 1}, // answers that were cut off at the end
		{29999, 2},
		{29000, 5}, // answers without their body
	}
	for _, tt := range tests {
		got, err := readWrk(strings.Replace(output, "%d", strconv.FormatInt(tt.bytes, 10), 1), 300)
		if err != nil || got.Requests != 100 || got.Errors != tt.errors || got.Seconds != 2 || (got.Reason != "") != (tt.errors > 1) {
			t.Errorf("%d bytes: %+v, %v", tt.bytes, got, err)
		}
	}
	if _, err := readWrk("unable to connect", 300); err == nil {
		t.Error("an output without a summary is read")
	}
}

func TestWrkArgs(t *testing.T) {
	c := Case{Conns: 64, Headers: []string{"Connection: close"}}
	got := strings.Join(wrkArgs(c, "s.lua", "http://x/", 1500*time.Millisecond), " ")
	if want := "wrk -t1 -c 64 -d 2s -s s.lua -H Host: bench.test -H Connection: close http://x/"; got != want {
		t.Errorf("wrkArgs = %s", got)
	}
}

// The output of h2load 1.52, without its progress.
const h2loadOutput = `TLS Protocol: TLSv1.3
Cipher: TLS_AES_128_GCM_SHA256
Server Temp Key: X25519 253 bits
Application protocol: h2

finished in 2.00s, 50.00 req/s, 6.82MB/s
requests: 100 total, 104 started, 100 done, 100 succeeded, 0 failed, 0 errored, 0 timeout
status codes: 100 2xx, 0 3xx, 0 4xx, 0 5xx
traffic: 6.82MB (7146989) total, 1.59MB (1666305) headers (space savings 51.61%), 4.59MB (1005) data
`

func TestParseH2load(t *testing.T) {
	c := Case{Down: Wire{TLS: true, H2: true}}
	tests := []struct {
		name, from, to   string
		requests, errors int64
		ok               bool
	}{
		{"good", "", "", 100, 0, true},
		{"an answer of another status", "100 succeeded, 0 failed", "98 succeeded, 2 failed", 98, 2, true},
		{"answers without their body", "(1005) data", "(955) data", 100, 5, true},
		{"another cipher", "AES_128", "AES_256", 0, 0, false},
		{"another version", "TLSv1.3", "TLSv1.2", 0, 0, false},
		{"another protocol", "protocol: h2\n", "protocol: http/1.1\n", 0, 0, false},
		{"no summary", "finished", "gave up", 0, 0, false},
		{"no requests", "requests:", "asked:", 0, 0, false},
		{"no traffic", "traffic:", "bytes:", 0, 0, false},
	}
	for _, tt := range tests {
		got, err := parseH2load(c, strings.Replace(h2loadOutput, tt.from, tt.to, 1), 10)
		if got.Requests != tt.requests || got.Errors != tt.errors || (err == nil) != tt.ok {
			t.Errorf("%s: %+v, %v", tt.name, got, err)
		}
		if tt.ok && (got.Reason != "") != (tt.requests == 100 && tt.errors > 0) {
			t.Errorf("%s: reason %q", tt.name, got.Reason)
		}
	}
	if got, _ := parseH2load(c, h2loadOutput, 10); got.Seconds != 2 {
		t.Errorf("%v seconds, want 2", got.Seconds)
	}
}

func TestLoadCommands(t *testing.T) {
	g := &rig{addr: "127.0.0.1:1", script: "s.lua", body: "message", cert: "tls.crt", mix: "mix.json"}
	tests := []struct{ id, want string }{
		{"tls64", "wrk -t1 -c 64 -d 2s -s s.lua -H Host: bench.test https://bench.test:1/"},
		{"h2c", "h2load -t1 -c 8 -m 16 -D 1500ms --connect-to 127.0.0.1:1 http://bench.test/"},
		{"h2tls", "h2load -t1 -c 8 -m 16 -D 1500ms --connect-to 127.0.0.1:1 https://bench.test/"},
		{"grpc", "h2load -t1 -c 8 -m 16 -D 1500ms --connect-to 127.0.0.1:1 -H content-type: application/grpc -H te: trailers -d message http://bench.test/bench.Bench/Unary"},
		{"grpcdeadline", "h2load -t1 -c 8 -m 16 -D 1500ms --connect-to 127.0.0.1:1 -H content-type: application/grpc -H te: trailers -H grpc-timeout: 9998346u -d message http://bench.test/bench.Bench/Unary"},
		{"grpcstream", "stream -addr 127.0.0.1:1 -host bench.test -conns 8 -streams 16 -duration 1.5s"},
		{"conns1000", "wrk -t1 -c 1000 -d 2s -s s.lua -H Host: bench.test http://127.0.0.1:1/"},
		{"post1m", "load -addr 127.0.0.1:1 -host bench.test -requests mix.json -rate 0 -conns 64 -warmup 0s -duration 1.5s"},
		{"mixed", "load -addr 127.0.0.1:1 -host bench.test -requests mix.json -rate 0 -conns 64 -warmup 0s -duration 1.5s"},
		{"resumed", "handshake -addr 127.0.0.1:1 -cert tls.crt -path / -conns 32 -resume=true -duration 1.5s"},
	}
	for _, tt := range tests {
		c, err := selectCases(tt.id)
		if err != nil {
			t.Fatal(err)
		}
		g := *g
		if c[0].Call != callUnary {
			g.body = "" // as start leaves it
		}
		if got := strings.Join(c[0].tool().args(c[0], &g, 1500*time.Millisecond), " "); got != tt.want {
			t.Errorf("%s: %s", tt.id, got)
		}
	}
	if got := needs(cases); !slices.Equal(got, []string{"wrk", "h2load"}) {
		t.Errorf("needs of all cases = %v", got)
	}
	if got, _ := selectCases("post1k,mixed"); len(needs(got)) != 0 {
		t.Errorf("needs of post1k and mixed = %v", needs(got))
	}
	if got, _ := selectCases("h2c,resumed"); !slices.Equal(needs(got), []string{"h2load"}) {
		t.Errorf("needs of h2c and resumed = %v", needs(got))
	}
}

func TestParseMicro(t *testing.T) {
	got := parseMicro("goos: linux\npkg: example.com/a/routing\nBenchmarkMatch/10-2 \t 1000\t 41.5 ns/op\t 0 B/op\t 0 allocs/op\nBenchmarkOdd\nPASS\nok x 1s\n")
	if len(got) != 1 || got[0].Package != "routing" || got[0].Name != "Match/10-2" || got[0].N != 1000 || got[0].Values["ns/op"] != 41.5 {
		t.Errorf("parseMicro = %+v", got)
	}
}

func TestAnswerLength(t *testing.T) {
	tests := []struct {
		in   string
		want int
		ok   bool
	}{
		{"HTTP/1.1 200 OK\r\nContent-Le", 0, true},
		{"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", 43, true},
		{"HTTP/1.1 200 OK\r\nA: b\r\ncontent-length:3 \r\n\r\nab", 47, true},
		{"HTTP/1.1 503 No\r\nContent-Length: 5\r\n\r\n", 0, false},
		{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", 0, false},
		{"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", 0, false},
	}
	for _, tt := range tests {
		got, err := answerLength([]byte(tt.in))
		if got != tt.want || (err == nil) != tt.ok {
			t.Errorf("answerLength(%q) = %d, %v, want %d", tt.in, got, err, tt.want)
		}
	}
}

func TestCheckForwarded(t *testing.T) {
	full := "X-Forwarded-For=127.0.0.1\nX-Forwarded-Proto=http\nX-Forwarded-Host=bench.test\nX-Forwarded-Port=81\nX-Real-IP=127.0.0.1\nX-Request-ID=abc\nHost=bench.test\n"
	if err := checkForwarded(full, "http", benchHost, "127.0.0.1:81"); err != nil {
		t.Error(err)
	}
	for from, to := range map[string]string{
		"ID=abc": "ID=", "Proto=http": "Proto=https", "Port=81": "Port=80", "X-Real-IP=127.0.0.1\n": "", "Host=bench.test\n": "Host=other\n",
	} {
		if checkForwarded(strings.ReplaceAll(full, from, to), "http", benchHost, "127.0.0.1:81") == nil {
			t.Errorf("checkForwarded accepted %q for %q", to, from)
		}
	}
	for more, ok := range map[string]bool{"Grpc-Timeout=9S\n": true, "Grpc-Timeout=\n": false, "": false} {
		if err := checkForwarded(full+more, "http", benchHost, "127.0.0.1:81", "Grpc-Timeout"); (err == nil) != ok {
			t.Errorf("checkForwarded of a deadline %q: %v", more, err)
		}
	}
}

func TestSelect(t *testing.T) {
	got, err := selectCases("newconn, small64")
	if err != nil || len(got) != 2 || got[0].ID != "small64" {
		t.Errorf("selectCases = %v, %v", got, err)
	}
	if _, err := selectCases("small65"); err == nil {
		t.Error("selectCases accepted an unknown case")
	}
	ids := caseIDs()
	slices.Sort(ids)
	if len(slices.Compact(ids)) != len(cases) {
		t.Error("two cases have the same ID")
	}
	for _, b := range bars {
		if _, err := selectCases(b.Case); err != nil {
			t.Error(err)
		}
	}
}
