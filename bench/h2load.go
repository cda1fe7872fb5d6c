package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// h2loadArgs is the command line of one h2load run. body is a file to POST, "" to GET.
func h2loadArgs(c Case, addr, body string, d time.Duration) []string {
	args := []string{"h2load", "-t1", "-c", strconv.Itoa(c.Conns), "-m", strconv.Itoa(c.Streams),
		"-D", strconv.FormatInt(d.Milliseconds(), 10) + "ms", "--connect-to", addr}
	for _, h := range c.Headers {
		args = append(args, "-H", h)
	}
	if body != "" {
		args = append(args, "-d", body)
	}
	return append(args, c.Down.Scheme()+"://"+benchHost+c.Path)
}

// parseH2load reads h2load's summary. size is the length of each answer's body.
//
// h2load looks at the status only, and a gRPC proxy reports its own failures with status 200 and no body. So
// the bytes of DATA are held against the number of answers, too; requests cut off at the end add a few.
func parseH2load(c Case, output string, size int) (tally, error) {
	var t tally
	if c.Down.TLS {
		for _, want := range []string{"TLS Protocol: TLSv1.3", "Cipher: TLS_AES_128_GCM_SHA256", "Application protocol: " + c.Down.alpn()} {
			if !strings.Contains(output, want+"\n") {
				return t, fmt.Errorf("parse h2load: no line %q in its output: %s", want, output)
			}
		}
	}
	var finished string
	var rate float64
	if _, err := fmt.Sscanf(lineOf(output, "finished in "), "finished in %s %f req/s", &finished, &rate); err != nil {
		return t, fmt.Errorf("parse h2load: no rate: %w: %s", err, output)
	}
	var total, started, done, succeeded, failed, errored, timeouts int64
	if _, err := fmt.Sscanf(lineOf(output, "requests: "), "requests: %d total, %d started, %d done, %d succeeded, %d failed, %d errored, %d timeout",
		&total, &started, &done, &succeeded, &failed, &errored, &timeouts); err != nil {
		return t, fmt.Errorf("parse h2load: no requests: %w: %s", err, output)
	}
	// traffic: 6.82MB (7146989) total, 1.59MB (1666305) headers (space savings 51.61%), 4.59MB (4813770) data
	traffic := strings.TrimSuffix(lineOf(output, "traffic: "), ") data")
	data, err := strconv.ParseInt(traffic[strings.LastIndexByte(traffic, '(')+1:], 10, 64)
	if err != nil {
		return t, fmt.Errorf("parse h2load: no bytes of data: %w: %s", err, output)
	}
	t.Requests = succeeded
	t.Errors = done - succeeded
	if rate > 0 {
		t.Seconds = float64(succeeded) / rate
	}
	if short := done*int64(size) - data; short > 0 {
		t.Errors += (short + int64(size) - 1) / int64(size)
		t.Reason = fmt.Sprintf("%d bytes of data for %d answers of %d", data, done, size)
	}
	return t, nil
}

// lineOf is the line of text that begins with prefix, "" when none does.
func lineOf(text, prefix string) string {
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, prefix) {
			return strings.TrimSpace(line)
		}
	}
	return ""
}
