package e2e

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
)

// quiet is the largest share of the machine's time that others may take for a measurement to count.
const quiet = 0.15

// machineTime is the work of the processors since the machine started, in clock ticks.
type machineTime struct {
	all   float64 // idle time included
	other float64 // neither idle nor of the suite, the cluster or the shared gateway
}

func readMachine(t *testing.T) (m machineTime) {
	t.Helper()
	// cpu user nice system idle iowait irq softirq steal ...
	fields := strings.Fields(readProc(t, "/proc/stat"))
	for i, field := range fields[1:9] {
		ticks := number(t, field)
		m.all += ticks
		if i != 3 && i != 4 {
			m.other += ticks
		}
	}
	for _, pid := range []int{os.Getpid(), shared.cluster.cmd.Process.Pid, shared.gateway.cmd.Process.Pid} {
		// The fields behind the name, which may hold spaces, begin with the third.
		_, rest, _ := strings.Cut(readProc(t, fmt.Sprintf("/proc/%d/stat", pid)), ") ")
		fields := strings.Fields(rest)
		m.other -= number(t, fields[14-3]) + number(t, fields[15-3]) // utime, stime
	}
	return m
}

// foreign returns the share of the time since m that others took.
func (m machineTime) foreign(t *testing.T) float64 {
	t.Helper()
	now := readMachine(t)
	return (now.other - m.other) / max(1, now.all-m.all)
}

func readProc(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func number(t *testing.T, text string) float64 {
	t.Helper()
	n, err := strconv.ParseFloat(text, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
