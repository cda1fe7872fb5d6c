package informer

import (
	"os"
	"testing"

	"github.com/sluice-gateway/sluice/informer/annotation"
	"github.com/sluice-gateway/sluice/informer/configmap"
)

func TestGeneratedAnnotations(t *testing.T) { generated(t, "ANNOTATIONS.md", annotation.Reference()) }

func TestGeneratedConfigMap(t *testing.T) { generated(t, "CONFIGMAP.md", configmap.Reference()) }

// generated compares a file that people read with the text that the code makes.
func generated(t *testing.T, file, want string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("%s is not what the rows say; run `make generate`", file)
	}
}
