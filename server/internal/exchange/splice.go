package exchange

import "github.com/sluice-gateway/sluice/server/internal/wire"

// A body of known length, or one that lasts until the close, between two plain TCP sockets moves
// through a pipe by splice(2): see wire.Pipe. It pays from some 64 KiB on (http.splice_threshold).

// spliceable reports whether a body with so much to come should move by splice.
func (x *Core) spliceable(f *flow) bool {
	threshold := x.w.Settings.Splice
	if threshold <= 0 || x.pipe != nil || x.noPipe {
		return false
	}
	return f.from == FrameLength && f.by == nil && f.left >= threshold && x.down.Plain() != nil && x.up.Plain() != nil
}

// startSplice gets a pipe; without one (descriptors are short) the body is copied.
func (x *Core) startSplice(up bool) bool {
	p := x.w.getPipe()
	if p == nil {
		x.noPipe = true
		return false
	}
	from := x.up.Plain()
	if up {
		from = x.down.Plain()
	}
	p.Begin(from, x.down)
	x.pipe, x.pipeRequest = p, up
	return true
}

// spliceResponse moves what can move, and reports whether the caller should go on: the body is
// through, or a reason to copy came up.
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

// moveSplice fills the pipe from one socket and empties it into the other. left counts down what is
// still to be taken from the first; moved counts what the second took. It returns true when the pipe
// is given back: everything moved, or the source ended and the caller's read will find that.
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
			x.pipe = nil
			w.PutPipe(p)
			if *left > 0 && !x.pipeRequest {
				x.UpstreamEnds()
				return false
			}
			if *left > 0 {
				x.Cancel(FailAborted)
				return false
			}
			return true
		case !progress:
			p.Coarsen(*left)
			return false
		case round == wire.Rounds:
			w.Again(x.down)
			return false
		}
	}
}

// getPipe returns a pipe, or nil where none is to be had.
func (w *Loop) getPipe() *wire.Pipe {
	if p := w.TakePipe(); p != nil {
		return p
	}
	if !w.Admission.SparesPipe() {
		return nil
	}
	return w.OpenPipe()
}
