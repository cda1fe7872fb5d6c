package exchange

import (
	"fmt"
	"log/slog"
	"runtime/debug"
)

// Filters are programs of others. A fault of one (a panic, a Verdict without the call that it stands for, a field that
// cannot be sent) costs the request at hand alone: it is answered 500, and the fault is logged.

// faults logs the faults of Filters.
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

// askRequest calls a request phase. A panic sets filterFailed, in this as in all calls below.
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

// runTransforms passes p, which f.take returned, through the Transforms of f.
func (x *Core) runTransforms(f *flow, p []byte) (out []byte, ok bool) {
	defer x.catch(unnamed("transform"), x.serial)
	return f.transform(p, x.w.chunk)
}

// closeTransform calls Close.
func (w *Loop) closeTransform(t Transform) {
	defer func() {
		if reason := recover(); reason != nil {
			w.faults.panicked(unnamed("transform"), reason)
		}
	}()
	t.Close()
}

// unnamed is the name in the log of a part of a Filter that has none of its own.
type unnamed string

// Name implements Filter.
func (u unnamed) Name() string { return string(u) }

// tellDone calls a done phase.
func (x *Core) tellDone(f DoneFilter, e *Event) {
	defer x.catch(f, x.serial)
	f.Done(x.view(), e)
}

// catch is deferred around calls of a Filter. It logs a panic, and fails the request of that serial unless it has ended.
func (x *Core) catch(f Filter, serial uint64) {
	if reason := recover(); reason != nil {
		x.w.faults.panicked(f, reason)
		if x.serial == serial {
			x.filterFailed = true
		}
	}
}
