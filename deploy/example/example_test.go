package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestMain has the test's binary be the program, for the process that start makes of it.
func TestMain(m *testing.M) {
	if os.Getenv("SLUICE_EXAMPLE") != "" {
		main()
	}
	os.Exit(m.Run())
}

// program is a process of the example with this command line.
func program(args ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), "SLUICE_EXAMPLE=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return cmd
}

// manifests writes a Host test.com whose requests go to one Endpoint, and returns the folder.
func manifests(t *testing.T, endpoint net.Addr) string {
	t.Helper()
	dir := t.TempDir()
	text := fmt.Sprintf(`apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web, namespace: default, annotations: {example.com/greeting: hello}}
spec:
  ingressClassName: sluice
  rules:
    - host: test.com
      http:
        paths:
          - {path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: silent, namespace: default}
spec:
  ingressClassName: sluice
  rules:
    - host: test.com
      http:
        paths:
          - {path: /silent, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: moved, namespace: default, annotations: {sluice-gateway.io/filters: greeting@access}}
spec:
  ingressClassName: sluice
  rules:
    - host: test.com
      http:
        paths:
          - {path: /moved, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: default}
spec:
  ports: [{port: 80}]
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: web-1, namespace: default, labels: {kubernetes.io/service-name: web}}
addressType: IPv4
ports: [{port: %d, protocol: TCP}]
endpoints: [{addresses: ["127.0.0.1"], conditions: {ready: true}}]
`, endpoint.(*net.TCPAddr).Port)
	if err := os.WriteFile(filepath.Join(dir, "web.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// freeAddr is an address without a listener.
func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// TestExample: the program serves as Sluice does, its filter runs, and SIGTERM drains it.
func TestExample(t *testing.T) {
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "from the Pod") }))
	defer backend.Close()
	address := freeAddr(t)
	var log strings.Builder
	gateway := program("serve", "--manifests", manifests(t, backend.Listener.Addr()), "--set", "listen.http="+address,
		"--set", "listen.https=", "--set", "listen.metrics=", "--set", "listen.admin=", "--set", "listen.admin_socket=",
		"--set", "pid_file="+filepath.Join(t.TempDir(), "pid"))
	gateway.Stderr = &log
	if err := gateway.Start(); err != nil {
		t.Fatal(err)
	}
	var end error
	ended := make(chan struct{})
	go func() { defer close(ended); end = gateway.Wait() }()
	defer func() {
		gateway.Process.Kill()
		<-ended
		if t.Failed() {
			t.Logf("the log:\n%s", &log)
		}
	}()

	tick, limit := time.NewTicker(10*time.Millisecond), time.After(time.Minute)
	defer tick.Stop()
	for {
		status, greeting, body := get(address, "/")
		if status == http.StatusOK {
			if greeting != "hello" || body != "from the Pod" {
				t.Errorf("X-Greeting: %q, body %q", greeting, body)
			}
			if _, greeting, body := get(address, "/silent"); greeting != "" || body != "from the Pod" {
				t.Errorf("an object that asks for none gets %q, body %q", greeting, body)
			}
			break
		}
		select {
		case <-tick.C:
		case <-ended:
			t.Fatalf("the process ended: %v", end)
		case <-limit:
			t.Fatal("no answer within a minute")
		}
	}
	if err := gateway.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case <-ended:
		if end != nil {
			t.Errorf("after SIGTERM: %v, want exit code 0", end)
		}
	case <-time.After(time.Minute):
		t.Error("SIGTERM does not end the process")
	}
}

// get asks for test.com over a connection of its own, and returns status 0 where there is no answer.
func get(address, path string) (status int, greeting, body string) {
	request, err := http.NewRequest(http.MethodGet, "http://"+address+path, nil)
	if err != nil {
		return 0, "", ""
	}
	request.Host, request.Close = "test.com", true
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, "", ""
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, "", ""
	}
	return response.StatusCode, response.Header.Get("X-Greeting"), string(text)
}

// TestCommands: the program has Sluice's other commands, and their exit codes.
func TestCommands(t *testing.T) {
	dir := manifests(t, &net.TCPAddr{Port: 6789})
	tests := []struct {
		args []string
		code int
		out  string
	}{
		{[]string{"version"}, 0, "sluice "},
		{[]string{"check", "--manifests", dir}, 0, "1 host, 3 routes"},
		{[]string{"explain", "--manifests", dir, "http://test.com/"}, 0, "ingress  default/web\nfilter   fields: greeting text hello\n"},
		{[]string{"explain", "--manifests", dir, "http://test.com/moved"}, 0, "ingress  default/moved\nfilter   access: greeting at access\n"},
		{[]string{"filters"}, 0, "\nfields     greeting\n"},
		{[]string{"filters", "--annotations"}, 0, "| `example.com/greeting` | route | text |  | Text of X-Greeting in every response. |"},
		{[]string{"explain", "--manifests", dir, "http://other.com/"}, 1, "404"},
		{[]string{"sevre"}, 2, `unknown command "sevre"`},
	}
	for _, test := range tests {
		out, err := program(test.args...).CombinedOutput()
		code := 0
		if exit, ok := errors.AsType[*exec.ExitError](err); ok {
			code = exit.ExitCode()
		} else if err != nil {
			t.Fatal(err)
		}
		if code != test.code || !strings.Contains(string(out), test.out) {
			t.Errorf("%q: exit %d, want %d with %q\n%s", test.args, code, test.code, test.out, out)
		}
	}
}

// TestShort: the whole program is of the length that its readers were promised.
func TestShort(t *testing.T) {
	text, err := os.ReadFile("main.go")
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(text), "\n"); n >= 30 {
		t.Errorf("it has %d lines", n)
	}
}
