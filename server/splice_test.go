package server

import (
	"bytes"
	"io"
	"net/http"
	"slices"
	"strconv"
	"testing"
	"time"

	asked "github.com/sluice-gateway/sluice/routing/policy"
	"github.com/sluice-gateway/sluice/server/config"
	"github.com/sluice-gateway/sluice/server/internal/servertest"
)

// A source that pauses within a body is passed on as it comes: the client gets all that was sent before the pause, while the
// pause lasts.
func TestSpliceOfATrickle(t *testing.T) {
	t.Parallel()
	const total, pause = 3 << 20, 200_000
	more := make(chan struct{})
	app := servertest.Backend(t, func(w http.ResponseWriter, r *http.Request) {
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
		if took := time.Since(begun); took > servertest.Timeout/2 { // the Endpoint's pause ends with its read timeout
			t.Fatalf("%d bytes that were sent took %v", n, took)
		}
		more <- struct{}{}
	}
	read(pause)
	var took []time.Duration
	for range 10 {
		begun := time.Now()
		read(1)
		took = append(took, time.Since(begun))
	}
	wantNotHeldBack(t, took)
	if rest, err := io.ReadAll(resp.Body); err != nil || len(rest) != total-pause-10 {
		t.Errorf("rest: %d bytes, %v", len(rest), err)
	}
}

// wantNotHeldBack: told that more follows, the kernel holds each part of a segment back for 200 ms. That is
// each and every time; a busy machine is late once or twice.
func wantNotHeldBack(t *testing.T, took []time.Duration) {
	t.Helper()
	late := 0
	for _, d := range took {
		if d > 190*time.Millisecond {
			late++
		}
	}
	if late > len(took)/2 || slices.Max(took) > patience {
		t.Errorf("%d of %d small pieces were held back: %v", late, len(took), took)
	}
}

// What was asked of a connection for a large body must not hold back what follows on it: small answers on the same
// connections, both for downloads and uploads.
func TestSmallAfterSplice(t *testing.T) {
	t.Parallel()
	var peers []string
	app := servertest.Backend(t, func(w http.ResponseWriter, r *http.Request) {
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
	g.serve(&asked.Policy{Limits: asked.Limits{BodyBytes: -1}}, app)
	client := &http.Client{Transport: &http.Transport{MaxConnsPerHost: 1}}
	defer client.CloseIdleConnections()
	var took []time.Duration
	for range 5 {
		for _, n := range []int{2 << 20, 1, 100_000, 5} {
			begun := time.Now()
			resp, err := client.Post("http://"+g.addr+"/?n="+strconv.Itoa(n), "", bytes.NewReader(make([]byte, n)))
			if err != nil {
				t.Fatal(err)
			}
			b, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			if err != nil || len(b) != n {
				t.Fatalf("%d bytes of %d, %v", len(b), n, err)
			}
			if n < 1<<20 {
				took = append(took, time.Since(begun))
			}
		}
	}
	wantNotHeldBack(t, took)
	for _, p := range peers {
		if p != peers[0] {
			t.Errorf("the connection to the Endpoint was not reused: %v", peers)
			break
		}
	}
}
