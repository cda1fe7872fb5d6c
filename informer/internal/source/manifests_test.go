package source

import (
	"cmp"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	networkingv1 "k8s.io/api/networking/v1"
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
		events, skipped, err := Decode([]byte(row.text))
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
	m    *Manifests
	told told
	// now is the time, which a test lets pass.
	now time.Time
}

func (d *dir) pass(t time.Duration) { d.now = d.now.Add(t) }

func newDir(t *testing.T, namespaces ...string) *dir {
	t.Helper()
	path := t.TempDir()
	d := &dir{t, path, NewManifests(path, namespaces, slog.New(slog.DiscardHandler), new(Reach)), make(told), time.Unix(1e9, 0)}
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

// scan reads the directory, and returns the hosts of its Ingresses and then the Faults.
func (d *dir) scan() string {
	d.t.Helper()
	events, err := d.m.scan(nil, nil)
	if err != nil {
		d.t.Fatal(err)
	}
	for _, e := range events {
		d.told.hear(e)
	}
	return d.told.hosts() + strings.ReplaceAll(d.told.faults(), d.path+"/", "")
}

// told is what a receiver knows by the events that it got.
type told map[Key]any

func (o told) hear(e Event) {
	if e.Object == nil {
		delete(o, e.Key)
	} else {
		o[e.Key] = e.Object
	}
}

// hosts names those of all Ingresses.
func (o told) hosts() string {
	var names []string
	for _, object := range o {
		if ing, ok := object.(*networkingv1.Ingress); ok {
			for _, rule := range ing.Spec.Rules {
				names = append(names, rule.Host)
			}
		}
	}
	slices.Sort(names)
	return strings.Join(slices.Compact(names), " ")
}

func (o told) faults() (text string) {
	var list []Fault
	for _, object := range o {
		faults, _ := object.([]Fault)
		list = append(list, faults...)
	}
	slices.SortFunc(list, func(a, b Fault) int {
		return cmp.Or(strings.Compare(a.File, b.File), strings.Compare(a.Object, b.Object), strings.Compare(a.Reason, b.Reason))
	})
	for _, f := range list {
		text += "; File " + f.File + ": "
		if f.Object != "" {
			text += fmt.Sprintf("object=%q: ", f.Object)
		}
		text += f.Reason
	}
	return text
}

// keys names the objects of events.
func keys(events []Event) (names []string) {
	for _, e := range events {
		names = append(names, e.Key.String())
	}
	return names
}

func TestScan(t *testing.T) {
	d := newDir(t, "default")
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
	if got := d.told.hosts(); got != "twice.test" {
		t.Errorf("the root goes: %s", got)
	}
}

// TestHotReload watches a directory, and changes it in the ways that people, editors and the kubelet
// do.
func TestHotReload(t *testing.T) {
	root := filepath.Join(t.TempDir(), "manifests")
	write(t, filepath.Join(root, "service.yaml"), manifestService)
	// What goes here is gone for good.
	reach, expect := watched(t, root, lookEvery)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	expect("the start", "")
	if connected, _ := reach.State(); !connected {
		t.Error("not connected after the start")
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

	// What the kubelet does with a ConfigMap.
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
