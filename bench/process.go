package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Process is a started command with all its children, in a process group of its own. stop may be called more
// than once, from any goroutine.
type Process struct {
	// Immutable after startProcess:
	name string
	cmd  *exec.Cmd
	done chan struct{} // closed when the command has been waited for

	// Written before done is closed:
	err error

	output *transcript
}

// startProcess starts argv pinned to cpus (a taskset list; "" leaves it unpinned), with env beside the variables of
// this process. Cancelling ctx ends it.
func startProcess(ctx context.Context, name, cpus string, argv []string, env ...string) (*Process, error) {
	if cpus != "" {
		// taskset sets the affinity and then becomes the command, so that runtimes that size themselves by
		// the cores they may use see the right number from the start.
		argv = append([]string{"taskset", "-c", cpus}, argv...)
	}
	p := &Process{name: name, done: make(chan struct{}), output: &transcript{}}
	p.cmd = exec.CommandContext(ctx, argv[0], argv[1:]...)
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.Stdout = p.output
	p.cmd.Stderr = p.output
	// A group of its own, so that workers go with their master; and death with us if we are killed outright.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	// SIGTERM first, so that a master ends and reaps its workers; stop kills the rest of the group.
	p.cmd.Cancel = func() error { return syscall.Kill(p.cmd.Process.Pid, syscall.SIGTERM) }
	// A process that ignores it is killed after this, and a grandchild that keeps the output pipe open does
	// not hold up Wait for longer.
	p.cmd.WaitDelay = time.Second
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.done)
	}()
	return p, nil
}

// pid is the process id; its group id is the same.
func (p *Process) pid() int { return p.cmd.Process.Pid }

// exited reports whether the command has ended.
func (p *Process) exited() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// wait waits for the end of the command and returns its output.
func (p *Process) wait() (string, error) {
	<-p.done
	if p.err != nil {
		return p.output.String(), fmt.Errorf("run %s: %w: %s", p.name, p.err, p.output.last())
	}
	return p.output.String(), nil
}

// stop asks the command to end and kills its group when it has not after two seconds.
func (p *Process) stop() {
	syscall.Kill(p.pid(), syscall.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(2 * time.Second):
	}
	// Workers that outlived their master; the group is ours, so nothing else can be hit.
	syscall.Kill(-p.pid(), syscall.SIGKILL)
	<-p.done
}

// transcript keeps the first part of what a process prints. Safe for concurrent use.
type transcript struct {
	mu  sync.Mutex
	buf bytes.Buffer // guarded by mu
}

// outputLimit bounds the output kept of one process; a proxy that floods its error log must not fill memory.
const outputLimit = 256 << 10

func (t *transcript) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if room := outputLimit - t.buf.Len(); room > 0 {
		t.buf.Write(b[:min(len(b), room)])
	}
	return len(b), nil
}

func (t *transcript) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.buf.String()
}

// last is the end of the output, for an error message.
func (t *transcript) last() string {
	s := strings.TrimSpace(t.String())
	if len(s) > 600 {
		s = "..." + s[len(s)-600:]
	}
	return s
}
