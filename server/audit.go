package server

import "fmt"

// audit returns what is wrong with what l keeps, at a time when nothing is under way on it: it is how tests find a buffer
// that was given back twice, or bytes and descriptors that are counted and used by nobody.
func (l *wireLoop) audit() (faults []string) {
	pipes := map[*pipe]bool{}
	for _, p := range l.pipes {
		if pipes[p] {
			faults = append(faults, "a pipe is free twice")
		}
		pipes[p] = true
	}
	buffers := map[*byte]bool{}
	for _, free := range l.buffers.free {
		for _, b := range free {
			p := &b[:1][0]
			if buffers[p] {
				faults = append(faults, "a buffer is free twice")
			}
			buffers[p] = true
		}
	}
	if n := l.buffers.used; n != 0 {
		faults = append(faults, fmt.Sprintf("%d bytes are counted as waiting", n))
	}
	if n := l.use.descriptors.Load() - 2*int64(len(l.pipes)); n != 0 {
		faults = append(faults, fmt.Sprintf("%d descriptors are counted as in use", n))
	}
	return faults
}
