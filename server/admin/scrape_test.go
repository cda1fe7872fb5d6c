package admin

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
)

// samples is a Samples function that writes size bytes of comments, and counts who runs at a time.
type samples struct {
	size int

	mu              sync.Mutex
	running, most   int
	ended, failures int
}

func (s *samples) write(w io.Writer) error {
	s.mu.Lock()
	s.running++
	s.most = max(s.most, s.running)
	s.mu.Unlock()
	line := []byte("# " + strings.Repeat("x", 1021) + "\n")
	var err error
	for range s.size / len(line) {
		if _, err = w.Write(line); err != nil {
			break
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running--
	s.ended++
	if err != nil {
		s.failures++
	}
	return err
}

func startSampling(t *testing.T, write func(io.Writer) error) (metrics string) {
	t.Helper()
	options := testOptions()
	options.Samples = write
	metrics, _ = start(t, options)
	return metrics
}

// ask sends a scrape and returns the connection, unread.
func ask(t *testing.T, address, fields string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if _, err := io.WriteString(c, "GET /metrics HTTP/1.1\r\nHost: x\r\n"+fields+"\r\n"); err != nil {
		t.Fatal(err)
	}
	return c
}

// TestScrapeDisplacesSlowReaders: who asks and does not read delays other scrapes by a moment each, and ends there.
func TestScrapeDisplacesSlowReaders(t *testing.T) {
	s := &samples{size: 64 << 20}
	metrics := startSampling(t, s.write)
	var slow []net.Conn
	for range 5 {
		slow = append(slow, ask(t, metrics, ""))
	}
	response, err := http.Get("http://" + metrics + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	n, err := io.Copy(io.Discard, response.Body)
	if response.StatusCode != 200 || err != nil || n < int64(s.size) {
		t.Errorf("status %d, %d bytes, %v", response.StatusCode, n, err)
	}
	s.mu.Lock()
	most, failures := s.most, s.failures
	s.mu.Unlock()
	if most != 1 || failures == 0 {
		t.Errorf("%d scrapes worked at a time, %d were cut off, want 1 and those that came before", most, failures)
	}
	// Their answers have no proper end.
	cut := 0
	for _, c := range slow {
		if response, err := http.ReadResponse(bufio.NewReader(c), nil); err != nil {
			cut++
		} else if _, err := io.Copy(io.Discard, response.Body); err != nil {
			cut++
		}
	}
	if cut < failures {
		t.Errorf("%d of %d cut answers look cut", cut, failures)
	}
}

// TestScrapeEndsWithItsReader: a client that leaves in the middle frees its turn.
func TestScrapeEndsWithItsReader(t *testing.T) {
	s := &samples{size: 64 << 20}
	metrics := startSampling(t, s.write)
	for range 3 {
		c := ask(t, metrics, "")
		if _, err := io.ReadFull(c, make([]byte, 100<<10)); err != nil {
			t.Fatal(err)
		}
		c.Close()
	}
	response, err := http.Get("http://" + metrics + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	if n, err := io.Copy(io.Discard, response.Body); err != nil || n < int64(s.size) {
		t.Errorf("%d bytes, %v", n, err)
	}
}

// TestScrapeFailure: where the text ends too soon, so does the connection, without the last chunk.
func TestScrapeFailure(t *testing.T) {
	metrics := startSampling(t, func(io.Writer) error { return errors.New("no more") })
	response, err := http.Get("http://" + metrics + "/metrics")
	if err == nil { // the head was on its way before the failure
		_, err = io.Copy(io.Discard, response.Body)
	}
	if err == nil {
		t.Error("half an answer has a proper end")
	}
	get200(t, "http://"+metrics+"/healthz")
}

func TestScrapeCompressed(t *testing.T) {
	metrics := startSampling(t, func(w io.Writer) error { _, err := io.WriteString(w, "the_last 1\n"); return err })
	client := &http.Client{Transport: &http.Transport{DisableCompression: true}}
	for accepts, compressed := range map[string]bool{"": false, "gzip": true, "deflate, GZIP;q=0.5": true, "gzip;q=0": false, "*": true, "br": false} {
		request, err := http.NewRequest("GET", "http://"+metrics+"/metrics", nil)
		if err != nil {
			t.Fatal(err)
		}
		if accepts != "" {
			request.Header.Set("Accept-Encoding", accepts)
		}
		response, err := client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		if got := response.Header.Get("Content-Encoding") == "gzip"; got != compressed {
			t.Errorf("Accept-Encoding %q: compressed %v", accepts, got)
		} else if compressed {
			plain, err := gzip.NewReader(bytes.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			if body, err = io.ReadAll(plain); err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.HasSuffix(body, []byte("\nthe_last 1\n")) || !bytes.HasPrefix(body, []byte("# HELP ")) {
			t.Errorf("Accept-Encoding %q: %d bytes from %.20q", accepts, len(body), body)
		}
	}
}

// noNothing fails a write of nothing, as a pipe to Hertz in effect does.
type noNothing struct{}

func (noNothing) Write(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, errors.New("nothing was written")
	}
	return len(b), nil
}

// TestScrapeWritesNoNothing: some text in a thousand makes compress/flate write nothing, this sequence of them one of 1,739
// bytes.
func TestScrapeWritesNoNothing(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	const letters = "abcdefghijklmnopqrstuvwxyz0123456789 {}=\"\n"
	for i := range 100 {
		text := make([]byte, 37*i)
		for j := range text {
			text[j] = letters[r.IntN(len(letters)-1)]
		}
		for _, compressed := range []bool{false, true} {
			err := writeScrape(noNothing{}, compressed, func(w io.Writer) error {
				_, err := w.Write(text)
				return err
			})
			if err != nil {
				t.Errorf("%d bytes, compressed %v: %v", len(text), compressed, err)
			}
		}
	}
}
