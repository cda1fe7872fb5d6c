package server

import (
	"fmt"
	"log/slog"
	"runtime/debug"
)

// Filters may be anybody's, and a fault of one costs the request that it is about: a panic, a Verdict that says what was
// not done, a field that is none. Such a request is answered 500 and the fault is logged.

// faults logs them. Nil logs nothing.
type faults struct{ log *slog.Logger }

func (f *faults) panicked(by Filter, reason any) {
	f.log.Error("filter panicked", "filter", by.Name(), "panic", fmt.Sprint(reason), "stack", string(debug.Stack()))
}

func (f *faults) misused(by Filter, where string) {
	f.log.Error("filter said what it did not do, or added what is no field", "filter", by.Name(), "in", where)
}

func (f *faults) invalid(format string, args ...any) {
	f.log.Error("filter gave what cannot be sent", "what", fmt.Sprintf(format, args...))
}

// askRequest calls a request phase.
func (x *Exchange) askRequest(f RequestFilter) (v Verdict) {
	serial := x.serial
	defer func() {
		if reason := recover(); reason != nil {
			x.caught(f, serial, reason)
		}
	}()
	return f.Request(x)
}

// askResponse calls a response phase.
func (x *Exchange) askResponse(f ResponseFilter, r *Response) (v Verdict) {
	serial := x.serial
	defer func() {
		if reason := recover(); reason != nil {
			x.caught(f, serial, reason)
		}
	}()
	return f.Response(x, r)
}

// tellDone calls a done phase.
func (x *Exchange) tellDone(f DoneFilter, e *Event) {
	defer func() {
		if reason := recover(); reason != nil {
			x.w.faults.panicked(f, reason)
		}
	}()
	f.Done(x, e)
}

// caught takes note of a panic, unless it came behind the end of the request that it was about.
func (x *Exchange) caught(f Filter, serial uint64, reason any) {
	x.w.faults.panicked(f, reason)
	if x.serial == serial {
		x.faulty = true
	}
}
