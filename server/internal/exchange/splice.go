package exchange

import "github.com/sluice-gateway/sluice/server/internal/wire"

// A body of known length, or one that lasts until the close, between two plain TCP sockets moves through a pipe by
// splice(2): see wire.Pipe. It pays from some 64 KiB on (http.splice_threshold).

// spliceable reports whether the rest of a body should move by splice.
func (x *Core) spliceable(f *flow) bool {
	threshold := x.w.Settings.Splice
	if threshold <= 0 || x.pipe != nil || x.noPipe {
		return false
	}
	return f.from == FrameLength && f.by == nil && f.left >= threshold && x.down.Plain() != nil && x.up.Plain() != nil
}

// startSplice gets a pipe for the request's body, or for the response's. Without one (descriptors are short) it returns
// false, and the body is copied.
func (x *Core) startSplice(request bool) bool {
	p := x.w.getPipe()
	if p == nil {
		x.noPipe = true
		return false
	}
	from := x.up.Plain()
	if request {
		from = x.down.Plain()
	}
	p.SetSource(from, x.down)
	x.pipe, x.pipeRequest = p, request
	return true
}

// spliceResponse moves bytes of the response while the sockets let it, and reports whether the caller is to go on: the pipe
// was put back, because the body is through.
func (x *Core) spliceResponse() bool {
	if !x.moveSplice(x.up.Plain(), x.down.Plain(), &x.respBody.left, &x.sentBytes) {
		return false
	}
	x.respBody.done = x.respBody.left == 0
	return true
}

// spliceRequest is spliceResponse for the request body.
func (x *Core) spliceRequest() bool {
	x.streamed = true
	if !x.moveSplice(x.down.Plain(), x.up.Plain(), &x.reqBody.left, &x.reqBytes) {
		return false // x may have ended, and may serve another request
	}
	x.reqBody.done = x.reqBody.left == 0
	return true
}

// moveSplice fills the pipe from one socket and drains it into the other. left counts down the bytes that are still to be
// taken from the first; moved counts those that the second took. It returns true once all have moved and the pipe is put
// back. On false x may have ended.
func (x *Core) moveSplice(from, to *wire.Sock, left, moved *int64) bool {
	w, p := x.w, x.pipe
	if to.Out.Len() > 0 && !to.Flush() {
		return false
	}
	for round := 0; ; round++ {
		in, drained := p.Fill(*left)
		*left -= in
		out := p.Drain(to, *left > 0 && !drained)
		*moved += out
		w.Shard.SplicedBytes += uint64(out)
		progress := in > 0 || out > 0
		if progress {
			p.Moved()
			x.down.Restart()
			x.ExpectResponse()
		}
		switch {
		case to.Broken:
			if !x.pipeRequest {
				x.Cancel(FailAborted)
			}
			return false
		case p.Held == 0 && (*left == 0 || from.EOF || from.Broken && !from.Readable):
			return x.settleSplice(*left)
		case !progress:
			p.Coarsen(*left)
			return false
		case round == wire.Rounds:
			w.Again(x.down)
			return false
		}
	}
}

// settleSplice puts the empty pipe back, and reports whether the body is through. Where left bytes of it never came, x ends.
func (x *Core) settleSplice(left int64) bool {
	w, p := x.w, x.pipe
	x.pipe = nil
	w.PutPipe(p)
	switch {
	case left == 0:
		return true
	case x.pipeRequest:
		x.Cancel(FailAborted)
	default:
		x.EndpointEnded()
	}
	return false
}

// getPipe returns a pipe, or nil where the process has none to spare.
func (w *Loop) getPipe() *wire.Pipe {
	if p := w.TakePipe(); p != nil {
		return p
	}
	if !w.Admission.AllowsPipe() {
		return nil
	}
	return w.OpenPipe()
}
