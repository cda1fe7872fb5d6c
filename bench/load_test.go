package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func TestGeneratorKeepsTheRate(t *testing.T) {
	var served atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		served.Add(1)
		if r.Host != "a.test" || r.URL.Path != "/x" {
			w.WriteHeader(http.StatusNotFound)
		}
		fmt.Fprint(w, "hello")
	}))
	defer s.Close()
	g, err := newGenerator(strings.TrimPrefix(s.URL, "http://"), "a.test", []part{{Weight: 1, Path: "/x", Answer: len("hello")}}, 4)
	if err != nil {
		t.Fatal(err)
	}
	defer g.close()
	r, err := g.run(1000, 50*time.Millisecond, 200*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	if r.Requests != 250 || served.Load() != 250 || r.Errors != 0 {
		t.Errorf("%+v, %d served; want 250 requests and no errors", r, served.Load())
	}
	if r.Latency.P50 <= 0 || r.Latency.P99 > r.Latency.Max {
		t.Errorf("latency %+v", r.Latency)
	}
}

// A stall counts for every request that was due during it, not only for the one that met it.
func TestGeneratorCountsWaiting(t *testing.T) {
	var n atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if n.Add(1) == 10 {
			time.Sleep(200 * time.Millisecond) // the stall under test
		}
		fmt.Fprint(w, "hello")
	}))
	defer s.Close()
	g, err := newGenerator(strings.TrimPrefix(s.URL, "http://"), "a.test", []part{{Weight: 1, Path: "/", Answer: -1}}, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer g.close()
	r, err := g.run(1000, 0, 300*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	// About 200 of the 300 requests fell due while the only connection was held up: 100 ms on average.
	if r.Latency.P50 < 20_000 {
		t.Errorf("p50 %v us hides the stall", r.Latency.P50)
	}
}

func TestGeneratorCountsErrors(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusBadGateway)
	}))
	defer s.Close()
	g, err := newGenerator(strings.TrimPrefix(s.URL, "http://"), "a.test", []part{{Weight: 1, Path: "/", Answer: -1}}, 2)
	if err != nil {
		t.Fatal(err)
	}
	defer g.close()
	r, err := g.run(100, 0, 100*time.Millisecond)
	if err != nil || r.Errors != 10 || r.Requests != 0 {
		t.Errorf("%+v, %v; want 10 errors", r, err)
	}
}
