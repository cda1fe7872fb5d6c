package sluice

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"testing"
	"time"
)

const spelledPaths = `apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: paths, namespace: default}
spec:
  rules:
    - host: paths.test
      http:
        paths:
          - {path: /a%20b, pathType: Exact, backend: {service: {name: echo, port: {number: 80}}}}
          - {path: /caf%C3%A9, pathType: Exact, backend: {service: {name: echo, port: {number: 80}}}}
          - {path: /%7Ev, pathType: Exact, backend: {service: {name: echo, port: {number: 80}}}}
          - {path: "/c d", pathType: Prefix, backend: {service: {name: echo, port: {number: 80}}}}
          - {path: "/x?y=1", pathType: Exact, backend: {service: {name: echo, port: {number: 80}}}}
`

// TestSpelledPaths: a request for the very path that an Ingress spells is served, and so is every other
// spelling of it; the Backend sees the one that the client sent.
func TestSpelledPaths(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "manifests", "paths.yaml"), spelledPaths)
	r := startGatewayIn(t, dir, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.RequestURI) }), "")
	defer r.stop(t)
	for _, tt := range []struct {
		target string
		status int
	}{
		{"/a%20b", 200}, {"/%61%20%62", 200}, {"/a%20b?y=1", 200}, {"/a+b", 404}, {"/a%2520b", 404},
		{"/caf%C3%A9", 200}, {"/caf%c3%a9", 200}, {"/caf\xc3\xa9", 200}, {"/cafe", 404},
		{"/%7Ev", 200}, {"/%7ev", 200}, {"/~v", 200},
		{"/c%20d", 200}, {"/c%20d/e", 200},
		{"/x?y=1", 404}, {"/x%3Fy=1", 404},
	} {
		c, err := net.Dial("tcp", r.http)
		if err != nil {
			t.Fatal(err)
		}
		c.SetDeadline(time.Now().Add(patience))
		fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: paths.test\r\nConnection: close\r\n\r\n", tt.target)
		resp, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatalf("%s: %v", tt.target, err)
		}
		body, _ := io.ReadAll(resp.Body)
		c.Close()
		if resp.StatusCode != tt.status || tt.status == 200 && string(body) != tt.target {
			t.Errorf("%s: %d, and the Backend saw %q; want %d", tt.target, resp.StatusCode, body, tt.status)
		}
	}
}
