package main

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// wrkSummary is the line that templates/wrk.lua.tmpl prints when wrk is done.
type wrkSummary struct {
	Requests   int64   `json:"requests"`
	DurationUS int64   `json:"duration_us"`
	Bytes      int64   `json:"bytes"`
	Connect    int64   `json:"connect"`
	Read       int64   `json:"read"`
	Write      int64   `json:"write"`
	Status     int64   `json:"status"`
	Timeout    int64   `json:"timeout"`
	P50US      float64 `json:"p50_us"`
	P99US      float64 `json:"p99_us"`
}

// errors is the number of requests that did not end in a good answer.
func (w wrkSummary) errors() int64 { return w.Connect + w.Read + w.Write + w.Status + w.Timeout }

// wrkURL is the URL for wrk to load on a proxy. Over TLS the URL's host becomes the name in the handshake (SNI),
// so it has to be the certificate's; the script sends the connections to the loopback address all the same.
func wrkURL(c Case, addr string) string {
	if c.Down.TLS {
		_, port, _ := strings.Cut(addr, ":")
		return "https://" + benchHost + ":" + port + c.Path
	}
	return "http://" + addr + c.Path
}

// wrkArgs is the command line of one wrk run. wrk counts whole seconds only, so d is rounded up.
func wrkArgs(c Case, script, url string, d time.Duration) []string {
	seconds := max(1, int((d+time.Second-1)/time.Second))
	args := []string{"wrk", "-t1", "-c", strconv.Itoa(c.Conns), "-d", strconv.Itoa(seconds) + "s", "-s", script, "-H", "Host: " + benchHost}
	for _, h := range c.Headers {
		args = append(args, "-H", h)
	}
	return append(args, url)
}

// parseWrk finds the summary in wrk's output.
func parseWrk(output string) (wrkSummary, error) {
	var w wrkSummary
	_, rest, ok := strings.Cut(output, "SLUICE-BENCH ")
	if !ok {
		return w, fmt.Errorf("parse wrk: no summary in its output: %s", output)
	}
	line, _, _ := strings.Cut(rest, "\n")
	if err := json.Unmarshal([]byte(line), &w); err != nil {
		return w, fmt.Errorf("parse wrk: %w", err)
	}
	return w, nil
}

// readWrk is the tally of wrk's output. size is the length of each answer, head and body.
//
// wrk looks at the status and the framing only. So the bytes that it has read are held against the number of
// answers, too; answers cut off at the end add a few.
func readWrk(output string, size int) (tally, error) {
	w, err := parseWrk(output)
	if err != nil {
		return tally{}, err
	}
	t := tally{Requests: w.Requests, Errors: w.errors(), Seconds: float64(w.DurationUS) / 1e6}
	if short := w.Requests*int64(size) - w.Bytes; short > 0 {
		t.Errors += (short + int64(size) - 1) / int64(size)
		t.Reason = fmt.Sprintf("%d bytes for %d answers of %d", w.Bytes, w.Requests, size)
	}
	return t, nil
}
