package interop

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const gibibyte = 1 << 30

// memoryBar is how much the resident set may grow while a peer is slow.
const memoryBar = 8 << 20

// slowly reads bursts of piece bytes and stands still in between, until at most n bytes are read.
func slowly(r io.Reader, n, piece int64, still time.Duration) (got int64, err error) {
	for got < n && err == nil {
		var m int64
		m, err = io.CopyN(io.Discard, r, min(piece, n-got))
		got += m
		time.Sleep(still) // plays a slow peer
	}
	return got, err
}

// slowAmount is how many of a body's gibibyte are moved: all of it where there is time.
func slowAmount() (n, piece int64) {
	if long {
		return gibibyte, 32 << 20
	}
	return 48 << 20, 12 << 20
}

// warmPair makes the gateway allocate what any body makes it allocate.
func warmPair(t *testing.T, c *http.Client, d down, u up) {
	t.Helper()
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			resp, err := c.Post(d.url(u.host(), "/sum"), "", bytes.NewReader(make([]byte, 4<<20)))
			if err == nil {
				_, _ = io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
				resp, err = c.Get(d.url(u.host(), "/bytes?n=4000000"))
			}
			if err != nil {
				t.Error(err)
				return
			}
			_, _ = slowly(resp.Body, 4000000, 1<<20, 5*time.Millisecond)
			resp.Body.Close()
		})
	}
	all.Wait()
}

// TestSlowReader has a Backend send a gibibyte to a client that takes it in bursts.
func TestSlowReader(t *testing.T) {
	measures(t)
	g, backends := startPairs(t, "")
	eachPair(t, g, func(t *testing.T, d down, u up) {
		c := g.client(d)
		warmPair(t, c, d, u)
		before := g.rss()
		peak := g.watchRSS()
		sent := backends[u.name].sent.Load()
		resp, err := c.Get(d.url(u.host(), fmt.Sprintf("/bytes?n=%d", gibibyte)))
		if err != nil {
			t.Fatal(err)
		}
		n, piece := slowAmount()
		got, err := slowly(resp.Body, n, piece, 150*time.Millisecond)
		if err != nil || got != n {
			t.Errorf("%d bytes, %v", got, err)
		}
		held := backends[u.name].sent.Load() - sent - got
		resp.Body.Close()
		grown := peak() - before
		t.Logf("%s read, %s on the way, RSS grew by %s", mebibytes(got), mebibytes(held), mebibytes(grown))
		if grown > memoryBar {
			t.Errorf("RSS grew by %s, bar %s", mebibytes(grown), mebibytes(memoryBar))
		}
	})
}

// TestSlowUpload has a client send a gibibyte to a Backend that takes it in bursts.
func TestSlowUpload(t *testing.T) {
	measures(t)
	n, piece := slowAmount()
	slow := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/slow" {
			(&backend{}).ServeHTTP(w, r)
			return
		}
		got, err := slowly(r.Body, n, piece, 150*time.Millisecond)
		fmt.Fprint(w, got, err)
	})
	var services []service
	for _, u := range ups {
		services = append(services, service{host: u.host(), protocol: u.annotation, endpoints: []string{startBackend(t, u, slow).addr}})
	}
	g := start(t, "", services...)
	eachPair(t, g, func(t *testing.T, d down, u up) {
		c := g.client(d)
		warmPair(t, c, d, u)
		before := g.rss()
		peak := g.watchRSS()
		var sent atomic.Int64
		body := &countedReader{r: io.LimitReader(zeros{}, n), n: &sent}
		req, _ := http.NewRequestWithContext(t.Context(), "POST", d.url(u.host(), "/slow"), body)
		req.ContentLength = n
		resp, err := c.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if want := fmt.Sprint(n, nil); string(text) != want {
			t.Errorf("the Backend says %q, want %q", text, want)
		}
		grown := peak() - before
		t.Logf("%s sent, RSS grew by %s", mebibytes(sent.Load()), mebibytes(grown))
		if grown > memoryBar {
			t.Errorf("RSS grew by %s, bar %s", mebibytes(grown), mebibytes(memoryBar))
		}
	})
}

// zeros is an endless body.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

type countedReader struct {
	r io.Reader
	n *atomic.Int64
}

func (c *countedReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n.Add(int64(n))
	return n, err
}

// roundOf runs n downloads at once, and returns how long the slowest and the one in the middle took.
func roundOf(t *testing.T, c *http.Client, url string, n int) (median, slowest time.Duration) {
	t.Helper()
	took := make([]time.Duration, n)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			begun := time.Now()
			req, _ := http.NewRequestWithContext(ctx, "GET", url, nil)
			resp, err := c.Do(req)
			if err != nil {
				t.Error(err)
				return
			}
			defer resp.Body.Close()
			if _, err := io.Copy(io.Discard, resp.Body); err != nil {
				t.Error(err)
			}
			took[i] = time.Since(begun)
		})
	}
	all.Wait()
	slices.Sort(took)
	return took[n/2], took[n-1]
}

// still waits until the handlers can write no more.
func (b *backend) still() {
	for before := int64(-1); before != b.sent.Load(); {
		before = b.sent.Load()
		time.Sleep(100 * time.Millisecond) // moving bytes look the same as bytes about to move
	}
}

// TestStalledStream opens a hundred streams, on HTTP/2 over one connection, and reads from ninety-nine.
func TestStalledStream(t *testing.T) {
	measures(t)
	g, backends := startPairs(t, "")
	eachPair(t, g, func(t *testing.T, d down, u up) {
		c := g.client(d)
		url := d.url(u.host(), "/bytes?n=300000")
		roundOf(t, c, url, 99) // warms up
		median, slowest := roundOf(t, c, url, 99)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		req, _ := http.NewRequestWithContext(ctx, "GET", d.url(u.host(), fmt.Sprintf("/bytes?n=%d", gibibyte)), nil)
		resp, err := c.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		upload, _ := io.Pipe() // of which nothing ever comes
		stalled, _ := http.NewRequestWithContext(ctx, "POST", d.url(u.host(), "/sum"), upload)
		go func() {
			if resp, err := c.Do(stalled); err == nil {
				resp.Body.Close()
			}
		}()
		backends[u.name].still()
		median2, slowest2 := roundOf(t, c, url, 99)
		t.Logf("median %v -> %v, slowest %v -> %v", median.Round(time.Millisecond), median2.Round(time.Millisecond),
			slowest.Round(time.Millisecond), slowest2.Round(time.Millisecond))
		// Generous, because others may share the machine: a stall ends in the timeout, later still.
		if slowest2 > 5*slowest+10*time.Second {
			t.Errorf("the slowest of the 99 others took %v, without the stalled stream %v", slowest2, slowest)
		}
	})
}

// TestStalledClient has one client stall on a hundred downloads, and others ask the same Backend, to
// which the gateway may have one connection for all.
func TestStalledClient(t *testing.T) {
	measures(t)
	g, backends := startPairs(t, "")
	eachPair(t, g, func(t *testing.T, d down, u up) {
		offender := g.client(d)
		others := []*http.Client{g.client(d), g.client(d), g.client(d), g.client(d)} // on both loops, in all likelihood
		url := d.url(u.host(), "/bytes?n=300000")
		round := func() (slowest time.Duration) {
			for _, c := range others {
				_, took := roundOf(t, c, url, 10)
				slowest = max(slowest, took)
			}
			return slowest
		}
		round()
		slowest := round()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		before := g.rss()
		var all sync.WaitGroup
		for range 100 {
			all.Go(func() {
				req, _ := http.NewRequestWithContext(ctx, "GET", d.url(u.host(), fmt.Sprintf("/bytes?n=%d", gibibyte)), nil)
				if resp, err := offender.Do(req); err != nil {
					t.Error(err)
				} else {
					go func() { <-ctx.Done(); resp.Body.Close() }()
				}
			})
		}
		all.Wait()
		backends[u.name].still()
		slowest2 := round()
		t.Logf("slowest %v -> %v, RSS grew by %s", slowest.Round(time.Millisecond), slowest2.Round(time.Millisecond), mebibytes(g.rss()-before))
		if slowest2 > 5*slowest+10*time.Second { // a stall ends in the timeout, later still
			t.Errorf("the slowest of the other clients' took %v, without the stalled client %v", slowest2, slowest)
		}
	})
}
