package wire

import (
	"fmt"
	"iter"
)

// Audit returns the faults in the books of l, at a time when nothing is under way on it. Tests find with it a buffer that
// was given back twice, and bytes or descriptors that are counted and not in use.
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

// Twice looks for a struct of that name that a list of free ones has twice.
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
