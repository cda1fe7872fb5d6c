package deploy

import (
	"bytes"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

var update = flag.Bool("update", false, "Rewrite generated files.")

const singleFile = "sluice.yaml"

// render joins the base's resources in kustomization.yaml's order, comments included. Kustomize itself
// would drop the comments, which a person reads before applying the file.
func render(t *testing.T) []byte {
	t.Helper()
	var k kustomization
	if err := yaml.UnmarshalStrict(read(t, "base/kustomization.yaml"), &k); err != nil {
		t.Fatalf("base/kustomization.yaml: %v", err)
	}
	var out bytes.Buffer
	out.WriteString("# Code generated from deploy/base by `make generate`. DO NOT EDIT.\n")
	out.WriteString("# Install the gateway: kubectl apply -f deploy/sluice.yaml\n")
	for i, name := range k.Resources {
		if i > 0 {
			out.WriteString("---\n")
		}
		out.WriteString("# base/" + name + "\n")
		out.Write(read(t, filepath.Join("base", name)))
	}
	return out.Bytes()
}

func TestGeneratedSingleFile(t *testing.T) {
	want := render(t)
	if *update {
		if err := os.WriteFile(singleFile, want, 0o644); err != nil {
			t.Fatalf("write single file: %v", err)
		}
	}
	if !bytes.Equal(read(t, singleFile), want) {
		t.Errorf("deploy/%s is not what deploy/base gives: run `make generate`", singleFile)
	}
}

// TestEveryBaseFileIsAResource: a file missing in kustomization.yaml would never be applied.
func TestEveryBaseFileIsAResource(t *testing.T) {
	var k kustomization
	if err := yaml.UnmarshalStrict(read(t, "base/kustomization.yaml"), &k); err != nil {
		t.Fatalf("base/kustomization.yaml: %v", err)
	}
	listed := map[string]bool{"kustomization.yaml": true}
	for _, name := range k.Resources {
		listed[name] = true
	}
	files, err := os.ReadDir("base")
	if err != nil {
		t.Fatalf("list base: %v", err)
	}
	for _, file := range files {
		if !listed[file.Name()] {
			t.Errorf("base/%s is not among kustomization.yaml's resources", file.Name())
		}
	}
}

// TestKustomizeAgrees compares our rendering with the real one where kubectl is installed.
func TestKustomizeAgrees(t *testing.T) {
	kubectl, err := exec.LookPath("kubectl")
	if err != nil {
		t.Skip("kubectl is not on PATH")
	}
	out, err := exec.Command(kubectl, "kustomize", "base").CombinedOutput()
	if err != nil {
		t.Fatalf("kubectl kustomize: %v\n%s", err, out)
	}
	theirs, err := parseObjects(out)
	if err != nil {
		t.Fatalf("parse kustomize's output: %v", err)
	}
	ours, err := parseObjects(render(t))
	if err != nil {
		t.Fatalf("parse base: %v", err)
	}
	// Kustomize puts the objects into an order of its own.
	if a, b := byKey(ours), byKey(theirs); !reflect.DeepEqual(a, b) {
		t.Errorf("kustomize renders other objects: %d of %d", len(b), len(a))
	}
}

// byKey indexes objects by type, namespace and name.
func byKey(objects []metav1.Object) map[string]metav1.Object {
	index := map[string]metav1.Object{}
	for _, o := range objects {
		index[reflect.TypeOf(o).String()+" "+o.GetNamespace()+"/"+o.GetName()] = o
	}
	return index
}
