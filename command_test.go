package sluice

import (
	"encoding/json"
	"flag"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestCommandLines runs whole command lines. Parts of standard output and of standard error are
// compared.
func TestCommandLines(t *testing.T) {
	good, bad := t.TempDir(), t.TempDir()
	writeFile(t, filepath.Join(good, "all.yaml"), manifest("127.0.0.1", 6789))
	writeFile(t, filepath.Join(bad, "all.yaml"), strings.Replace(manifest("127.0.0.1", 6789), "  name: echo\n", "  name: echo\n  annotations: {sluice-gateway.io/no-such-thing: x}\n", 1))
	tests := []struct {
		line     string
		code     int
		out, log string
	}{
		{"", 2, "", "Usage: sluice COMMAND"},
		{"help", 0, "Usage: sluice COMMAND", ""},
		{"--help", 0, "  serve     Run the gateway until SIGTERM or SIGINT.", ""},
		{"sevre", 2, "", `unknown command "sevre"`},
		{"version", 0, "sluice dev go1.", ""},
		{"version now", 2, "", "version takes no arguments"},
		{"serve -h", 0, "Usage: sluice serve [-c|--config FILE]", ""},
		{"serve now", 2, "", "serve takes no arguments"},
		{"serve --no-such-flag", 2, "", "flag provided but not defined: -no-such-flag"},
		{"serve --manifests a --kubeconfig b", 2, "", "--manifests and --kubeconfig exclude each other"},
		{"serve -c /nonexistent/sluice.yaml", 1, "", "sluice serve: read configuration: open /nonexistent/sluice.yaml"},
		{"serve --set threads=x --set no.key=1 --set limits.header_count=1", 1, "", "no.key: unknown key"},
		{"serve --set threads=x --set no.key=1 --set limits.header_count=1", 1, "", "limits.header_count: 1 is out of range"},
		{"echo", 2, "", "echo needs --listen"},
		{"echo --listen nonsense", 1, "", "sluice echo: listen:"},
		{"check now", 2, "", "check takes no arguments"},
		{"check -o xml", 2, "", "-o xml: write text or json"},
		{"check --manifests /nonexistent", 1, "", "sluice check: read manifests"},
		{"check --manifests " + good, 0, "1 host, 1 route, 1 backend and 1 endpoint would be served; 0 rejections.\n", ""},
		{"check --manifests " + bad, 1, "Ingress default/echo: metadata.annotations", ""},
		{"check --manifests " + bad, 1, "1 host, 1 route, 1 backend and 1 endpoint would be served; 1 rejection.\n", ""},
		{"check -o json --manifests " + bad, 1, `"kind": "Ingress"`, ""},
		{"check -o json --manifests " + good, 0, `"rejections": []`, ""},
		{"explain", 2, "", "explain needs one URL"},
		{"explain --manifests " + good + " -H nonsense test.com/", 2, "", "write 'Name: value'"},
		{"explain --manifests " + good + " http://test.com/api/v1/greet", 0, "endpoint 127.0.0.1:6789", ""},
		{"explain --manifests " + good + " -X POST -H Host:test.com http://127.0.0.1:30003/api/v1", 0, "ingress  default/echo", ""},
		{"explain --manifests " + good + " http://test.com/api/v2/greet", 1, "404", ""},
		{"explain --manifests " + good + " http://test.com/..", 1, "", "400"},
		{"explain --admin 127.0.0.1:1 http://test.com/", 1, "", "ask gateway"},
	}
	for _, test := range tests {
		var out, log strings.Builder
		code := Options{}.run(strings.Fields(test.line), &out, &log)
		if code != test.code || !strings.Contains(out.String(), test.out) || !strings.Contains(log.String(), test.log) {
			t.Errorf("sluice %s: exit %d, want %d with %q and %q\n%s\n%s", test.line, code, test.code, test.out, test.log, &out, &log)
		}
		if test.out == "" && out.Len() > 0 || test.log == "" && log.Len() > 0 {
			t.Errorf("sluice %s: unexpected output\n%s\n%s", test.line, &out, &log)
		}
	}
}

func TestCheckJSON(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "all.yaml"), strings.Replace(manifest("127.0.0.1", 6789), "  name: echo\n", "  name: echo\n  annotations: {sluice-gateway.io/a: x, sluice-gateway.io/b: x}\n", 1))
	var out strings.Builder
	if code := (Options{}).run([]string{"check", "-o", "json", "--manifests", dir}, &out, io.Discard); code != 1 {
		t.Errorf("exit %d, want 1", code)
	}
	var r report
	decoder := json.NewDecoder(strings.NewReader(out.String()))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&r); err != nil {
		t.Fatal(err)
	}
	if len(r.Rejections) != 2 || r.Hosts != 1 || len(r.Fields) == 0 || r.Fields[0].Kind != "Ingress" {
		t.Errorf("report: %+v", r)
	}
}

// TestHelp keeps the help texts as a file that a reviewer reads, and holds them to the house rules.
func TestHelp(t *testing.T) {
	var text strings.Builder
	commands := Options{}.commands()
	text.WriteString(overview(commands))
	var names []string
	for _, c := range commands {
		names = append(names, c.name)
		set := flag.NewFlagSet(c.name, flag.ContinueOnError)
		c.register(set, io.Discard, io.Discard)
		text.WriteString("\n---\n" + c.help(set))
		var flags []string
		set.VisitAll(func(f *flag.Flag) {
			flags = append(flags, f.Name)
			_, usage := flag.UnquoteUsage(f)
			if !regexp.MustCompile(`^[A-Z].*\.$`).MatchString(usage) {
				t.Errorf("sluice %s --%s: its help is not a sentence: %q", c.name, f.Name, usage)
			}
		})
		if !slices.IsSorted(flags) {
			t.Errorf("sluice %s: flags are not sorted: %v", c.name, flags)
		}
		for line := range strings.Lines(c.about) {
			if len(line) > 121 {
				t.Errorf("sluice %s: a line of its help has %d bytes: %q", c.name, len(line), line)
			}
		}
	}
	if !slices.IsSorted(names) {
		t.Errorf("commands are not sorted: %v", names)
	}
	const file = "testdata/help.txt"
	if f := flag.Lookup("update"); f != nil && f.Value.String() == "true" {
		writeFile(t, file, text.String())
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(want) != text.String() {
		t.Errorf("%s is stale; run go test . -run TestHelp -update\n%s", file, &text)
	}
}

func TestEcho(t *testing.T) {
	tests := []struct{ method, target, want string }{
		{"GET", "/api/v1/greet/hello?content=world", `{"response": "Get [test-server]---> request=hello query=world"}`},
		{"POST", "/api/v1/greet/hello?content=world", `{"response": "Post [test-server]---> request=hello query=world"}`},
		{"DELETE", "/x/", `{"response": "Delete [test-server]---> request=x query="}`},
		{"GET", "/", `{"response": "Get [test-server]---> request= query="}`},
		{"GET", "/a?content=%22%0a%3Cb%3E&content=2", `{"response": "Get [test-server]---> request=a query=\"\n<b>"}`},
		{"GET", "/%22%5C", `{"response": "Get [test-server]---> request=\"\\ query="}`},
	}
	for _, test := range tests {
		w := httptest.NewRecorder()
		echoHandler("test-server").ServeHTTP(w, httptest.NewRequest(test.method, test.target, strings.NewReader("ignored")))
		if w.Code != http.StatusOK || w.Body.String() != test.want || !json.Valid(w.Body.Bytes()) {
			t.Errorf("%s %s: %d %s, want %s", test.method, test.target, w.Code, w.Body, test.want)
		}
	}
}

func TestCgroupMemory(t *testing.T) {
	tests := []struct {
		name  string
		files map[string]string
		want  int64
	}{
		{"none", nil, 0},
		{"version 2", map[string]string{"proc/self/cgroup": "0::/pod/c\n", "sys/fs/cgroup/pod/c/memory.max": "536870912\n"}, 536870912},
		{"version 2, a parent is tighter", map[string]string{"proc/self/cgroup": "0::/pod/c\n", "sys/fs/cgroup/pod/c/memory.max": "max\n", "sys/fs/cgroup/pod/memory.max": "1000\n"}, 1000},
		{"version 2, in the namespace's root", map[string]string{"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "2000\n"}, 2000},
		{"version 2, unlimited", map[string]string{"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "max\n"}, 0},
		{"version 1", map[string]string{"proc/self/cgroup": "5:cpu,cpuacct:/x\n4:memory:/d\n", "sys/fs/cgroup/memory/d/memory.limit_in_bytes": "3000\n"}, 3000},
		{"version 1, unlimited", map[string]string{"proc/self/cgroup": "4:memory:/\n", "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n"}, 0},
		{"nonsense", map[string]string{"proc/self/cgroup": "0::/../../etc\nxyz\n", "sys/fs/cgroup/memory.max": "-5\n"}, 0},
	}
	for _, test := range tests {
		root := t.TempDir()
		for name, text := range test.files {
			writeFile(t, filepath.Join(root, name), text)
		}
		if got := cgroupMemory(root); got != test.want {
			t.Errorf("%s: %d, want %d", test.name, got, test.want)
		}
	}
}

func writeFile(t *testing.T, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
