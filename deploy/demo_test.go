package deploy

import (
	"bufio"
	"errors"
	"io"
	"net/http"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"

	"github.com/sluice-gateway/sluice/server/config"
)

// binary builds the gateway once per run of these tests, into bin, which is ignored by git: a
// test's own folder would go with that test, and the next one needs the file too.
var binary = sync.OnceValues(func() (string, error) {
	path, err := filepath.Abs("../bin/sluice-under-test")
	if err != nil {
		return "", err
	}
	build := exec.Command("go", "build", "-buildvcs=false", "-ldflags", "-X "+versionVariable+"=under-test", "-o", path, "./sluice")
	if out, err := build.CombinedOutput(); err != nil {
		return "", errors.New("build sluice: " + string(out))
	}
	return path, nil
})

func sluice(t *testing.T) string {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// TestFlagsExist: every flag that a manifest or a script passes to a subcommand is in its help.
func TestFlagsExist(t *testing.T) {
	ds := find[*appsv1.DaemonSet](t)
	lines := []string{strings.Join(ds.Spec.Template.Spec.Containers[0].Args, " ")}
	objects, err := parseObjects(read(t, "demo/cluster/echo.yaml"))
	if err != nil {
		t.Fatalf("demo/cluster/echo.yaml: %v", err)
	}
	for _, o := range objects {
		if d, ok := o.(*appsv1.Deployment); ok {
			lines = append(lines, strings.Join(d.Spec.Template.Spec.Containers[0].Args, " "))
		}
	}
	for line := range strings.Lines(string(read(t, "demo/run.sh"))) {
		if rest, ok := strings.CutPrefix(line, `"$sluice" `); ok {
			lines = append(lines, strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "&")))
		}
	}
	if len(lines) != 4 {
		t.Errorf("%d command lines found, want 4: %q", len(lines), lines)
	}
	flagWord := regexp.MustCompile(`^--?([a-z][a-z-]*)`)
	for _, line := range lines {
		words := strings.Fields(line)
		// The exit status of a help text is a matter of taste; its content is not.
		help, _ := exec.Command(sluice(t), words[0], "--help").CombinedOutput()
		for _, word := range words[1:] {
			match := flagWord.FindStringSubmatch(word)
			if match == nil {
				continue
			}
			if !regexp.MustCompile(`(^|[\s,|\[])--?` + match[1] + `\b`).Match(help) {
				t.Errorf("%s: %s is not in its help:\n%s", line, match[0], help)
			}
		}
	}
}

// TestManifestsAreAccepted: nothing in the demo is refused, by the gateway's own word.
func TestManifestsAreAccepted(t *testing.T) {
	out, err := exec.Command(sluice(t), "check", "--manifests", "demo/manifests").CombinedOutput()
	if err != nil {
		t.Errorf("sluice check: %v\n%s", err, out)
	}
}

// TestDemoAddresses: run.sh, the demo's configuration and the README speak of the same addresses.
func TestDemoAddresses(t *testing.T) {
	c, err := config.Load("demo/sluice.yaml")
	if err != nil {
		t.Fatal(err)
	}
	script := string(read(t, "demo/run.sh"))
	host, port, _ := strings.Cut(c.Listen.Metrics, ":")
	for _, want := range []string{"gateway=" + c.Listen.HTTP[0] + "\n", "metrics_host=" + host + "\n", "metrics_port=" + port + " "} {
		if !strings.Contains(script, want) {
			t.Errorf("demo/run.sh does not contain %q", want)
		}
	}
	if readme := string(read(t, "../README.md")); !strings.Contains(readme, "http://"+c.Listen.HTTP[0]+"/api/v1/") {
		t.Errorf("README.md does not name the demo's address %s", c.Listen.HTTP[0])
	}
}

// TestDemo runs the demo as `make run` does, sends the requests that it prints, and interrupts it.
func TestDemo(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes on fixed ports")
	}
	demo := exec.Command("demo/run.sh", sluice(t))
	// A process group of its own: a Ctrl-C reaches all of it, as at a terminal, and what is left of it
	// afterwards can be seen.
	demo.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	stdout, err := demo.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var stderr strings.Builder
	demo.Stderr = &stderr
	if err := demo.Start(); err != nil {
		t.Fatalf("start demo: %v", err)
	}
	group := -demo.Process.Pid
	t.Cleanup(func() { syscall.Kill(group, syscall.SIGKILL) })

	lines := make(chan string)
	go func() {
		defer close(lines)
		for scanner := bufio.NewScanner(stdout); scanner.Scan(); {
			lines <- scanner.Text()
		}
	}()
	timeout := time.After(2 * time.Minute)
	for ready := false; !ready; {
		select {
		case line, ok := <-lines:
			if !ok {
				demo.Wait()
				t.Fatalf("the demo ended before it was ready:\n%s", stderr.String())
			}
			ready = strings.Contains(line, "Ctrl-C")
		case <-timeout:
			t.Fatal("the demo was not ready within 2 minutes")
		}
	}

	const base = "http://127.0.0.1:30003"
	if status, body := get(t, base+"/api/v1/greet/hello?content=world"); status != 200 ||
		strings.TrimSpace(body) != `{"response": "Get [test-server]---> request=hello query=world"}` {
		t.Errorf("/api/v1: %d %s", status, body)
	}
	if status, _ := get(t, base+"/api/v2/greet/hello?content=world"); status != 404 {
		t.Errorf("/api/v2: %d, want 404", status)
	}

	if err := syscall.Kill(group, syscall.SIGINT); err != nil {
		t.Fatalf("interrupt demo: %v", err)
	}
	for range lines { // until every process has closed the pipe, so until every process has ended
	}
	if err := demo.Wait(); err != nil {
		t.Errorf("the interrupted demo: %v\n%s", err, stderr.String())
	}
	if err := syscall.Kill(group, 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("processes of the demo are left: %v", err)
	}
}

// get sends a request for test.com, without a connection that outlives it.
func get(t *testing.T, url string) (status int, body string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Host, request.Close = "test.com", true
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Errorf("get %s: %v", url, err)
		return 0, ""
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Errorf("get %s: %v", url, err)
	}
	return response.StatusCode, string(text)
}
