package wire

import (
	"fmt"
	"iter"
)

// Audit returns the faults in the pools and counts of l: a buffer or a pipe that was put back twice, and bytes or
// descriptors that are counted and not in use. Tests alone need it, at a time when no connection is open.
func (l *Loop) Audit() (faults []string) {
	pipes := map[*Pipe]bool{}
	for _, p := range l.pipes {
		if pipes[p] {
			faults = append(faults, "a pipe is free twice")
		}
		pipes[p] = true
	}
	buffers := map[*byte]bool{}
	for _, free := range l.Buffers.free {
		for _, b := range free {
			p := &b[:1][0]
			if buffers[p] {
				faults = append(faults, "a buffer is free twice")
			}
			buffers[p] = true
		}
	}
	if n := l.Buffers.used; n != 0 {
		faults = append(faults, fmt.Sprintf("%d bytes are counted as waiting", n))
	}
	if n := l.Use.Descriptors.Load() - 2*int64(len(l.pipes)); n != 0 {
		faults = append(faults, fmt.Sprintf("%d descriptors are counted as in use", n))
	}
	return faults
}

// Twice returns a fault for each struct that a list of free ones, called name, has twice. Audits alone need it.
func Twice[T any](name string, all iter.Seq[*T]) (faults []string) {
	seen := map[*T]bool{}
	for p := range all {
		if seen[p] {
			faults = append(faults, "a free "+name+" is in its list twice")
		}
		seen[p] = true
	}
	return faults
}
