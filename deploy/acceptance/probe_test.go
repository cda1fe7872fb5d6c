package acceptance

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A probe is a process of its own that asks gateways for pages that they answer themselves, at a
// real-time priority where it may: its waiting time is then an event loop's doing, not the machine's
// turn for the probe. Its connections are spread over all loops.
type probe struct {
	t     *testing.T
	cmd   *exec.Cmd
	input io.Closer // its end ends the probe
	out   *json.Decoder
}

// probeVariable holds the addresses, separated by commas, in the probe's environment.
const probeVariable = "SLUICE_ACCEPTANCE_PROBE"

// Connections of a probe to each gateway, and the pause between two requests on each.
const (
	probeConnections = 8
	probePause       = time.Millisecond
)

func startProbe(t *testing.T, gateways ...*gateway) *probe {
	t.Helper()
	var addrs []string
	for _, g := range gateways {
		addrs = append(addrs, g.addr)
	}
	args := []string{os.Args[0]}
	if exec.Command("chrt", "-f", "10", "true").Run() == nil {
		args = append([]string{"chrt", "-f", "10"}, args...)
	} else {
		t.Log("the probe has no real-time priority: its own delays count too")
	}
	p := &probe{t: t, cmd: exec.Command(args[0], args[1:]...)}
	p.cmd.Env = append(os.Environ(), probeVariable+"="+strings.Join(addrs, ","))
	p.cmd.Stderr = os.Stderr
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	in, err := p.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.input, p.out = in, json.NewDecoder(out)
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var ready bool
	if err := p.out.Decode(&ready); err != nil {
		t.Fatalf("the probe did not start: %v", err)
	}
	return p
}

// end stops the probe and returns what the requests to each gateway took.
func (p *probe) end() []spread {
	p.t.Helper()
	p.input.Close()
	var took [][]time.Duration
	err := p.out.Decode(&took)
	if e := p.cmd.Wait(); e != nil || err != nil {
		p.t.Fatalf("the probe: %v, %v", e, err)
	}
	var all []spread
	for _, t := range took {
		all = append(all, newSpread(t))
	}
	return all
}

// probeSide is the probe's process. One thread asks on all connections in turn, so that its requests do
// not wait for each other's threads.
func probeSide(addrs []string) error {
	runtime.LockOSThread()
	type asked struct {
		net.Conn
		r *bufio.Reader
	}
	conns := make([][]asked, len(addrs))
	for i, addr := range addrs {
		for range probeConnections {
			c, err := net.Dial("tcp", addr)
			if err != nil {
				return err
			}
			conns[i] = append(conns[i], asked{c, bufio.NewReader(c)})
		}
	}
	ended := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		close(ended)
	}()
	fmt.Println("true")
	took := make([][]time.Duration, len(addrs))
	tick := time.NewTicker(probePause)
	for n := 0; ; n++ {
		select {
		case <-ended:
			return json.NewEncoder(os.Stdout).Encode(took)
		case <-tick.C:
		}
		for i := range conns {
			c := conns[i][n%probeConnections]
			begun := time.Now()
			if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: nobody.test\r\n\r\n"); err != nil {
				return err
			}
			if err := readAnswer(c.r); err != nil {
				return err
			}
			took[i] = append(took[i], time.Since(begun))
		}
	}
}

// readAnswer reads a 404 with its small body.
func readAnswer(r *bufio.Reader) error {
	length := 0
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return err
		}
		if line == "\r\n" {
			_, err := r.Discard(length)
			return err
		}
		_, _ = fmt.Sscanf(line, "Content-Length: %d", &length)
	}
}
