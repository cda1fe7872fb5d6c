package sluice

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/signal"
	"path"
	"strings"
	"syscall"
	"time"
)

var echoCommand = command{
	name:     "echo",
	synopsis: "--listen ADDR [--name NAME]",
	about: "Run the demo backend, an HTTP server that answers with what it was asked.\n" +
		"GET /api/v1/greet/hello?content=world is answered with\n" +
		`{"response": "Get [test-server]---> request=hello query=world"}, and /healthz with ok.`,
	register: func(set *flag.FlagSet, _, log io.Writer) func([]string) error {
		listen := set.String("listen", "", "Listen on `ADDR`, host:port; port 0 takes a free one, which is logged.")
		name := set.String("name", "test-server", "Call this server `NAME` in its answers.")
		return func(args []string) error {
			if *listen == "" || len(args) > 0 {
				return usagef("echo needs --listen, and takes no arguments")
			}
			ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
			defer stop()
			listener, err := net.Listen("tcp", *listen)
			if err != nil {
				return fmt.Errorf("listen: %w", err)
			}
			fmt.Fprintf(log, "echo server %s listens on %s\n", *name, listener.Addr())
			return serveEcho(ctx, listener, *name)
		}
	},
}

// serveEcho serves until ctx ends, and then finishes the requests under way.
func serveEcho(ctx context.Context, listener net.Listener, name string) error {
	mux := http.NewServeMux()
	mux.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.Handle("/", echoHandler(name))
	// The idle timeout is above the gateway's, so that the gateway closes idle connections and no
	// request meets a close on the wire.
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10}
	finished := make(chan error, 1)
	stop := context.AfterFunc(ctx, func() {
		limit, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		finished <- server.Shutdown(limit)
	})
	defer stop()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve: %w", err)
	}
	return <-finished
}

// echoHandler answers with the method, its own name, the last segment of the path and the parameter content.
type echoHandler string

// ServeHTTP answers any method and path.
func (h echoHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		return // the client left within its body
	}
	method := r.Method[:1] + strings.ToLower(r.Method[1:])
	request := path.Base(r.URL.Path)
	if request == "/" || request == "." {
		request = ""
	}
	text := fmt.Sprintf("%s [%s]---> request=%s query=%s", method, string(h), request, r.URL.Query().Get("content"))
	var quoted bytes.Buffer
	encoder := json.NewEncoder(&quoted)
	encoder.SetEscapeHTML(false) // the arrow shall be an arrow; the answer is JSON, not markup
	if err := encoder.Encode(text); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	fmt.Fprintf(w, `{"response": %s}`, bytes.TrimSpace(quoted.Bytes()))
}
