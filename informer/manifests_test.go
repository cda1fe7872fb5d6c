package informer

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/routing"
)

const (
	manifestService = "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec:\n  ports: [{port: 80}]\n"
	manifestIngress = `apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: NAME}
spec:
  rules:
  - host: HOST
    http:
      paths:
      - {path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}
`
)

func ingressManifest(name, host string) string {
	return strings.NewReplacer("NAME", name, "HOST", host).Replace(manifestIngress)
}

// TestDecode: what a manifest may hold, and what refuses the whole file.
func TestDecode(t *testing.T) {
	list := "apiVersion: v1\nkind: List\nitems:\n- " + strings.ReplaceAll(strings.TrimSuffix(manifestService, "\n"), "\n", "\n  ") + "\n"
	rows := []struct{ text, objects, skipped, err string }{
		{"", "", "", ""},
		{"---\n# nothing\n---\n", "", "", ""},
		{manifestService, "Service default/web", "", ""},
		{manifestService + "---\n" + ingressManifest("a", "a.test"), "Service default/web,Ingress default/a", "", ""},
		{list, "Service default/web", "", ""},
		{`{"apiVersion":"v1","kind":"Service","metadata":{"name":"web","namespace":"ns"}}`, "Service ns/web", "", ""},
		{"apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ndata: {a: YQ==}\n", "Secret default/s", "", ""},
		{"apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ndata: {a: '%'}\n", "", "", "document 1: Secret default/s: data[a]: want base64; plain text belongs into stringData"},
		{"apiVersion: apps/v1\nkind: Deployment\nwhatever: true\n", "", ": document 1: apps/v1 Deployment", ""},
		{"apiVersion: serving.knative.dev/v1\nkind: Service\n", "", ": document 1: serving.knative.dev/v1 Service", ""},
		{"apiVersion: extensions/v1beta1\nkind: Ingress\n", "", "", "document 1: Ingress of apiVersion extensions/v1beta1 is not supported: want networking.k8s.io/v1"},
		{manifestService + "---\nkind: Service\n", "", "", "document 2: kind and apiVersion are required"},
		{"a: b: c\n", "", "", "document 1: "},
		{"- a\n", "", "", "document 1: not an object"},
		{"apiVersion: v1\nkind: Service\nmetadata: {}\n", "", "", "document 1: Service: metadata.name is required"},
		{manifestService + "  prots: []\n", "", "", "document 1: Service default/web: spec.prots: no such field; did you mean ports?"},
		{manifestService + "kind: Service\n", "", "", "document 1: line 6: key kind is there twice in one mapping"},
	}
	for _, row := range rows {
		events, skipped, err := decode([]byte(row.text))
		if row.err == "" && err != nil || row.err != "" && (err == nil || !strings.Contains(err.Error(), row.err)) {
			t.Errorf("%q: error %v, want %q", row.text, err, row.err)
		}
		if got := strings.Join(keys(events), ","); got != row.objects {
			t.Errorf("%q: objects %s, want %s", row.text, got, row.objects)
		}
		var left []string
		for _, s := range skipped {
			left = append(left, s.String())
		}
		if got := strings.Join(left, ","); got != row.skipped {
			t.Errorf("%q: skipped %s, want %s", row.text, got, row.skipped)
		}
	}
}

// dir is a directory of manifests that is scanned by hand.
type dir struct {
	t    *testing.T
	path string
	m    *manifests
	w    *world
	// now is the time, which a test lets pass.
	now time.Time
}

func (d *dir) pass(t time.Duration) { d.now = d.now.Add(t) }

func newDir(t *testing.T, cfg Config) *dir {
	t.Helper()
	cfg.Manifests = t.TempDir()
	cfg, err := cfg.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	d := &dir{t, cfg.Manifests, newManifests(&cfg, slog.New(slog.DiscardHandler), &stats{}), newWorld(cfg), time.Unix(1e9, 0)}
	d.m.now = func() time.Time { return d.now }
	return d
}

func (d *dir) write(name, text string) {
	d.t.Helper()
	write(d.t, filepath.Join(d.path, name), text)
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// scan reads the directory, builds, and returns the Hosts and then the Rejections.
func (d *dir) scan() string {
	d.t.Helper()
	events, err := d.m.scan(nil, nil)
	if err != nil {
		d.t.Fatal(err)
	}
	d.w.step(events...)
	return hosts(d.w.snapshot) + strings.ReplaceAll(rejections(d.w.b.rejected.all()), d.path+"/", "")
}

func hosts(s *routing.Snapshot) string {
	var names []string
	for h := range s.Table.Hosts() {
		names = append(names, h.Name())
	}
	return strings.Join(names, " ")
}

func rejections(list []Rejection) (text string) {
	for _, r := range list {
		text += "; " + r.String()
	}
	return text
}

func TestScan(t *testing.T) {
	d := newDir(t, Config{Namespaces: []string{"default"}})
	expect := func(what, want string) {
		t.Helper()
		if got := d.scan(); got != want {
			t.Errorf("%s:\n%s\nwant\n%s", what, got, want)
		}
	}
	d.write("service.yaml", manifestService)
	d.write("a.yml", ingressManifest("a", "a.test"))
	d.write("deep/er/b.json", `{"apiVersion":"networking.k8s.io/v1","kind":"Ingress","metadata":{"name":"b"},"spec":{"rules":[{"host":"b.test"}],"defaultBackend":{"service":{"name":"web","port":{"number":80}}}}}`)
	d.write("elsewhere.yaml", strings.Replace(ingressManifest("c", "c.test"), "{name: c}", "{name: c, namespace: other}", 1))
	d.write("notes.txt", "no manifest")
	d.write("a.yml~", "no manifest")
	d.write(".a.yml.swp", "no manifest")
	d.write(".hidden/x.yaml", "no manifest")
	expect("all file names", "a.test b.test")

	d.write("a.yml", "broken: [")
	expect("a broken file keeps its last state", "a.test b.test; File a.yml: document 1: line 1: a value is missing, or begins with a character that it cannot begin with; the last good state of the file stays")
	d.write("new.yaml", "broken: [")
	d.write("a.yml", ingressManifest("a", "mended.test"))
	expect("a new broken file has none", "b.test mended.test; File new.yaml: document 1: line 1: a value is missing, or begins with a character that it cannot begin with; nothing of the file is served")
	d.write("new.yaml", ingressManifest("a", "twice.test"))
	expect("an object in two files", `b.test mended.test; File new.yaml: object="Ingress default/a": a.yml defines it already, and that one is used; remove one of the two`)
	if err := os.Remove(filepath.Join(d.path, "a.yml")); err != nil {
		t.Fatal(err)
	}
	expect("the other file takes over", "b.test twice.test")
	if err := os.RemoveAll(filepath.Join(d.path, "deep")); err != nil {
		t.Fatal(err)
	}
	d.scan()
	d.pass(grace)
	expect("a directory goes", "twice.test")
	if err := os.RemoveAll(d.path); err != nil {
		t.Fatal(err)
	}
	if _, err := d.m.scan(nil, nil); err == nil {
		t.Error("no error where the root is gone")
	}
	if got := hosts(d.w.snapshot); got != "twice.test" {
		t.Errorf("the root goes: %s", got)
	}
}

// TestHotReload watches a directory, and changes it in the ways that people, editors and the kubelet
// do.
func TestHotReload(t *testing.T) {
	root := filepath.Join(t.TempDir(), "manifests")
	write(t, filepath.Join(root, "service.yaml"), manifestService)
	published := make(chan string, 100)
	store := new(routing.Store)
	c, err := New(Config{Manifests: root}, store, Options{
		Logger:    slog.New(slog.DiscardHandler),
		OnPublish: func(s *routing.Snapshot) { published <- hosts(s) },
	})
	if err != nil {
		t.Fatal(err)
	}
	// Files removed here are gone for good.
	c.source.(*manifests).grace = time.Millisecond
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	defer func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	}()
	expect := func(what, want string) {
		t.Helper()
		deadline := time.After(patience)
		last := "nothing"
		for last != want {
			select {
			case last = <-published:
			case <-deadline:
				t.Fatalf("%s: last published %q, want %q", what, last, want)
			}
		}
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	expect("the start", "")
	if s := c.Stats(); !c.Synced() || !s.Connected || s.Publishes != 1 {
		t.Errorf("after the start: synced %v, %+v", c.Synced(), s)
	}

	file := filepath.Join(root, "a.yaml")
	write(t, file, ingressManifest("a", "one.test"))
	expect("a new file", "one.test")
	write(t, file, ingressManifest("a", "two.test"))
	expect("a file written in place", "two.test")
	write(t, filepath.Join(root, ".a.yaml.tmp"), ingressManifest("a", "three.test"))
	must(os.Rename(filepath.Join(root, ".a.yaml.tmp"), file))
	expect("a file renamed into place", "three.test")
	write(t, filepath.Join(root, "sub", "deeper", "b.yaml"), ingressManifest("b", "b.test"))
	expect("a new directory", "b.test three.test")
	must(os.Rename(filepath.Join(root, "sub"), filepath.Join(root, "other")))
	write(t, filepath.Join(root, "other", "deeper", "b.yaml"), ingressManifest("b", "moved.test"))
	expect("a directory that moves", "moved.test three.test")
	must(os.RemoveAll(filepath.Join(root, "other")))
	expect("a directory that goes", "three.test")

	// The kubelet's handling of a ConfigMap.
	mount := filepath.Join(root, "mount")
	write(t, filepath.Join(mount, "..v1", "c.yaml"), ingressManifest("c", "v1.test"))
	must(os.Symlink("..v1", filepath.Join(mount, "..data")))
	must(os.Symlink("..data/c.yaml", filepath.Join(mount, "c.yaml")))
	expect("a mounted ConfigMap", "three.test v1.test")
	write(t, filepath.Join(mount, "..v2", "c.yaml"), ingressManifest("c", "v2.test"))
	must(os.Symlink("..v2", filepath.Join(mount, "..data_tmp")))
	must(os.Rename(filepath.Join(mount, "..data_tmp"), filepath.Join(mount, "..data")))
	must(os.RemoveAll(filepath.Join(mount, "..v1")))
	expect("a ConfigMap that changes", "three.test v2.test")

	// The root itself is replaced.
	next := root + ".next"
	write(t, filepath.Join(next, "all.yaml"), manifestService+"---\n"+ingressManifest("a", "next.test"))
	must(os.Rename(root, root+".old"))
	must(os.Rename(next, root))
	expect("another root", "next.test")
	write(t, filepath.Join(root, "all.yaml"), manifestService+"---\n"+ingressManifest("a", "last.test"))
	expect("a file of the other root", "last.test")
}

// TestInspectDir: --manifests may name a file, too.
func TestInspectDir(t *testing.T) {
	file := filepath.Join(t.TempDir(), "all.yaml")
	write(t, file, manifestService+"---\n"+ingressManifest("a", "a.test"))
	i, err := InspectDir(file, Config{})
	if err != nil || len(i.Rejections) > 0 || hosts(i.Snapshot) != "a.test" {
		t.Errorf("a file: %+v, error %v", i, err)
	}
	if _, err := InspectDir(file+".missing", Config{}); err == nil || !strings.Contains(err.Error(), "read manifests: ") {
		t.Errorf("a missing file: %v", err)
	}
}
