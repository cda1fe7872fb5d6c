package informer

import (
	"os"
	"testing"

	"github.com/sluice-gateway/sluice/informer/annotation"
)

func TestGeneratedAnnotations(t *testing.T) {
	const file = "ANNOTATIONS.md"
	want := annotation.Reference()
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
