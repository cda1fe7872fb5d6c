package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"time"
)

// Informers double their pause after each failure, up to a minute, and go on waiting when the server is
// back: after an outage of 40 seconds the first change took another 59 to be seen. So failures that
// cost the server nothing are tried again down here, where an informer sees only a slow answer. The
// pause is drawn from the upper half of these bounds, to spread many gateways.
const (
	firstRetry = 100 * time.Millisecond
	lastRetry  = 2 * time.Second
)

// witness is the way to the API server. It notes whether the server can be reached (informers report their
// failures, but not their recovery), and repeats requests that did not reach it. Safe for concurrent use.
type witness struct {
	next http.RoundTripper
	// noted is called after each attempt; nil is success.
	noted func(error)
}

// RoundTrip answers as the next one does. A list or watch that meets no server, or one that is
// starting or stopping, is repeated until its context ends. Writes are not: their callers pace them.
// Neither are other errors of the server, which may be about its load.
func (w *witness) RoundTrip(r *http.Request) (*http.Response, error) {
	pause := firstRetry
	for {
		resp, err := w.next.RoundTrip(r)
		switch {
		case err == nil && resp.StatusCode < http.StatusInternalServerError:
			w.noted(nil)
		case err == nil:
			w.noted(fmt.Errorf("%s %s: %s", r.Method, r.URL.Path, resp.Status))
		case !errors.Is(err, context.Canceled):
			w.noted(err)
		}
		absent := err != nil || resp.StatusCode == http.StatusServiceUnavailable
		if !absent || r.Method != http.MethodGet {
			return resp, err
		}
		timer := time.NewTimer(pause/2 + rand.N(pause/2))
		select {
		case <-r.Context().Done():
			timer.Stop()
			return resp, err
		case <-timer.C:
		}
		if resp != nil {
			// Read, so that the connection can be used again.
			io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<16))
			resp.Body.Close()
		}
		pause = min(2*pause, lastRetry)
	}
}
