package interop

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
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
	must(pinThreads(os.Getpid(), one(p.others)))
	t.Cleanup(func() { must(pinThreads(os.Getpid(), set)) })
	return p, true
}

func one(cpu int) (set unix.CPUSet) {
	set.Set(cpu)
	return set
}

// pinThreads pins all threads that a process has, and so those that these will make.
func pinThreads(pid int, set unix.CPUSet) error {
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

// idle has the calling thread, and what it makes or becomes, run only where nothing else wants the CPU
// (SCHED_IDLE, sched(7)).
func idle() error {
	return unix.SchedSetAttr(0, &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_IDLE}, 0)
}
