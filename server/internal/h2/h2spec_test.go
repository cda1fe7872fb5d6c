package h2

import (
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestH2Spec runs h2spec (github.com/summerwind/h2spec), where its path is given, against an echo on a
// real socket: H2SPEC=/path/to/h2spec go test -run H2Spec -v
func TestH2Spec(t *testing.T) {
	tool := os.Getenv("H2SPEC")
	if tool == "" {
		t.Skip("H2SPEC does not name the h2spec command")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			g := newGlue(nc)
			e := &echo{queued: map[*Stream]*pending{}}
			g.c = NewShared(Config{MaxStreams: 100}).NewServer(1e9, e)
			e.c = g.c
			go g.run()
		}
	}()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	args := append([]string{"-h", "127.0.0.1", "-p", port, "-o", "1"}, strings.Fields(os.Getenv("H2SPEC_ARGS"))...)
	out, err := exec.Command(tool, args...).CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Errorf("h2spec: %v", err)
	}
}
