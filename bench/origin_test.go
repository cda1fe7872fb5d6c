package main

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// startTestOrigin serves until the test ends and gives the address.
func startTestOrigin(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go serveOrigin(l)
	return l.Addr().String()
}

// The origin as net/http's client sees it; the checks are those that proxies have to pass.
func TestOrigin(t *testing.T) {
	c := client{wire: Wire{H2: true}, addr: startTestOrigin(t), host: benchHost}
	if _, got, err := c.do(http.MethodGet, "/", nil, nil); err != nil || string(got) != smallAnswer+"\n" {
		t.Errorf("small answer: %q, %v", got, err)
	}
	if err := unaryWorks(c, unaryMethod); err != nil {
		t.Error(err)
	}
	if err := echoWorks(c, echoMethod); err != nil {
		t.Error(err)
	}
	if err := unaryWorks(c, "/bench.Bench/None"); err == nil {
		t.Error("a method that does not exist works")
	}
	header := http.Header{
		"X-Forwarded-For": {"127.0.0.1"}, "X-Forwarded-Proto": {"http"}, "X-Forwarded-Host": {benchHost},
		"X-Forwarded-Port": {"81"}, "X-Real-Ip": {"127.0.0.1"}, "X-Request-Id": {strings.Repeat("a", 20000)}, // more than one frame
	}
	_, got, err := c.do(http.MethodGet, "/forwarded", header, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := checkForwarded(string(got), "http", benchHost, "127.0.0.1:81"); err != nil {
		t.Error(err)
	}
}

// A client of another protocol than the one asked for is not content.
func TestClientWantsItsProtocol(t *testing.T) {
	addr := startTestOrigin(t)
	if _, _, err := (client{addr: addr, host: benchHost}).do(http.MethodGet, "/", nil, nil); err == nil {
		t.Error("HTTP/1.1 of a server for HTTP/2")
	}
	if _, _, err := (client{wire: Wire{TLS: true}, addr: addr, host: benchHost}).do(http.MethodGet, "/", nil, nil); err == nil {
		t.Error("TLS of a server in clear text")
	}
}

// With windows of 40 bytes the answer comes in pieces, each when there is room, and whole.
func TestOriginKeepsWindows(t *testing.T) {
	conn, err := net.Dial("tcp", startTestOrigin(t))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(time.Minute))
	io.WriteString(conn, http2.ClientPreface)
	f := http2.NewFramer(conn, conn)
	f.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 40})
	var block bytes.Buffer
	e := hpack.NewEncoder(&block)
	for _, field := range [][2]string{{":method", "POST"}, {":scheme", "http"}, {":path", unaryMethod}, {":authority", benchHost}} {
		e.WriteField(hpack.HeaderField{Name: field[0], Value: field[1]})
	}
	f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block.Bytes(), EndHeaders: true})
	f.WriteData(1, true, unaryRequest)

	var got []byte
	window, blocks := 40, 0
	for {
		frame, err := f.ReadFrame()
		if err != nil {
			t.Fatalf("after %d bytes: %v", len(got), err)
		}
		switch frame := frame.(type) {
		case *http2.DataFrame:
			if window -= len(frame.Data()); window < 0 {
				t.Fatalf("%d bytes more than the window", -window)
			}
			got = append(got, frame.Data()...)
			if window == 0 {
				window = 40
				f.WriteWindowUpdate(1, 40)
			}
		case *http2.HeadersFrame:
			if blocks++; !frame.StreamEnded() {
				continue
			}
			if blocks != 2 || !bytes.Equal(got, unaryAnswer) {
				t.Errorf("%d header blocks, %d bytes", blocks, len(got))
			}
			return
		}
	}
}

func TestGRPCMessages(t *testing.T) {
	for _, m := range [][]byte{unaryRequest, unaryAnswer} {
		protobuf := m[5:]
		if m[0] != 0 || int(m[4]) != len(protobuf) || int(protobuf[1]) != len(protobuf)-2 {
			t.Errorf("lengths do not fit in % x", m[:7])
		}
	}
}
