package exchange

import (
	"github.com/sluice-gateway/sluice/server/internal/grpcweb"
	"github.com/sluice-gateway/sluice/server/internal/message"
	"github.com/sluice-gateway/sluice/server/internal/stats"
	"github.com/sluice-gateway/sluice/server/internal/wire"
)

// BodyFilter changes bodies.
type BodyFilter interface {
	Filter
	// RequestBody returns the Transform of a request's body on its way to the Backend; nil leaves the body as it is. It is
	// called behind the request phase of all Filters, for requests that have a body.
	RequestBody(x *Exchange) Transform
	// ResponseBody does the same for a Backend's response, behind the response phase of all Filters; it may still change the
	// head. It is also called for a response to HEAD, whose head is to be the one of GET. Answers of the gateway's own do
	// not call it.
	ResponseBody(x *Exchange, r *Response) Transform
}

// Transform changes one body, piece by piece as it comes. It runs on the loop and must not block. The changed body goes out
// in chunks, or on a stream, so that its length need not be known. Owned by the Exchange from when it is returned.
type Transform interface {
	// Feed takes p, the next piece of the body, which may be empty, and appends the bytes that go out for it: at most twice
	// as many and some KiB, because they are held where the other side does not take them. last says that the body ends with
	// p. ok is false where p is malformed: a request is then answered 400, a response cut.
	Feed(dst, p []byte, last bool) (out []byte, ok bool)
	// Close is called once, when no more pieces come, whether or not the body came to its end.
	Close()
}

// TrailerTransform is a Transform that sees the trailers behind a body.
type TrailerTransform interface {
	Transform
	// Trailers takes complete field lines, appends the bytes that go out for them as a part of the body, and returns the
	// lines that go out as trailers. It is called before the last call of Feed.
	Trailers(dst, lines []byte) (out, rest []byte)
}

// transforms are the Transforms of one body, in the order in which it passes them. Pooled by their loop.
type transforms struct {
	list []step
	at   int    // the one that was called last
	a, b []byte // the output of the last two Transforms that were fed
}

// step is a Transform, and whose it is.
type step struct {
	Transform
	filter Filter
	count  stats.FilterID
}

// feed passes a piece of a body, without framing, through all of them. out is valid until the next call.
func (t *transforms) feed(p []byte, last bool) (out []byte, ok bool) { return t.feedFrom(0, p, last) }

// feedFrom passes it through those from a place on.
func (t *transforms) feedFrom(first int, p []byte, last bool) (out []byte, ok bool) {
	for t.at = first; t.at < len(t.list); t.at++ {
		t.a, t.b = t.b, t.a
		if t.a, ok = t.list[t.at].Feed(t.a[:0], p, last); !ok {
			return nil, false
		}
		p = t.a
	}
	return p, true
}

// trailers passes field lines through all of them, and returns the bytes that became a part of the body, and the lines left.
func (t *transforms) trailers(lines []byte) (out, rest []byte, ok bool) {
	for i := range t.list {
		by, sees := t.list[i].Transform.(TrailerTransform)
		if !sees || len(lines) == 0 {
			continue
		}
		t.at = i
		var made []byte
		made, lines = by.Trailers(nil, lines)
		// To the Transforms behind this one they are a part of the body.
		if made, ok = t.feedFrom(i+1, made, false); !ok {
			return nil, nil, false
		}
		out = append(out, made...)
	}
	return out, lines, true
}

// transform passes p, which take returned, through the Transforms of the body, and frames their output.
func (f *flow) transform(p, scratch []byte) (out []byte, ok bool) {
	t := f.by
	done, trailing := f.done, f.done && len(f.trailers) > 0
	if p, ok = t.feed(p, done && !trailing); !ok {
		return nil, false
	}
	out = f.frame(scratch[:0], p)
	if trailing {
		made, rest, ok := t.trailers(f.trailers)
		if !ok {
			return nil, false
		}
		out = f.frame(out, made)
		f.trailers = append(f.trailers[:0], rest...)
		if p, ok = t.feed(nil, true); !ok {
			return nil, false
		}
		out = f.frame(out, p)
	}
	if done {
		out = f.appendEnd(out, f.trailers)
		if f.form == FormChunks {
			f.trailers = f.trailers[:0]
		}
	}
	return out, true
}

// advance turns out, which take returned, into the bytes that go to the other side: behind the Transforms, and with the end
// of an endless body where ended says that it ends with out. ok is false where a Transform refuses out.
//
// hot: runs per read of a body; no alloc, no lock.
func (x *Core) advance(f *flow, out []byte, ended bool) (next []byte, ok bool) {
	switch {
	case f.by != nil:
		f.done = f.done || ended
		return x.runTransforms(f, out)
	case ended:
		out = f.appendEnd(out, nil)
	}
	return out, true
}

// endBody sends the end of an endless body, with the trailers that came behind it, and returns the number of bytes. ok is
// false where a Transform refuses the end.
func (x *Core) endBody(f *flow, to wire.Bytes, trailers []byte) (n int, ok bool) {
	if f.by == nil {
		return f.sendEnd(to, x.w.chunk, trailers), true
	}
	f.done = true
	f.trailers = append(f.trailers[:0], trailers...)
	out, ok := x.runTransforms(f, nil)
	if ok {
		f.pass(to, out)
	}
	return len(out), ok
}

// refuseBody fails x because a Transform has refused the request's body, or panicked on it.
func (x *Core) refuseBody() {
	x.upClose = true
	if x.filterFailed {
		x.Fail(failInternal)
	} else {
		x.Fail(failBody)
	}
}

// transformRequest returns the Transforms of the request's body; nil: it has none.
func (x *Core) transformRequest() *transforms {
	var t *transforms
	if x.web == grpcweb.Text {
		t = x.w.addTransform(t, step{Transform: &webDecoder{}, filter: grpcWeb{}, count: stats.OtherFilter})
	}
	for _, f := range x.policy.chain.body {
		if by := x.askRequestBody(f); by != nil {
			t = x.w.addTransform(t, step{by, f.filter, f.count})
		}
	}
	return t
}

// transformResponse is transformRequest for the response of a Backend.
func (x *Core) transformResponse(head *message.Response, data []byte) *transforms {
	r := &x.w.response
	*r = Response{x: x, head: head, bytes: data, status: int(head.Code)}
	var t *transforms
	c := x.policy.chain
	for i := len(c.body) - 1; i >= 0; i-- {
		f := c.body[i]
		if by := x.askResponseBody(f, r); by != nil {
			t = x.w.addTransform(t, step{by, f.filter, f.count})
		}
	}
	x.filterFailed = x.filterFailed || r.made // an answer of a body phase is sent to no client
	*r = Response{}
	return t
}

// grpcWeb owns the Transforms of gRPC-Web, which are no Filter's.
type grpcWeb struct{}

// Name implements Filter.
func (grpcWeb) Name() string { return "grpc-web" }

// addTransform appends a Transform to t, or to new transforms where t is nil.
func (w *Loop) addTransform(t *transforms, by step) *transforms {
	if t == nil {
		if t = w.freeLists.Take(); t == nil {
			t = &transforms{}
		}
	}
	t.list = append(t.list, by)
	return t
}

// freeTransforms closes the Transforms, and returns t to its pool.
func (w *Loop) freeTransforms(t *transforms) {
	for _, by := range t.list {
		w.closeTransform(by)
	}
	clear(t.list)
	*t = transforms{list: t.list[:0], a: wire.Reuse(t.a), b: wire.Reuse(t.b)}
	w.freeLists.Put(t)
}
