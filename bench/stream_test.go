package main

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

func TestStreams(t *testing.T) {
	got := runStreams(startTestOrigin(t), benchHost, 2, 3, 100*time.Millisecond)
	if got.Errors != 0 || got.Requests < 6 || got.Seconds < 0.1 {
		t.Errorf("%+v", got)
	}
}

// Every stream that does not end as it should is an error.
func TestStreamsCountErrors(t *testing.T) {
	answers := map[string]http.HandlerFunc{
		"status 502": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) },
		"no echo, trailers only": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Grpc-Status", "0")
		},
		"grpc-status 14": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Grpc-Status", "14")
		},
		"another message": func(w http.ResponseWriter, _ *http.Request) { w.Write(unaryAnswer) },
		"reset":           func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	}
	for name, handler := range answers {
		s := httptest.NewUnstartedServer(handler)
		s.Config.Protocols = new(http.Protocols)
		s.Config.Protocols.SetUnencryptedHTTP2(true)
		s.Start()
		got := runStreams(s.Listener.Addr().String(), benchHost, 1, 2, 50*time.Millisecond)
		if got.Errors != 2 || got.Requests != 0 || got.Reason == "" {
			t.Errorf("%s: %+v", name, got)
		}
		s.Close()
	}
	if got := runStreams("127.0.0.1:1", benchHost, 1, 2, 50*time.Millisecond); got.Errors == 0 || got.Reason == "" {
		t.Errorf("nobody listens: %+v", got)
	}
}
