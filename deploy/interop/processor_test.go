package interop

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// processors are the CPUs of this process: one for a gateway that is measured, one for all others.
type processors struct{ gateway, others int }

// apart pins all threads of this process to one CPU until the test ends, and leaves another to the gateway.
// ok is false where there is one CPU only.
func apart(t *testing.T) (p processors, ok bool) {
	t.Helper()
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		t.Fatal(err)
	}
	var cpus []int
	for i := 0; len(cpus) < set.Count(); i++ {
		if set.IsSet(i) {
			cpus = append(cpus, i)
		}
	}
	if len(cpus) < 2 {
		return processors{}, false
	}
	p = processors{gateway: cpus[len(cpus)-1], others: cpus[0]}
	must := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	must(pinThreads(os.Getpid(), one(p.others), urgent))
	sessionNice(os.Getpid(), urgent)
	t.Cleanup(func() {
		must(pinThreads(os.Getpid(), set, 0))
		sessionNice(os.Getpid(), 0)
	})
	return p, true
}

// urgent is the priority of what is measured, where that is allowed: other work of the machine is not to count.
const urgent = -20

// sessionNice sets the priority of the session of a process, where the kernel shares CPUs out among these first
// and only then among the threads of each (sched(7), autogroup), and where that is allowed.
func sessionNice(pid, nice int) {
	_ = os.WriteFile(fmt.Sprintf("/proc/%d/autogroup", pid), []byte(strconv.Itoa(nice)), 0)
}

// apartFrom has a process that is to be started begin a session, so that it can have a priority of its own.
func apartFrom(cmd *exec.Cmd) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setsid = true
}

func one(cpu int) (set unix.CPUSet) {
	set.Set(cpu)
	return set
}

// pinThreads pins all threads that a process has, and so those that these will make, and sets their priority.
func pinThreads(pid int, set unix.CPUSet, nice int) error {
	// A thread may be made by one that is not pinned yet: once more finds it.
	for range 2 {
		threads, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
		if err != nil {
			return err
		}
		for _, thread := range threads {
			id, err := strconv.Atoi(thread.Name())
			if err != nil {
				return err
			}
			if err := unix.SchedSetaffinity(id, &set); err != nil && err != unix.ESRCH {
				return fmt.Errorf("pin thread %d: %w", id, err)
			}
			_ = unix.Setpriority(unix.PRIO_PROCESS, id, nice) // a privilege
		}
	}
	return nil
}

// startOn calls start, which starts a process, so that this process is pinned to the CPU from its first
// instruction on: runtimes size themselves by the CPUs that they may use.
func startOn(cpu int, start func() error) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var before unix.CPUSet
	if err := unix.SchedGetaffinity(0, &before); err != nil {
		return err
	}
	set := one(cpu)
	if err := unix.SchedSetaffinity(0, &set); err != nil {
		return err
	}
	err := start()
	if back := unix.SchedSetaffinity(0, &before); err == nil {
		err = back
	}
	return err
}

// idle has the calling thread, and the threads and programs it starts, run only where nothing else
// needs the CPU (SCHED_IDLE, sched(7)).
func idle() error {
	return unix.SchedSetAttr(0, &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_IDLE}, 0)
}
