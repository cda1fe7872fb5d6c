package interop

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// tool finds a program, or skips the test.
func tool(t *testing.T, names ...string) string {
	t.Helper()
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Skipf("%s is not installed", strings.Join(names, " or "))
	return ""
}

// run runs a program to its end and returns its output.
func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.WaitDelay = time.Second
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		t.Errorf("%s %s: %v\n%s", filepath.Base(name), strings.Join(args, " "), err, errs.String())
	}
	return out.String()
}

// files makes a certificate file and a file of n bytes for programs to read.
func files(t *testing.T, n int) (cert, body string) {
	t.Helper()
	dir := t.TempDir()
	cert, body = filepath.Join(dir, "ca.pem"), filepath.Join(dir, "body")
	for name, content := range map[string][]byte{cert: certPEM, body: bytes.Repeat([]byte("0123456789"), n/10)} {
		if err := os.WriteFile(name, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, body
}

func TestCurl(t *testing.T) {
	curl := tool(t, "curl")
	g, _ := startPairs(t, "")
	cert, body := files(t, 5000000)
	for _, mode := range []struct {
		name, version string // as %{http_version} has it
		tls           bool
	}{
		{"--http1.0", "1.1", false}, // the gateway's own version, RFC 9110 section 2.5
		{"--http1.1", "1.1", false},
		{"--http2", "1.1", false}, // asks for an upgrade to h2c, which RFC 9113 has removed
		{"--http2-prior-knowledge", "2", false},
		{"--http1.1", "1.1", true},
		{"--http2", "2", true},
		{"--tls-max 1.2 --http2", "2", true},
	} {
		for _, u := range ups {
			d := down{tls: mode.tls}
			if testing.Short() && u.tls == d.tls {
				continue
			}
			t.Run(fmt.Sprintf("%s tls=%v to %s", mode.name, mode.tls, u.name), func(t *testing.T) {
				_, port, _ := net.SplitHostPort(g.addr(d))
				base := d.url(u.host()+":"+port, "")
				args := append(strings.Fields(mode.name), "-sS", "--fail", "--max-time", "60", "--cacert", cert, "--resolve", u.host()+":"+port+":127.0.0.1")
				curl := func(more ...string) string { return run(t, curl, append(args[:len(args):len(args)], more...)...) }
				if got, want := curl("-w", " %{http_version}", base+"/"), "GET "+u.host()+":"+port+" "+mode.version; got != want {
					t.Errorf("got %q, want %q", got, want)
				}
				if got := curl("--data-binary", "@"+body, base+"/sum"); !strings.HasPrefix(got, "5000000 ") {
					t.Errorf("upload: %q", got)
				}
				if mode.name != "--http1.0" {
					if got := curl("-T", "-", "-X", "POST", "-H", "Expect: 100-continue", base+"/sum"); !strings.HasPrefix(got, "0 ") {
						t.Errorf("upload of unknown length: %q", got)
					}
				}
				if got := curl("-o", os.DevNull, "-w", "%{size_download}", base+"/bytes?n=5000000&chunked=1"); got != "5000000" {
					t.Errorf("download: %q", got)
				}
				if got := curl("--parallel", "--parallel-immediate", "-w", "%{http_code} ", "-o", os.DevNull, base+"/?[1-20]"); strings.Count(got, "200") != 20 {
					t.Errorf("parallel: %q", got)
				}
				if got := curl("-I", base+"/bytes?n=77"); !strings.Contains(strings.ToLower(got), "content-length: 77") {
					t.Errorf("head: %q", got)
				}
			})
		}
	}
}

func TestNghttp(t *testing.T) {
	nghttp := tool(t, "nghttp")
	g, _ := startPairs(t, "")
	_, body := files(t, 1000000)
	for _, d := range downs {
		if !d.http2 {
			continue
		}
		for _, u := range ups {
			t.Run(d.name+" to "+u.name, func(t *testing.T) {
				authority := "-H:authority: " + u.host()
				base := d.url(g.addr(d), "")
				args := []string{"--no-verify-peer", "-t", "60s", authority}
				nghttp := func(more ...string) string { return run(t, nghttp, append(args[:len(args):len(args)], more...)...) }
				if got := nghttp(base + "/"); got != "GET "+u.host() {
					t.Errorf("got %q", got)
				}
				if got := nghttp("-d", body, base+"/sum"); !strings.HasPrefix(got, "1000000 ") {
					t.Errorf("upload: %q", got)
				}
				if got := nghttp("-m", "50", "-w", "16", "-W", "20", base+"/bytes?n=20000"); len(got) != 50*20000 {
					t.Errorf("50 downloads under small windows: %d bytes", len(got))
				}
				if got := nghttp("--trailer", "sum: 42", "-d", body, base+"/sum"); !strings.HasPrefix(got, "1000000 ") {
					t.Errorf("upload with trailers: %q", got)
				}
			})
		}
	}
}

const pythonScript = `
import http.client, ssl, sys, urllib.request
tls, host, port, cert = sys.argv[1] == "true", sys.argv[2], int(sys.argv[3]), sys.argv[4]
context = ssl.create_default_context(cafile=cert)
context.check_hostname = False  # connects by address, so that there is no name to be looked up
def connect():
    return http.client.HTTPSConnection("127.0.0.1", port, context=context, timeout=60) if tls else http.client.HTTPConnection("127.0.0.1", port, timeout=60)
c = connect()
for i in range(10):
    c.request("GET", "/", headers={"Host": host})
    r = c.getresponse()
    assert r.status == 200 and r.read() == b"GET " + host.encode(), r.status
def pieces():
    for i in range(100):
        yield b"x" * 10000
c.request("POST", "/sum", body=pieces(), headers={"Host": host}, encode_chunked=True)
r = c.getresponse()
assert r.read().startswith(b"1000000 "), r.status
c.request("POST", "/sum", body=b"y" * 2000000, headers={"Host": host})
assert c.getresponse().read().startswith(b"2000000 ")
c.request("GET", "/bytes?n=3000000&chunked=1", headers={"Host": host})
assert len(c.getresponse().read()) == 3000000
c.request("HEAD", "/bytes?n=5", headers={"Host": host})
r = c.getresponse()
assert r.getheader("Content-Length") == "5" and r.read() == b""
opener = urllib.request.build_opener(urllib.request.HTTPSHandler(context=context))
url = "%s://127.0.0.1:%d/events?n=5" % ("https" if tls else "http", port)
with opener.open(urllib.request.Request(url, headers={"Host": host}), timeout=60) as r:
    assert r.read().count(b"data:") == 5
print("ok")
`

func TestPython(t *testing.T) {
	python := tool(t, "python3")
	g, _ := startPairs(t, "")
	cert, _ := files(t, 0)
	for _, d := range downs {
		if d.http2 {
			continue
		}
		for _, u := range ups {
			t.Run(d.name+" to "+u.name, func(t *testing.T) {
				_, port, _ := net.SplitHostPort(g.addr(d))
				if got := run(t, python, "-c", pythonScript, fmt.Sprint(d.tls), u.host(), port, cert); got != "ok\n" {
					t.Errorf("printed %q", got)
				}
			})
		}
	}
}
