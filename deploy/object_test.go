package deploy

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"

	"github.com/sluice-gateway/sluice/server/config"
)

// kinds are the types that a manifest here may have. A manifest of another kind is an error, so that
// none goes unchecked.
var kinds = map[string]func() metav1.Object{
	"apps/v1 DaemonSet":                               func() metav1.Object { return new(appsv1.DaemonSet) },
	"apps/v1 Deployment":                              func() metav1.Object { return new(appsv1.Deployment) },
	"discovery.k8s.io/v1 EndpointSlice":               func() metav1.Object { return new(discoveryv1.EndpointSlice) },
	"networking.k8s.io/v1 Ingress":                    func() metav1.Object { return new(networkingv1.Ingress) },
	"networking.k8s.io/v1 IngressClass":               func() metav1.Object { return new(networkingv1.IngressClass) },
	"rbac.authorization.k8s.io/v1 ClusterRole":        func() metav1.Object { return new(rbacv1.ClusterRole) },
	"rbac.authorization.k8s.io/v1 ClusterRoleBinding": func() metav1.Object { return new(rbacv1.ClusterRoleBinding) },
	"rbac.authorization.k8s.io/v1 RoleBinding":        func() metav1.Object { return new(rbacv1.RoleBinding) },
	"v1 ConfigMap":                                    func() metav1.Object { return new(corev1.ConfigMap) },
	"v1 Namespace":                                    func() metav1.Object { return new(corev1.Namespace) },
	"v1 Service":                                      func() metav1.Object { return new(corev1.Service) },
	"v1 ServiceAccount":                               func() metav1.Object { return new(corev1.ServiceAccount) },
}

// clusterScoped are the kinds that have no namespace.
var clusterScoped = []string{"ClusterRole", "ClusterRoleBinding", "IngressClass", "Namespace"}

// kustomization is the part of Kustomize's file that is used here; more would need a real Kustomize to
// render deploy/sluice.yaml.
type kustomization struct {
	metav1.TypeMeta `json:",inline"`
	Resources       []string `json:"resources"`
}

// parseObjects decodes a multi-document manifest; a field that its type does not have is an error.
func parseObjects(text []byte) ([]metav1.Object, error) {
	var objects []metav1.Object
	reader := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(text)))
	for {
		document, err := reader.Read()
		if err == io.EOF {
			return objects, nil
		}
		if err != nil {
			return nil, fmt.Errorf("split documents: %w", err)
		}
		var kind metav1.TypeMeta
		if err := yaml.Unmarshal(document, &kind); err != nil {
			return nil, fmt.Errorf("read kind: %w", err)
		}
		create, ok := kinds[kind.APIVersion+" "+kind.Kind]
		if !ok {
			return nil, fmt.Errorf("%s %s is no kind that the tests know", kind.APIVersion, kind.Kind)
		}
		object := create()
		if err := yaml.UnmarshalStrict(document, object); err != nil {
			return nil, fmt.Errorf("decode %s: %w", kind.Kind, err)
		}
		if object.GetName() == "" {
			return nil, fmt.Errorf("a %s has no name", kind.Kind)
		}
		if slices.Contains(clusterScoped, kind.Kind) != (object.GetNamespace() == "") {
			return nil, fmt.Errorf("%s %s: namespace %q", kind.Kind, object.GetName(), object.GetNamespace())
		}
		objects = append(objects, object)
	}
}

// TestEveryYAML strict-parses every YAML file below deploy as its kind.
func TestEveryYAML(t *testing.T) {
	checked := 0
	err := filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			switch path {
			case "cluster", "corpus", "e2e": // not manifests of ours
				return filepath.SkipDir
			}
			return nil
		}
		if ext := filepath.Ext(path); ext != ".yaml" && ext != ".yml" {
			return nil
		}
		checked++
		text := read(t, path)
		switch filepath.ToSlash(path) {
		case "base/kustomization.yaml", "components/secrets-cluster-wide/kustomization.yaml":
			if err := yaml.UnmarshalStrict(text, new(kustomization)); err != nil {
				t.Errorf("%s: %v", path, err)
			}
		case "demo/sluice.yaml":
			if _, err := config.Load(path); err != nil {
				t.Error(err)
			}
		default:
			if _, err := parseObjects(text); err != nil {
				t.Errorf("%s: %v", path, err)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatalf("walk deploy: %v", err)
	}
	if checked < 10 {
		t.Errorf("only %d YAML files found", checked)
	}
}

func TestParseObjectsIsStrict(t *testing.T) {
	rows := []struct{ name, text, want string }{
		{"unknown field", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: b}\ndatum: {}\n", "datum"},
		{"duplicate key", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: b}\ndata: {}\ndata: {}\n", "already"},
		{"unknown kind", "apiVersion: v1\nkind: Pod\nmetadata: {name: a, namespace: b}\n", "no kind"},
		{"no namespace", "apiVersion: v1\nkind: Service\nmetadata: {name: a}\n", "namespace"},
		{"namespace too many", "apiVersion: v1\nkind: Namespace\nmetadata: {name: a, namespace: b}\n", "namespace"},
		{"second document", "apiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n---\nkind: X\n", "no kind"},
	}
	for _, row := range rows {
		if _, err := parseObjects([]byte(row.text)); err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: %v, want an error about %q", row.name, err, row.want)
		}
	}
}

// find returns the only object of a type in the base.
func find[T metav1.Object](t *testing.T) T {
	t.Helper()
	all := findAll[T](t)
	if len(all) != 1 {
		t.Fatalf("the base has %d objects of type %T, want 1", len(all), *new(T))
	}
	return all[0]
}

// findAll returns the objects of a type in the base, in its order.
func findAll[T metav1.Object](t *testing.T) []T {
	t.Helper()
	objects, err := parseObjects(render(t))
	if err != nil {
		t.Fatalf("parse base: %v", err)
	}
	var all []T
	for _, object := range objects {
		if o, ok := object.(T); ok {
			all = append(all, o)
		}
	}
	return all
}

// baseConfig returns the gateway's configuration in the base's ConfigMap, checked.
func baseConfig(t *testing.T) *config.Config {
	t.Helper()
	c, err := config.Parse([]byte(find[*corev1.ConfigMap](t).Data["sluice.yaml"]))
	if err != nil {
		t.Fatalf("base/configmap.yaml: %v", err)
	}
	return c
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("read file: %v", err)
	}
	return text
}
