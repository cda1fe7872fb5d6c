package admin

import (
	"bytes"
	"context"
	"encoding/base64"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// testToken is the tests' token by default.
const testToken = "0123456789abcdef0123"

func tokenFile(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(name, []byte(text+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// TestTokenIsRequired: reaching the address is not enough for any page of it.
func TestTokenIsRequired(t *testing.T) {
	options := testOptions()
	options.AdminToken = tokenFile(t, testToken)
	metrics, admin := start(t, options)
	basic := func(text string) string { return "Basic " + base64.StdEncoding.EncodeToString([]byte(text)) }
	tests := []struct {
		name, shown string
		want        int
	}{
		{"nothing", "", 401},
		{"the token", "Bearer " + testToken, 200},
		{"in another case", "bearer  " + testToken + " ", 200},
		{"as a password", basic("anybody:" + testToken), 200},
		{"as a password of nobody", basic(":" + testToken), 200},
		{"as a name", basic(testToken + ":"), 401},
		{"a part of it", "Bearer " + testToken[:19], 401},
		{"more than it", "Bearer " + testToken + "0", 401},
		{"nothing after the scheme", "Bearer ", 401},
		{"no scheme", testToken, 401},
		{"a bad password", "Basic !", 401},
		{"another scheme", "Digest " + testToken, 401},
	}
	for _, test := range tests {
		for _, path := range []string{"/debug/routes", "/debug/pprof/cmdline", "/api/v1/config", "/api/v1/explain?url=http://shop.example/", "/", "/nothing"} {
			want := test.want
			if path == "/nothing" && want == 200 {
				want = 404
			}
			status, header, body := fetch(t, "GET", "http://"+admin+path, http.Header{"Authorization": {test.shown}})
			if status != want {
				t.Errorf("%s, %s: %d %s, want %d", test.name, path, status, body, want)
			}
			if status == 401 && (header.Get("Www-Authenticate") == "" || strings.Contains(body, testToken)) {
				t.Errorf("%s, %s: %v %s", test.name, path, header, body)
			}
		}
	}
	if status, _, _ := fetch(t, "GET", "http://"+metrics+"/healthz", http.Header{"Authorization": {""}}); status != 200 {
		t.Errorf("/healthz without a token: %d", status)
	}
	// A token that is exchanged counts at once.
	if err := os.WriteFile(options.AdminToken, []byte("another-token-than-before"), 0o600); err != nil {
		t.Fatal(err)
	}
	for shown, want := range map[string]int{testToken: 401, "another-token-than-before": 200} {
		if status, _, _ := fetch(t, "GET", "http://"+admin+"/debug/routes", http.Header{"Authorization": {"Bearer " + shown}}); status != want {
			t.Errorf("after the token is another one, %s: %d, want %d", shown, status, want)
		}
	}
}

// TestTokenFile: one is made where there is none; one that another user may have written is refused.
func TestTokenFile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "token")
	if err := token(name).ensure(); err != nil {
		t.Fatal(err)
	}
	made, err := token(name).read()
	if err != nil || len(made) < 40 {
		t.Errorf("%q %v", made, err)
	}
	if info, err := os.Stat(name); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info.Mode(), err)
	}
	if err := token(name).ensure(); err != nil {
		t.Error(err)
	}
	if again, _ := token(name).read(); !bytes.Equal(again, made) {
		t.Error("a token that is there was replaced")
	}
	refused := func(what string, t1 token) {
		t.Helper()
		if text, err := t1.read(); err == nil {
			t.Errorf("%s: taken: %q", what, text)
		}
	}
	refused("no file", token(name+"2"))
	refused("no name", token(""))
	refused("a folder", token(filepath.Dir(name)))
	refused("a short one", token(tokenFile(t, "short")))
	for _, mode := range []os.FileMode{0o620, 0o602, 0o666} {
		if err := os.Chmod(name, mode); err != nil {
			t.Fatal(err)
		}
		refused(mode.String(), token(name))
	}
	if os.Geteuid() == 0 {
		if err := os.Chmod(name, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(name, 12345, 12345); err != nil {
			t.Fatal(err)
		}
		refused("another user's", token(name))
		link := filepath.Join(t.TempDir(), "link")
		if err := os.Symlink(tokenFile(t, testToken), link); err != nil {
			t.Fatal(err)
		}
		if _, err := token(link).read(); err != nil {
			t.Errorf("a link of our own: %v", err)
		}
		if err := os.Lchown(link, 12345, 12345); err != nil {
			t.Fatal(err)
		}
		refused("another user's link", token(link))
	}
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if _, err := token(fifo).read(); err == nil {
			t.Error("a FIFO is taken for a token")
		}
	}()
	select {
	case <-done:
	case <-time.After(time.Minute):
		t.Fatal("a FIFO without a writer holds the read up")
	}
}

// TestNobodyIsAnswered without a token, and the answer explains why.
func TestNobodyIsAnswered(t *testing.T) {
	var log bytes.Buffer
	options := testOptions()
	options.AdminToken, options.Logger = filepath.Join(t.TempDir(), "no", "token"), slog.New(slog.NewTextHandler(&log, nil))
	_, admin := start(t, options)
	for _, shown := range []string{"", "Bearer ", "Bearer " + testToken} {
		if status, _, body := fetch(t, "GET", "http://"+admin+"/debug/routes", http.Header{"Authorization": {shown}}); status != 401 || !strings.Contains(body, "admin_socket") {
			t.Errorf("%q: %d %s", shown, status, body)
		}
	}
	if !strings.Contains(log.String(), "listen.admin answers nobody") {
		t.Errorf("log: %s", &log)
	}
}

// overSocket asks over a Unix socket.
func overSocket(t *testing.T, path, host, page string) (status int, body string) {
	t.Helper()
	client := &http.Client{Timeout: time.Minute, Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", path)
	}}}
	response, err := client.Get("http://" + host + page)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

// TestSocket: it answers without a token, only its user can open it, the last gateway has it, and it goes
// with that one.
func TestSocket(t *testing.T) {
	folder, err := os.MkdirTemp("", "sluice")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(folder) })
	path := filepath.Join(folder, "admin.sock")
	options := testOptions()
	options.Metrics, options.Admin, options.AdminSocket = "", "", path
	begin := func(version string) *Server {
		options.Vitals = func() Vitals { return Vitals{Version: version} }
		s, err := New(options)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Start(); err != nil {
			t.Fatal(err)
		}
		return s
	}
	first := begin("first")
	if a := first.Addresses(); len(a) != 1 || a[0].String() != path {
		t.Errorf("addresses %v", a)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info, err)
	}
	if status, body := overSocket(t, path, "localhost", "/debug/routes"); status != 200 || !strings.Contains(body, "shop.example") {
		t.Errorf("%d %s", status, body)
	}
	if status, _ := overSocket(t, path, "evil.example", "/debug/routes"); status != 403 {
		t.Errorf("by a foreign name: %d", status)
	}
	second := begin("second")
	if _, body := overSocket(t, path, "localhost", "/api/v1/status"); !strings.Contains(body, `"second"`) {
		t.Errorf("of two gateways: %s", body)
	}
	if err := first.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if _, body := overSocket(t, path, "localhost", "/api/v1/status"); !strings.Contains(body, `"second"`) {
		t.Errorf("after the other one ended: %s", body)
	}
	if err := second.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if left, _ := os.ReadDir(folder); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}

	// A file that is no socket is not removed.
	if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if l, err := listenSocket(path); err == nil {
		l.Close()
		t.Error("a file was replaced")
	}
	if text, err := os.ReadFile(path); string(text) != "precious" || err != nil {
		t.Errorf("%q %v", text, err)
	}
	if left, _ := os.ReadDir(folder); len(left) != 1 {
		t.Errorf("left behind: %v", left)
	}
}
