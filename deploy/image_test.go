package deploy

import (
	"os/exec"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
)

// versionVariable is the variable that the linker sets.
const versionVariable = "github.com/sluice-gateway/sluice.version"

// TestImageIsBuiltLikeTheBinary: the Dockerfile's build line is the Makefile's.
func TestImageIsBuiltLikeTheBinary(t *testing.T) {
	dockerfile, makefile := string(read(t, "../Dockerfile")), string(read(t, "../Makefile"))
	for _, want := range []string{"CGO_ENABLED=0", "-trimpath", "-buildvcs=false", "-s -w -X " + versionVariable + "=", " ./deploy/sluice\n"} {
		if !strings.Contains(dockerfile, want) || !strings.Contains(makefile, want) {
			t.Errorf("%q is not in both Dockerfile and Makefile", want)
		}
	}
	pod := find[*appsv1.DaemonSet](t).Spec.Template.Spec
	if !slices.ContainsFunc(strings.Split(dockerfile, "\n"), func(l string) bool { return l == "USER 65532:65532" }) ||
		!is(pod.SecurityContext.RunAsUser, 65532) {
		t.Error("the image's user and the DaemonSet's differ")
	}
}

// TestVersionIsLinkedIn: the linker is silent where the variable to set does not exist.
func TestVersionIsLinkedIn(t *testing.T) {
	out, err := exec.Command(sluice(t), "version").CombinedOutput()
	if err != nil || !strings.HasPrefix(string(out), "sluice under-test go1.") {
		t.Errorf("sluice version: %v\n%s", err, out)
	}
}

// TestImageContextHasEveryPackage: .dockerignore lets through each folder that the binary is built of.
func TestImageContextHasEveryPackage(t *testing.T) {
	list := exec.Command("go", "list", "-deps", "-f", "{{with .Module}}{{if .Main}}{{$.ImportPath}}{{end}}{{end}}", "./sluice")
	out, err := list.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var kept []string
	for line := range strings.Lines(string(read(t, "../.dockerignore"))) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "!"); ok {
			kept = append(kept, name)
		}
	}
	packages := strings.Fields(string(out))
	if len(packages) < 10 {
		t.Errorf("the binary is built of %v only", packages)
	}
	for _, path := range packages {
		folder := strings.TrimPrefix(strings.TrimPrefix(path, "github.com/sluice-gateway/sluice"), "/")
		if folder == "" && slices.Contains(kept, "*.go") {
			continue
		}
		if !slices.ContainsFunc(kept, func(name string) bool { return strings.HasPrefix(folder+"/", name+"/") }) {
			t.Errorf(".dockerignore leaves %s out", path)
		}
	}
}
