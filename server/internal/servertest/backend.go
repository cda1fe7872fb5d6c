package servertest

import (
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/server/internal/tlsconfig"
)

// Backend runs a handler by net/http, which speaks HTTP/1.1.
func Backend(t testing.TB, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

// StartBackend runs a net/http server that speaks both HTTP/1.1 and HTTP/2, over TLS where secure is set.
func StartBackend(t testing.TB, secure bool, h http.Handler) string {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: h, Protocols: &http.Protocols{}, ErrorLog: log.New(io.Discard, "", 0)}
	s.Protocols.SetHTTP1(true)
	s.Protocols.SetHTTP2(true)
	s.Protocols.SetUnencryptedHTTP2(true)
	t.Cleanup(func() { s.Close() })
	if !secure {
		go s.Serve(ln)
		return ln.Addr().String()
	}
	own, err := tlsconfig.SelfSigned()
	if err != nil {
		t.Fatal(err)
	}
	s.TLSConfig = &tls.Config{Certificates: []tls.Certificate{*own}}
	go s.ServeTLS(ln, "", "")
	return ln.Addr().String()
}

// EchoBackend returns each request's body, framed as the target says.
func EchoBackend(t testing.TB) string {
	return Backend(t, func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		if r.URL.Path != "/chunked" {
			w.Header().Set("Content-Length", strconv.Itoa(len(b)))
		} else {
			w.(http.Flusher).Flush()
		}
		w.Write(b)
	})
}

// FieldsBackend answers with the ssl-client fields that it got, sorted by name.
func FieldsBackend(t *testing.T) string {
	return Backend(t, func(w http.ResponseWriter, r *http.Request) {
		for _, name := range []string{"Ssl-Client-Cert", "Ssl-Client-Issuer-Dn", "Ssl-Client-Subject-Dn", "Ssl-Client-Verify", "Ssl_client_verify", "Ssl-Client-Other"} {
			if values := r.Header.Values(name); len(values) > 0 {
				fmt.Fprintf(w, "%s=%s\n", name, strings.Join(values, ","))
			}
		}
	})
}

// EndlessBackend answers /quick at once, with an endless body for /endless, and everything else once it has
// the whole body.
func EndlessBackend(t testing.TB) string {
	return Backend(t, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/endless":
			piece := make([]byte, 32<<10)
			for r.Context().Err() == nil {
				if _, err := w.Write(piece); err != nil {
					return
				}
			}
		case strings.HasPrefix(r.URL.Path, "/wait"):
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		default:
			_, _ = io.Copy(io.Discard, r.Body)
			_, _ = io.WriteString(w, "ok")
		}
	})
}
