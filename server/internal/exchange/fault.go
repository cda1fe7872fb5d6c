package exchange

import (
	"fmt"
	"log/slog"
	"runtime/debug"

	"github.com/sluice-gateway/sluice/server/internal/stats"
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
func (x *Core) askRequestBody(f placed[BodyFilter]) Transform {
	defer x.catchLate(f.filter, f.count)
	return f.filter.RequestBody(x.view())
}

func (x *Core) askResponseBody(f placed[BodyFilter], r *Response) Transform {
	defer x.catchLate(f.filter, f.count)
	return f.filter.ResponseBody(x.view(), r)
}

// runTransforms passes p, which f.take returned, through the Transforms of f.
func (x *Core) runTransforms(f *flow, p []byte) (out []byte, ok bool) {
	defer x.catchTransform(f.by)
	return f.transform(p, x.w.chunk)
}

// catchTransform is catch for the Transform that t has come to.
func (x *Core) catchTransform(t *transforms) {
	if reason := recover(); reason != nil {
		by := t.list[t.at]
		x.w.faults.panicked(by.filter, reason)
		x.w.Shard.Filter(by.count).Faulted++
		x.filterFailed = true
	}
}

// closeTransform calls Close.
func (w *Loop) closeTransform(t step) {
	defer func() {
		if reason := recover(); reason != nil {
			w.faults.panicked(t.filter, reason)
			w.Shard.Filter(t.count).Faulted++
		}
	}()
	t.Close()
}

// tellDone calls a done phase.
func (x *Core) tellDone(f placed[DoneFilter], e *Event) {
	defer x.catchLate(f.filter, f.count)
	f.filter.Done(x.view(), e)
}

// catchLate is catch for a phase whose failure is counted here.
func (x *Core) catchLate(f Filter, count stats.FilterID) {
	if reason := recover(); reason != nil {
		x.w.faults.panicked(f, reason)
		x.w.Shard.Filter(count).Faulted++
		x.filterFailed = true
	}
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
