package sluice

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// manifest is a Host test.com whose /api/v1 goes to one Endpoint.
func manifest(ip string, port int) string {
	return fmt.Sprintf(`apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: echo
  namespace: default
spec:
  ingressClassName: sluice
  rules:
    - host: test.com
      http:
        paths:
          - {path: /api/v1, pathType: Prefix, backend: {service: {name: echo, port: {number: 80}}}}
---
apiVersion: v1
kind: Service
metadata: {name: echo, namespace: default}
spec:
  ports: [{name: http, port: 80, targetPort: 8080}]
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: echo-1, namespace: default, labels: {kubernetes.io/service-name: echo}}
addressType: IPv4
ports: [{name: http, port: %d, protocol: TCP}]
endpoints: [{addresses: [%q], conditions: {ready: true}}]
`, port, ip)
}

// lockedBuffer collects what a logger writes.
type lockedBuffer struct {
	mu   sync.Mutex
	text strings.Builder
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// running is a gateway under test, with a backend of its own.
type running struct {
	*gateway
	dir     string
	signals chan os.Signal
	ended   chan error
	stderr  lockedBuffer
	http    string // addresses
	metrics string
	admin   string
	token   string // the file of it
	socket  string // of the admin plane
	client  *http.Client
}

// startGateway runs a gateway whose one Route leads to backend, and waits until it is ready.
func startGateway(t *testing.T, backend http.Handler, extra string) *running {
	t.Helper()
	return startGatewayIn(t, t.TempDir(), backend, extra)
}

// startGatewayIn does so in a folder where something may wait for it.
func startGatewayIn(t *testing.T, dir string, backend http.Handler, extra string) *running {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	pod := &http.Server{Handler: backend}
	go pod.Serve(listener)
	t.Cleanup(func() { pod.Close() })

	r := &running{dir: dir}
	r.token, r.socket = filepath.Join(r.dir, "token"), filepath.Join(r.dir, "admin.sock")
	r.client = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}
	writeFile(t, filepath.Join(r.dir, "manifests", "all.yaml"), manifest("127.0.0.1", listener.Addr().(*net.TCPAddr).Port))
	r.configure(t, extra)
	o := &serveOptions{source: source{manifests: filepath.Join(r.dir, "manifests")}, file: filepath.Join(r.dir, "sluice.yaml")}
	r.start(t, o)
	r.http = "127.0.0.1:" + strconv.Itoa(r.plane.Ports()[0])
	addresses := r.gateway.admin.Addresses()
	r.metrics, r.admin = addresses[0].String(), addresses[1].String()
	return r
}

// startOptions runs a gateway as o says, and waits until it is ready.
func startOptions(t *testing.T, o *serveOptions) *running {
	t.Helper()
	r := &running{}
	r.start(t, o)
	return r
}

func (r *running) start(t *testing.T, o *serveOptions) {
	t.Helper()
	r.signals, r.ended = make(chan os.Signal, 4), make(chan error, 1)
	c, err := o.load()
	if err != nil {
		t.Fatal(err)
	}
	file, logger, err := openErrorLog(c.ErrorLog, &r.stderr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(file.Close)
	if r.gateway, err = newGateway(o, c, file, logger); err != nil {
		t.Fatal(err)
	}
	go func() { r.ended <- r.run(r.signals) }()
	eventually(t, "readiness", func() bool { ok, _ := r.ready(); return ok })
}

// configure writes the configuration file; extra is added to it.
func (r *running) configure(t *testing.T, extra string) {
	t.Helper()
	writeFile(t, filepath.Join(r.dir, "sluice.yaml"), `
threads: 1
pid_file: `+r.dir+`/sluice.pid
error_log: `+r.dir+`/error.log
listen: {http: ["127.0.0.1:0"], https: [], metrics: "127.0.0.1:0", admin: "127.0.0.1:0", admin_socket: `+r.socket+`, admin_token_file: `+r.token+`}
`+extra)
}

// get asks the gateway's Host test.com, or url itself where it has a scheme.
func (r *running) get(t *testing.T, url string) (status int, body string) {
	t.Helper()
	request, err := http.NewRequest("GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if strings.HasPrefix(url, "/") {
		request.URL.Scheme, request.URL.Host, request.Host = "http", r.http, "test.com"
	}
	return r.do(request)
}

// do returns the status and the body of the answer, or 0 and what went wrong.
func (r *running) do(request *http.Request) (status int, body string) {
	response, err := r.client.Do(request)
	if err != nil {
		return 0, err.Error()
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, err.Error()
	}
	return response.StatusCode, string(text)
}

func (r *running) errorLog(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(r.dir, "error.log"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// stop sends SIGTERM and waits for the end.
func (r *running) stop(t *testing.T) {
	t.Helper()
	r.signals <- syscall.SIGTERM
	select {
	case err := <-r.ended:
		if err != nil {
			t.Errorf("run: %v", err)
		}
	case <-time.After(patience):
		t.Fatal("the gateway does not end")
	}
}

// patience is how long a test waits for what is to come, on whatever machine.
const patience = time.Minute

// eventually asks every few milliseconds until f returns true.
func eventually(t *testing.T, what string, f func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(patience)
	for !f() {
		select {
		case <-tick.C:
		case <-limit:
			t.Fatalf("no %s within %v", what, patience)
		}
	}
}

// TestServe is the life of a gateway: serving, a change of a manifest, reloads good and bad, drain.
func TestServe(t *testing.T) {
	r := startGateway(t, echoHandler("test-server"), "timeouts: {read: 10s}\n")

	if status, body := r.get(t, "/api/v1/greet/hello?content=world"); status != 200 || body != `{"response": "Get [test-server]---> request=hello query=world"}` {
		t.Errorf("/api/v1: %d %s", status, body)
	}
	if status, _ := r.get(t, "/api/v2/greet/hello"); status != 404 {
		t.Errorf("/api/v2: %d, want 404", status)
	}
	if status, body := r.get(t, "http://"+r.metrics+"/readyz"); status != 200 {
		t.Errorf("/readyz: %d %s", status, body)
	}
	if pid, err := os.ReadFile(filepath.Join(r.dir, "sluice.pid")); err != nil || strings.TrimSpace(string(pid)) != strconv.Itoa(os.Getpid()) {
		t.Errorf("pid_file: %q %v", pid, err)
	}
	// A scrape leaves out what a loop that is busy for a second has counted.
	var metrics string
	eventually(t, "scrape of every loop", func() bool {
		_, metrics = r.get(t, "http://"+r.metrics+"/metrics")
		return strings.Contains(metrics, "\nsluice_loop_unresponsive{loop=\"0\"} 0\n")
	})
	for _, line := range []string{
		`nginx_ingress_controller_requests{canary="",host="test.com",ingress="echo",method="GET",namespace="default",path="/api/v1",service="echo",status="200"} 1`,
		`sluice_requests_total{method="GET",status="404"} 1`,
		`sluice_routes 1`, `sluice_ready 1`, `sluice_source_connected 1`,
		`sluice_config_last_reload_successful 1`,
	} {
		if !strings.Contains(metrics, "\n"+line+"\n") {
			t.Errorf("/metrics lacks %s", line)
		}
	}
	var out, log strings.Builder
	if code := (Options{}).run([]string{"explain", "--admin", r.admin, "--token", r.token, "http://test.com/api/v1/x"}, &out, &log); code != 0 || !strings.Contains(out.String(), "ingress  default/echo") {
		t.Errorf("explain: %d %s %s", code, &out, &log)
	}
	out.Reset()
	if code := (Options{}).run([]string{"explain", "--admin", r.socket, "http://test.com/api/v1/x"}, &out, &log); code != 0 || !strings.Contains(out.String(), "ingress  default/echo") {
		t.Errorf("explain over the socket: %d %s %s", code, &out, &log)
	}
	if code := (Options{}).run([]string{"explain", "--admin", r.admin, "--token", os.DevNull, "http://test.com/api/v1/x"}, &out, &log); code != 1 || !strings.Contains(log.String(), "show the token in "+r.token) {
		t.Errorf("explain without the token: %d %s", code, &log)
	}

	// A change of a manifest goes live.
	file := filepath.Join(r.dir, "manifests", "all.yaml")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, file, strings.Replace(string(text), "/api/v1", "/api/v2", 1))
	eventually(t, "route for /api/v2", func() bool { status, _ := r.get(t, "/api/v2/x"); return status == 200 })

	// A reload applies the live keys and names the rest; the log is opened anew.
	if err := os.Rename(filepath.Join(r.dir, "error.log"), filepath.Join(r.dir, "error.log.1")); err != nil {
		t.Fatal(err)
	}
	r.configure(t, "timeouts: {read: 20s}\nupgrade_sock: ''\n")
	r.signals <- syscall.SIGHUP
	eventually(t, "reload", func() bool { return r.config.Load().Timeouts.Read == 20e9 })
	eventually(t, "line in the new log", func() bool {
		text, err := os.ReadFile(filepath.Join(r.dir, "error.log"))
		return err == nil && strings.Contains(string(text), "only after a restart")
	})
	eventually(t, "log of the reload", func() bool {
		text := r.errorLog(t)
		return strings.Contains(text, "applied=timeouts.read") && strings.Contains(text, "keys=upgrade_sock")
	})
	if r.config.Load().UpgradeSock == "" {
		t.Error("a key that needs a restart is shown as changed")
	}

	// A bad file changes nothing.
	r.configure(t, "timeouts: {raed: 5s}\n")
	r.signals <- syscall.SIGHUP
	eventually(t, "failed reload", func() bool { return !r.vitals().ReloadOK })
	eventually(t, "log of the failed reload", func() bool {
		return strings.Contains(r.errorLog(t), "did you mean timeouts.read?")
	})
	if status, _ := r.get(t, "/api/v2/x"); status != 200 {
		t.Errorf("after a failed reload: %d", status)
	}

	r.stop(t)
	if _, err := os.Stat(filepath.Join(r.dir, "sluice.pid")); err == nil {
		t.Error("pid_file is left behind")
	}
	for _, address := range []string{r.http, r.metrics, r.admin} {
		if c, err := net.Dial("tcp", address); err == nil {
			c.Close()
			t.Errorf("%s is still bound", address)
		}
	}
}

// blockingPod answers when it is told to.
type blockingPod struct {
	entered chan struct{}
	release chan struct{}
}

func (p blockingPod) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.entered <- struct{}{}
	select {
	case <-p.release:
		io.WriteString(w, "late")
	case <-r.Context().Done():
	}
}

// startBlocked starts a gateway with a request that its pod has and does not answer yet: answer gives the status and the body
// once it is over.
func startBlocked(t *testing.T, config string) (r *running, pod blockingPod, answer chan string) {
	t.Helper()
	pod = blockingPod{make(chan struct{}, 1), make(chan struct{})}
	r = startGateway(t, pod, config)
	answer = make(chan string, 1)
	go func() {
		status, body := r.get(t, "/api/v1/slow")
		answer <- fmt.Sprint(status, " ", body)
	}()
	<-pod.entered
	return r, pod, answer
}

// TestDrain: SIGTERM lets a request in flight finish, while readiness is gone and the admin plane
// still answers.
func TestDrain(t *testing.T) {
	r, pod, answer := startBlocked(t, "shutdown: {drain_seconds: 300}\n")
	r.signals <- syscall.SIGTERM
	eventually(t, "end of readiness", func() bool {
		status, body := r.get(t, "http://"+r.metrics+"/readyz")
		return status == 503 && strings.Contains(body, "draining")
	})
	eventually(t, "refused connection", func() bool {
		c, err := net.Dial("tcp", r.http)
		if err == nil {
			c.Close()
		}
		return err != nil
	})
	select {
	case err := <-r.ended:
		t.Fatalf("ended with a request in flight: %v", err)
	default:
	}
	close(pod.release)
	if got := <-answer; got != "200 late" {
		t.Errorf("the request in flight: %s", got)
	}
	if err := <-r.ended; err != nil {
		t.Errorf("run: %v", err)
	}
}

// TestReloadedDrain: a drain takes no longer than what the last reload allows.
func TestReloadedDrain(t *testing.T) {
	r, pod, answer := startBlocked(t, "shutdown: {drain_seconds: 3600}\n")
	r.configure(t, "shutdown: {drain_seconds: 1}\n")
	r.signals <- syscall.SIGHUP
	eventually(t, "reload", func() bool { return r.config.Load().Shutdown.DrainSeconds == 1 })
	r.stop(t)
	if got := <-answer; strings.HasPrefix(got, "200 ") {
		t.Error("the request was not cut")
	}
	close(pod.release)
}

// TestSecondSignal cuts what a drain waits for.
func TestSecondSignal(t *testing.T) {
	r, pod, answer := startBlocked(t, "shutdown: {drain_seconds: 3600}\n")
	begun := time.Now()
	r.signals <- syscall.SIGTERM
	r.signals <- syscall.SIGINT // the same wish, said twice
	again := time.NewTicker(200 * time.Millisecond)
	defer again.Stop()
	for ended := false; !ended; {
		select {
		case err := <-r.ended:
			if err != nil {
				t.Errorf("run: %v", err)
			}
			ended = true
		case <-again.C:
			select {
			case r.signals <- syscall.SIGINT:
			default:
			}
		}
	}
	if took := time.Since(begun); took < time.Second {
		t.Errorf("cut after %v by a signal that only repeated the first", took)
	}
	if got := <-answer; strings.HasPrefix(got, "200 ") {
		t.Error("the request was not cut")
	}
	close(pod.release)
	eventually(t, "line about the second signal", func() bool { return strings.Contains(r.errorLog(t), "second signal") })
}

// TestServeFails: a gateway that cannot start reports why and leaves nothing bound.
func TestServeFails(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "all.yaml"), manifest("127.0.0.1", 1))
	tests := []struct {
		name string
		sets list
		from source
		want string
	}{
		{"admin address taken", list{"listen.admin=" + taken.Addr().String()}, source{manifests: dir}, "listen.admin: "},
		{"http address taken", list{"listen.http=" + taken.Addr().String()}, source{manifests: dir}, "listen.http: "},
		{"no manifests", nil, source{manifests: "/nonexistent"}, "/nonexistent"},
		{"no cluster", nil, source{}, "informer"},
		{"no folder for the pid", list{"pid_file=/nonexistent/pid"}, source{manifests: dir}, "write pid_file"},
	}
	for _, test := range tests {
		o := &serveOptions{source: test.from, sets: append(list{"listen.http=127.0.0.1:0", "listen.https=", "listen.metrics=127.0.0.1:0", "listen.admin=127.0.0.1:0", "listen.admin_socket=", "listen.admin_token_file=", "threads=1"}, test.sets...)}
		var stderr lockedBuffer
		ended := make(chan error, 1)
		go func() { ended <- o.serve(&stderr) }()
		select {
		case err := <-ended:
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%s: %v, want %q", test.name, err, test.want)
			}
		case <-time.After(patience):
			t.Fatalf("%s: it does not end", test.name)
		}
	}
}

func TestEchoEnds(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- serveEcho(ctx, listener, "x") }()
	response, err := http.Get("http://" + listener.Addr().String() + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
