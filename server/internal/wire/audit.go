package wire

import "fmt"

// Audit returns what is wrong with what l keeps, at a time when nothing is under way on it: it is how tests find a buffer
// that was given back twice, or bytes and descriptors that are counted and used by nobody.
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
