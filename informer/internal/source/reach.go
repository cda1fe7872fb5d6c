package source

import "sync"

// Reach holds whether a source can be reached. The zero value is out of reach, without a reason. Safe for concurrent
// use; must not be copied.
type Reach struct {
	mu sync.Mutex
	// Guarded by mu:
	connected bool
	lastError string
}

// State returns whether the source was reached at last, and the last error, which stays.
func (r *Reach) State() (connected bool, lastError string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.connected, r.lastError
}

// note keeps whether the source could be reached, and reports whether that changed.
func (r *Reach) note(err error) (changed bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	was := r.connected
	r.connected = err == nil
	if err != nil {
		r.lastError = err.Error()
	}
	return was != r.connected
}

// noteError keeps an error that does not mean that the source is out of reach.
func (r *Reach) noteError(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lastError = err.Error()
}
