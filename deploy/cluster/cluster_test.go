package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

// asCluster makes the test binary behave as the program. kube-apiserver starts only once in a process, so each cluster needs its own.
const asCluster = "TEST_RUN_AS_CLUSTER"

func TestMain(m *testing.M) {
	if os.Getenv(asCluster) != "" {
		main()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// clusterCommand is the program with these arguments, killed when the test ends.
func clusterCommand(t *testing.T, args ...string) (cmd *exec.Cmd, stderr *bytes.Buffer) {
	t.Helper()
	stderr = new(bytes.Buffer)
	cmd = exec.CommandContext(t.Context(), os.Args[0], args...)
	cmd.Env = append(os.Environ(), asCluster+"=1")
	cmd.Stderr = stderr
	return cmd, stderr
}

// startCluster runs the program until it is ready and returns what it reported.
func startCluster(t *testing.T, args ...string) (cmd *exec.Cmd, url, kubeconfig string) {
	t.Helper()
	cmd, stderr := clusterCommand(t, args...)
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	// Before the state directory is removed, which a dying cluster would still write to.
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	line, err := bufio.NewReader(stdout).ReadString('\n')
	fields := strings.Fields(line)
	if err != nil || len(fields) != 3 || fields[0] != "ready" {
		cmd.Process.Kill()
		cmd.Wait()
		t.Fatalf("cluster printed %q, want \"ready URL KUBECONFIG\"; %v; its errors:\n%s", line, err, stderr)
	}
	return cmd, fields[1], fields[2]
}

// newClient reads a kubeconfig as any user would.
func newClient(t *testing.T, kubeconfig string) *kubernetes.Clientset {
	t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// A test that restarts the API server under traffic kills this program. Its clients must find the same server again:
// address, authority, objects; and the resource version must not go back, or informers would miss changes.
func TestRestartAfterKill(t *testing.T) {
	dir := t.TempDir()
	// The port is below those that the kernel gives out by itself: it must be free for the second start.
	first, url, kubeconfig := startCluster(t, "--dir", dir, "--listen", fmt.Sprintf("127.0.0.1:%d", 12000+rand.IntN(18000)))
	client := newClient(t, kubeconfig)
	maps := client.CoreV1().ConfigMaps(metav1.NamespaceSystem)
	made, err := maps.Create(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "kept"}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := first.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	first.Wait()

	_, again, _ := startCluster(t, "--dir", dir, "--listen", strings.TrimPrefix(url, "https://"))
	if again != url {
		t.Errorf("second start serves %s, want %s", again, url)
	}
	kept, err := maps.Get(t.Context(), "kept", metav1.GetOptions{})
	if err != nil {
		t.Fatalf("object made before the kill, read with the client made before it: %v", err)
	}
	if kept.UID != made.UID || kept.ResourceVersion != made.ResourceVersion {
		t.Errorf("object came back as %s at %s, want %s at %s", kept.UID, kept.ResourceVersion, made.UID, made.ResourceVersion)
	}
}

// kube-apiserver by itself waits a minute for open watches, and a cluster that anyone uses has some.
func TestTerminateEndsWatchesAndCleansUp(t *testing.T) {
	temporary := t.TempDir()
	t.Setenv("TMPDIR", temporary)
	cmd, _, kubeconfig := startCluster(t)
	watch, err := newClient(t, kubeconfig).CoreV1().Namespaces().Watch(context.Background(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer watch.Stop()

	start := time.Now()
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("after SIGTERM: %v, want exit status 0", err)
	}
	if took := time.Since(start); took > 50*time.Second {
		t.Errorf("stop took %s with an open watch", took)
	}
	left, err := filepath.Glob(filepath.Join(temporary, "*"))
	if err != nil || len(left) > 0 {
		t.Errorf("temporary state left behind: %v %v", left, err)
	}
}

func TestRefuses(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	foreign := filepath.Join(t.TempDir(), "config")
	if err := os.WriteFile(foreign, []byte("apiVersion: v1\nkind: Config\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	used := t.TempDir()
	unlock, err := lockDir(used)
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()

	tests := []struct {
		name string
		args []string
		code int
		says string
	}{
		{"unknown flag", []string{"--nope"}, 2, "-nope"},
		{"unknown API server flag", []string{"--", "--nope"}, 1, "unknown flag: --nope"},
		{"port in use", []string{"--listen", taken.Addr().String()}, 1, "address already in use"},
		{"directory in use", []string{"--dir", used}, 1, "another cluster is running in " + used},
		{"kubeconfig of other clusters", []string{"--kubeconfig", foreign}, 1, "is not of a local cluster"},
		{"path too long for a socket", []string{"--dir", filepath.Join(t.TempDir(), strings.Repeat("d", 100))}, 1, "choose a shorter --dir"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cmd, stderr := clusterCommand(t, tt.args...)
			err := cmd.Run()
			var exit *exec.ExitError
			if !errors.As(err, &exit) || exit.ExitCode() != tt.code {
				t.Errorf("ended with %v, want exit status %d", err, tt.code)
			}
			if !strings.Contains(stderr.String(), tt.says) {
				t.Errorf("said %q, want %q in it", stderr, tt.says)
			}
		})
	}
}
