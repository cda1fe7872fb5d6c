package sluice

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// stalledFIFO makes a FIFO that is full and without a reader.
func stalledFIFO(t *testing.T, path string) {
	t.Helper()
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_RDWR|syscall.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	fill(t, int(f.Fd()))
}

// fill writes to a pipe in non-blocking mode until it takes no more.
func fill(t *testing.T, fd int) {
	t.Helper()
	if err := syscall.SetNonblock(fd, true); err != nil {
		t.Fatal(err)
	}
	for _, size := range []int{64 << 10, 1} {
		for {
			if _, err := syscall.Write(fd, bytes.Repeat([]byte("x"), size)); err == syscall.EAGAIN {
				break
			} else if err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestStalledLogs: neither log has a reader, from before the start. Changes go live, a reload is carried out
// and SIGTERM ends the gateway; lost lines are in the metrics.
func TestStalledLogs(t *testing.T) {
	dir := t.TempDir()
	stalledFIFO(t, filepath.Join(dir, "error.log"))
	stalledFIFO(t, filepath.Join(dir, "access.log"))
	extra := "access_log: {path: " + dir + "/access.log}\n"
	r := startGatewayIn(t, dir, echoHandler("test-server"), extra)

	file := filepath.Join(dir, "manifests", "all.yaml")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 20 {
		path := "/api/v" + strconv.Itoa(i+2)
		writeFile(t, file, strings.Replace(string(text), "/api/v1", path, 1))
		eventually(t, "route for "+path, func() bool { status, _ := r.get(t, path+"/x"); return status == 200 })
	}
	// More than what the queue of the error log takes.
	for range 5000 {
		r.log.Info(strings.Repeat("y", 1<<10))
	}
	r.configure(t, extra+"timeouts: {read: 20s}\n")
	r.signals <- syscall.SIGHUP
	eventually(t, "reload", func() bool { return r.config.Load().Timeouts.Read == 20e9 })
	if _, body := r.get(t, "http://"+r.metrics+"/metrics"); !strings.Contains(body, `sluice_log_lines_lost_total{log="error"} `) ||
		strings.Contains(body, `sluice_log_lines_lost_total{log="error"} 0`) {
		t.Errorf("the metrics name no lost lines of the error log")
	}
	r.stop(t)
}

// TestStalledStderr: the pipe that a container runtime gives the process as stderr is full and has no reader.
func TestStalledStderr(t *testing.T) {
	if os.Getenv("SLUICE_TEST_STDERR") != "" {
		os.Exit(Options{}.run([]string{"serve", "--manifests", os.Getenv("SLUICE_TEST_STDERR"),
			"--set", "listen.http=[127.0.0.1:0]", "--set", "listen.https=[]", "--set", "listen.metrics=127.0.0.1:0", "--set", "listen.admin=",
			"--set", "pid_file=" + os.Getenv("SLUICE_TEST_STDERR") + "/pid"}, os.Stdout, os.Stderr))
	}
	dir := t.TempDir()
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	fill(t, int(writer.Fd()))
	// As a shell or a runtime hands it over: a write waits.
	if err := syscall.SetNonblock(int(writer.Fd()), false); err != nil {
		t.Fatal(err)
	}
	child := exec.Command(os.Args[0], "-test.run=^TestStalledStderr$")
	child.Env = append(os.Environ(), "SLUICE_TEST_STDERR="+dir)
	child.Stderr = writer
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	writer.Close()
	ended := make(chan error, 1)
	go func() { ended <- child.Wait() }()
	defer child.Process.Kill()
	eventually(t, "pid file", func() bool { _, err := os.Stat(filepath.Join(dir, "pid")); return err == nil })
	if err := child.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("exit: %v, want 0", err)
		}
	case <-time.After(patience):
		t.Fatal("the process does not end")
	}
}

// TestLastWordsDoNotWait: the last message does not keep the process from ending.
func TestLastWordsDoNotWait(t *testing.T) {
	var ends [2]int
	if err := syscall.Pipe2(ends[:], syscall.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	reader, writer := os.NewFile(uintptr(ends[0]), "reader"), os.NewFile(uintptr(ends[1]), "writer")
	defer writer.Close()
	defer reader.Close()
	fill(t, ends[1])
	if err := syscall.SetNonblock(ends[1], false); err != nil {
		t.Fatal(err)
	}
	said := make(chan struct{})
	go func() { defer close(said); lastWords(writer, "sluice serve: no") }()
	select {
	case <-said:
	case <-time.After(patience):
		t.Fatal("still waiting for a reader")
	}
}
