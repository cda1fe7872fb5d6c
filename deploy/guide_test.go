package deploy

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// guide is the page that people follow who write a filter.
const guide = "../server/filter/FILTERS.md"

// snippets returns the files that the page shows, by name.
func snippets(t *testing.T) map[string]string {
	t.Helper()
	page, err := os.ReadFile(guide)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, m := range regexp.MustCompile("(?ms)^```(?:go|txtar) (\\S+)\n(.*?)^```$").FindAllStringSubmatch(string(page), -1) {
		files[m[1]] = m[2]
	}
	if len(files) < 9 {
		t.Fatalf("the page shows %d files", len(files))
	}
	return files
}

// repository is the absolute path of this one.
func repository(t *testing.T) string {
	t.Helper()
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	return root
}

// writeFile writes a file of a scratch folder, with the folders that it is in.
func writeFile(t *testing.T, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// runIn runs a command in a folder, and returns what it says.
func runIn(t *testing.T, dir string, command ...string) string {
	t.Helper()
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOFLAGS=-mod=mod -buildvcs=false", "GOPROXY=off")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %v\n%s", command, err, out)
	}
	return string(out)
}

// TestGuideProgram follows the first half of the page in a scratch folder: the program builds, and is Sluice with the filter.
func TestGuideProgram(t *testing.T) {
	dir, root := t.TempDir(), repository(t)
	writeFile(t, filepath.Join(dir, "main.go"), snippets(t)["main.go"])
	// The modules of this repository, so that nothing is fetched.
	mod, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	sum, err := os.ReadFile(filepath.Join(root, "go.sum"))
	if err != nil {
		t.Fatal(err)
	}
	const module = "github.com/sluice-gateway/sluice"
	text := strings.Replace(string(mod), "module "+module, "module example.com/gateway", 1)
	writeFile(t, filepath.Join(dir, "go.mod"), text+"\nrequire "+module+" v0.0.0\n\nreplace "+module+" => "+root+"\n")
	writeFile(t, filepath.Join(dir, "go.sum"), string(sum))
	writeFile(t, filepath.Join(dir, "manifests", "web.yaml"), `apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web, namespace: default, annotations: {example.com/note: hello}}
spec:
  ingressClassName: sluice
  defaultBackend: {service: {name: web, port: {number: 80}}}
  rules: [{host: web.test}]
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: default}
spec: {ports: [{port: 80}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: web-1, namespace: default, labels: {kubernetes.io/service-name: web}}
addressType: IPv4
ports: [{port: 80, protocol: TCP}]
endpoints: [{addresses: ["10.0.0.1"], conditions: {ready: true}}]
`)
	runIn(t, dir, "go", "build", "-o", "gateway", ".")
	for _, row := range []struct {
		args []string
		want string
	}{
		{[]string{"filters"}, "\nfields     note\n"},
		{[]string{"filters", "--annotations"}, "| `example.com/note` | route | text | none | Text of the field X-Note in every response. |"},
		{[]string{"check", "--manifests", "manifests"}, "0 rejections"},
		{[]string{"explain", "--manifests", "manifests", "http://web.test/"}, "filter   fields: note text hello\n"},
	} {
		if out := runIn(t, dir, append([]string{"./gateway"}, row.args...)...); !strings.Contains(out, row.want) {
			t.Errorf("%v says, without %q:\n%s", row.args, row.want, out)
		}
	}
}

// TestGuideGateway follows the second half in a copy of the repository: the tests that the page names pass with the filter.
func TestGuideGateway(t *testing.T) {
	dir, root := t.TempDir(), repository(t)
	for _, part := range []string{"go.mod", "go.sum", "routing", "informer", "server", "upstream"} {
		copyTree(t, filepath.Join(root, part), filepath.Join(dir, part))
	}
	for name, text := range snippets(t) {
		switch name {
		case "main.go":
		case "server/filter/order.go":
			order, err := os.ReadFile(filepath.Join(dir, name))
			if err != nil {
				t.Fatal(err)
			}
			_, heading, found := strings.Cut(string(order), "{heading(policy.StageFields), nil,\n")
			reason, _, _ := strings.Cut(heading, "\n")
			if !found {
				t.Fatal("order.go has no heading of the stage fields")
			}
			writeFile(t, filepath.Join(dir, name), strings.Replace(string(order), reason+"\n", reason+"\n"+text, 1))
		default:
			writeFile(t, filepath.Join(dir, name), text)
		}
	}
	runIn(t, dir, "go", "test", "-vet=off", "./informer", "-run", "TestGoldens|TestGeneratedAnnotations", "-update")
	golden, err := os.ReadFile(filepath.Join(dir, "informer/testdata/annotation-note.txtar"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(golden), "note hello") {
		t.Errorf("the Snapshot has no note:\n%s", golden)
	}
	// Those tests that a new filter can fail.
	runIn(t, dir, "go", "test", "-vet=off", "./routing/policy", "./informer/annotation", "./informer", "./server/filter",
		"-run", "TestFiltersAreListed|TestNothingIsForgotten|TestRows|TestValues|TestGoldens|TestGeneratedAnnotations|TestOrder|TestNote")
}

// copyTree copies the files of a folder, or one file.
func copyTree(t *testing.T, from, to string) {
	t.Helper()
	err := filepath.WalkDir(from, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		inside, err := filepath.Rel(from, name)
		if err != nil {
			return err
		}
		writeFile(t, filepath.Join(to, inside), string(text))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
