package e2e

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// The binaries under test, from this package's folder.
const (
	root          = "../.."
	sluiceBinary  = root + "/bin/sluice"
	clusterBinary = root + "/bin/cluster"
	kubectlBinary = root + "/bin/kubectl"
)

// process is a child that dies with the suite, also where the suite is killed. The zero value of cmd
// is one that does not run.
type process struct {
	cmd   *exec.Cmd
	ended chan struct{} // closed once err is set
	err   error
}

// launch starts cmd. Its standard error goes to the file log, behind what is there.
func launch(cmd *exec.Cmd, log string) (*process, error) {
	file, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	cmd.Stderr = file
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &process{cmd: cmd, ended: make(chan struct{})}
	go func() {
		p.err = cmd.Wait()
		close(p.ended)
	}()
	return p, nil
}

func (p *process) signal(sig syscall.Signal) error { return p.cmd.Process.Signal(sig) }

// wait returns how the process ended, or an error once patience is over.
func (p *process) wait(patience time.Duration) error {
	select {
	case <-p.ended:
		return p.err
	case <-time.After(patience):
		return errors.New(filepath.Base(p.cmd.Path) + " did not end within " + patience.String())
	}
}

// kill ends the process at once and waits for it.
func (p *process) kill() {
	if p == nil {
		return
	}
	p.cmd.Process.Kill()
	<-p.ended
}
