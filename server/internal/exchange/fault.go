package exchange

import (
	"fmt"
	"log/slog"
	"runtime/debug"
)

// Filters may be anybody's, and a fault of one costs the request that it is about: a panic, a Verdict that says what was
// not done, a field that is none. Such a request is answered 500 and the fault is logged.

// faults logs them.
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
func (x *Core) askRequest(f RequestFilter) Verdict {
	defer x.catch(f, x.serial)
	return f.Request(x.view())
}

// askResponse calls a response phase.
func (x *Core) askResponse(f ResponseFilter, r *Response) Verdict {
	defer x.catch(f, x.serial)
	return f.Response(x.view(), r)
}

// askRequestBody and askResponseBody call a body phase.
func (x *Core) askRequestBody(f BodyFilter) Transform {
	defer x.catch(f, x.serial)
	return f.RequestBody(x.view())
}

func (x *Core) askResponseBody(f BodyFilter, r *Response) Transform {
	defer x.catch(f, x.serial)
	return f.ResponseBody(x.view(), r)
}

// change passes what take returned of a body through its transforms.
func (x *Core) change(f *flow, p []byte) (out []byte, ok bool) {
	defer x.catch(unnamed("transform"), x.serial)
	return f.through(p, x.w.chunk)
}

// closeTransform tells a Transform that nothing more comes.
func (w *Loop) closeTransform(t Transform) {
	defer func() {
		if reason := recover(); reason != nil {
			w.faults.panicked(unnamed("transform"), reason)
		}
	}()
	t.Close()
}

// unnamed stands in the log for a part of a Filter that has no name of its own.
type unnamed string

// Name implements Filter.
func (u unnamed) Name() string { return string(u) }

// tellDone calls a done phase.
func (x *Core) tellDone(f DoneFilter, e *Event) {
	defer x.catch(f, x.serial)
	f.Done(x.view(), e)
}

// catch, deferred, takes note of a panic of a Filter: for the request of that serial, unless it has ended.
func (x *Core) catch(f Filter, serial uint64) {
	if reason := recover(); reason != nil {
		x.w.faults.panicked(f, reason)
		if x.serial == serial {
			x.faulty = true
		}
	}
}
