package server

import (
	"bytes"
	"io"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/routing"
	"github.com/sluice-gateway/sluice/server/config"
)

// A source that pauses within a body is passed on as it comes: the client gets all that was sent
// before the pause, while the pause lasts.
func TestSpliceOfATrickle(t *testing.T) {
	const total, pause = 3 << 20, 200_000
	more := make(chan struct{})
	app := backend(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", strconv.Itoa(total))
		w.Write(bytes.Repeat([]byte("a"), pause))
		w.(http.Flusher).Flush()
		<-more
		for range 10 { // smaller than any low-water mark
			w.Write([]byte("b"))
			w.(http.Flusher).Flush()
			<-more
		}
		w.Write(bytes.Repeat([]byte("c"), total-pause-10))
	})
	g := newGateway(t, nil, Options{})
	g.serve(nil, app)
	resp, err := http.Get("http://" + g.addr + "/")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b := make([]byte, total)
	read := func(n int) {
		t.Helper()
		begun := time.Now()
		if _, err := io.ReadFull(resp.Body, b[:n]); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(begun); took > 5*time.Second {
			t.Fatalf("%d bytes that were sent took %v", n, took)
		}
		more <- struct{}{}
	}
	read(pause)
	begun := time.Now()
	for range 10 {
		read(1)
	}
	// Told that more follows, the kernel holds each byte back for 200 ms.
	if took := time.Since(begun); took > 1500*time.Millisecond {
		t.Errorf("ten bytes, each sent alone, took %v", took)
	}
	if rest, err := io.ReadAll(resp.Body); err != nil || len(rest) != total-pause-10 {
		t.Errorf("rest: %d bytes, %v", len(rest), err)
	}
}

// What was asked of a connection for a large body must not hold back what follows on it: small answers
// on the same connections, both for downloads and uploads.
func TestSmallAfterSplice(t *testing.T) {
	var peers []string
	app := backend(t, func(w http.ResponseWriter, r *http.Request) {
		peers = append(peers, r.RemoteAddr)
		n, _ := strconv.Atoi(r.URL.Query().Get("n"))
		io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Length", strconv.Itoa(n))
		for n > 0 { // in pieces, so that the gateway has to wait in between
			k := min(n, 50_000)
			w.Write(make([]byte, k))
			w.(http.Flusher).Flush()
			n -= k
		}
	})
	g := newGateway(t, func(c *config.Config) { c.Threads = 1 }, Options{})
	g.serve(&routing.Policy{MaxBodyBytes: -1}, app)
	client := &http.Client{Transport: &http.Transport{MaxConnsPerHost: 1}}
	defer client.CloseIdleConnections()
	begun := time.Now()
	for range 5 {
		for _, n := range []int{2 << 20, 1, 100_000, 5} {
			resp, err := client.Post("http://"+g.addr+"/?n="+strconv.Itoa(n), "", bytes.NewReader(make([]byte, n)))
			if err != nil {
				t.Fatal(err)
			}
			b, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			if err != nil || len(b) != n {
				t.Fatalf("%d bytes of %d, %v", len(b), n, err)
			}
		}
	}
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("20 exchanges took %v", took)
	}
	for _, p := range peers {
		if p != peers[0] {
			t.Errorf("the connection to the Endpoint was not reused: %v", peers)
			break
		}
	}
}
