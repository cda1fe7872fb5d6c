package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// statusAddress is the address that the gateway writes into the status of Ingresses.
const statusAddress = "192.0.2.10"

// gatewayOptions say how to run a gateway. name and port are its own.
type gatewayOptions struct {
	name       string
	port       int // HTTP; metrics, admin and HTTPS are the next three
	kubeconfig string
}

// gateway is one running `sluice serve`.
type gateway struct {
	// Immutable after newGateway:
	options gatewayOptions
	address string // of HTTP
	metrics string
	admin   string
	token   string // the file with the admin plane's token
	secure  string // of HTTPS
	log     string

	// Set by start:
	*process
}

func newGateway(o gatewayOptions) *gateway {
	at := func(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }
	return &gateway{
		options: o,
		address: at(o.port), metrics: at(o.port + 1), admin: at(o.port + 2), secure: at(o.port + 3),
		log:   filepath.Join(shared.dir, o.name+".log"),
		token: filepath.Join(shared.dir, o.name+".token"),
	}
}

// start runs the binary; it may not be ready yet.
func (g *gateway) start() error {
	config := filepath.Join(shared.dir, g.options.name+".yaml")
	text := fmt.Sprintf(`version: 1
threads: 2
upgrade_sock: ""
listen: {http: [%q], https: [%q], metrics: %q, admin: %q, admin_socket: "", admin_token_file: %q}
kubernetes: {publish_status_address: [%q], allowed_endpoints: [%q]}
limits: {connections_per_source: 12000} # all clients of these tests are one source
shutdown: {drain_seconds: 300}
`, g.address, g.secure, g.metrics, g.admin, g.token, statusAddress, podNetwork6)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		return err
	}
	var err error
	g.process, err = launch(exec.Command(sluiceBinary, "serve", "-c", config, "--kubeconfig", g.options.kubeconfig), g.log)
	return err
}

// awaitReady returns when /readyz answers 200.
func (g *gateway) awaitReady() error {
	deadline := time.Now().Add(2 * time.Minute)
	var status int
	var body string
	for time.Now().Before(deadline) {
		select {
		case <-g.ended:
			return fmt.Errorf("gateway %s ended: %v", g.options.name, g.err)
		default:
		}
		var err error
		if status, body, err = g.ask(g.metrics, "/readyz"); err != nil {
			body = err.Error()
		}
		if status == http.StatusOK {
			return nil
		}
		time.Sleep(10 * time.Millisecond)
	}
	return fmt.Errorf("gateway %s is not ready: %d %s", g.options.name, status, body)
}

// ask reads a page of the metrics or admin plane.
func (g *gateway) ask(plane, path string) (status int, body string, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+plane+path, nil)
	if err != nil {
		return 0, "", err
	}
	if plane == g.admin {
		token, err := os.ReadFile(g.token)
		if err != nil {
			return 0, "", err
		}
		req.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(text), err
}

// rejection is an element of /api/v1/rejections.
type rejection struct{ Kind, Namespace, Name, Field, Value, Reason string }

func (g *gateway) rejections() (list []rejection, err error) {
	_, body, err := g.ask(g.admin, "/api/v1/rejections")
	if err != nil {
		return nil, err
	}
	return list, json.Unmarshal([]byte(body), &list)
}

// alarming lines have no place in the log of a healthy gateway: a right that deploy/base does not
// grant, and faults of the program.
var alarming = regexp.MustCompile(`(?i)forbidden|cannot (list|watch|create|patch|update)|panic|\bBUG\b|DATA RACE`)

// complaints returns the alarming lines of the log.
func (g *gateway) complaints() []byte {
	text, err := os.ReadFile(g.log)
	if err != nil {
		return []byte(err.Error())
	}
	lines := bytes.SplitAfter(text, []byte("\n"))
	return bytes.Join(slices.DeleteFunc(lines, func(line []byte) bool { return !alarming.Match(line) }), nil)
}

// logTail returns the last lines of the log.
func (g *gateway) logTail() string {
	text, err := os.ReadFile(g.log)
	if err != nil {
		return err.Error()
	}
	lines := strings.SplitAfter(string(text), "\n")
	return strings.Join(lines[max(0, len(lines)-40):], "")
}

// metric reads a metric without labels.
func metric(t *testing.T, g *gateway, name string) float64 {
	t.Helper()
	_, body, err := g.ask(g.metrics, "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(body) {
		if text, ok := strings.CutPrefix(line, name+" "); ok {
			value, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
			if err != nil {
				t.Fatalf("metric %s: %v", name, err)
			}
			return value
		}
	}
	t.Fatalf("no metric %s", name)
	return 0
}
