package main

// The load of the handshake cases: connection, TLS handshake, one request, end, by a bounded number of workers.
//
// wrk with "Connection: close" would not do: whether and how it resumes is OpenSSL's choice. Here each handshake
// reports whether it was resumed, and one of the wrong kind is an error.

import (
	"crypto/tls"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// handshakeMain is the handshake subcommand.
func handshakeMain(args []string, out io.Writer) error {
	fs := flag.NewFlagSet("handshake", flag.ContinueOnError)
	addr := fs.String("addr", "", "Connect to this ip:port.")
	cert := fs.String("cert", "", "File of the certificate that must be presented.")
	path := fs.String("path", "/", "Path of every request; its answer must carry a Content-Length.")
	conns := fs.Int("conns", 32, "Connections at a time.")
	resume := fs.Bool("resume", false, "Resume the TLS session of the connection before, instead of a full handshake.")
	duration := fs.Duration("duration", 5*time.Second, "How long to make connections.")
	if err := fs.Parse(args); err != nil {
		return err
	}
	roots, err := readRoots(*cert)
	if err != nil {
		return err
	}
	if *conns <= 0 {
		return errors.New("parse flags: -conns must be above 0")
	}
	h := &handshaker{addr: *addr, path: *path, resume: *resume, config: clientTLS(Wire{TLS: true}, roots)}
	return json.NewEncoder(out).Encode(h.run(*conns, *duration))
}

// handshaker is immutable after it is made; its workers share it.
type handshaker struct {
	addr, path string
	resume     bool
	config     *tls.Config
}

// run makes connections for the duration, so many at a time.
func (h *handshaker) run(conns int, duration time.Duration) tally {
	start := time.Now()
	var (
		mu    sync.Mutex
		total tally // guarded by mu
		all   sync.WaitGroup
	)
	for range conns {
		all.Go(func() {
			t := h.work(start.Add(duration))
			mu.Lock()
			defer mu.Unlock()
			total.Requests += t.Requests
			total.Errors += t.Errors
			if t.Reason != "" {
				total.Reason = t.Reason
			}
		})
	}
	all.Wait()
	total.Seconds = time.Since(start).Seconds()
	return total
}

// work makes one connection after another. The first of a worker that resumes has no session yet and counts
// with the others: it is one in a thousand.
func (h *handshaker) work(deadline time.Time) tally {
	var t tally
	config := h.config.Clone()
	if h.resume {
		config.ClientSessionCache = tls.NewLRUClientSessionCache(1)
	}
	in := make([]byte, 0, 16<<10)
	for first := true; time.Now().Before(deadline); first = false {
		resumed, err := h.once(config, in)
		if err == nil && resumed != (h.resume && !first) {
			err = fmt.Errorf("session resumed: %v, want %v", resumed, h.resume)
		}
		if err != nil {
			t.Reason = err.Error()
			if t.Errors++; t.Errors > 100 {
				break
			}
			continue
		}
		t.Requests++
	}
	return t
}

// once makes one connection and has one request answered on it. in is scratch space.
func (h *handshaker) once(config *tls.Config, in []byte) (resumed bool, err error) {
	raw, err := net.DialTimeout("tcp", h.addr, timeout)
	if err != nil {
		return false, err
	}
	defer raw.Close()
	raw.SetDeadline(time.Now().Add(timeout))
	conn := tls.Client(raw, config)
	if err := conn.Handshake(); err != nil {
		return false, err
	}
	state := conn.ConnectionState()
	if err := checkTLS(Wire{TLS: true}, state); err != nil {
		return false, err
	}
	if _, err := fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", h.path, benchHost); err != nil {
		return false, err
	}
	// Tickets precede the answer, so reading it has taken them in.
	for total := 0; total == 0 || len(in) < total; {
		if len(in) == cap(in) {
			return false, fmt.Errorf("read answer: more than %d bytes", cap(in))
		}
		n, err := conn.Read(in[len(in):cap(in)])
		in = in[:len(in)+n]
		if total, _ = answerLength(in); err != nil && (total == 0 || len(in) < total) {
			return false, fmt.Errorf("read answer: %w", err)
		}
		if _, err := answerLength(in); err != nil {
			return false, err
		}
	}
	return state.DidResume, conn.Close()
}
