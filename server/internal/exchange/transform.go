package exchange

import (
	"github.com/sluice-gateway/sluice/server/internal/grpcweb"
	"github.com/sluice-gateway/sluice/server/internal/message"
	"github.com/sluice-gateway/sluice/server/internal/wire"
)

// BodyFilter changes bodies.
type BodyFilter interface {
	Filter
	// RequestBody returns what changes the body of a request on its way to the Backend, nil to leave it as it is. It is
	// called behind the request phase of all Filters, for requests that have a body.
	RequestBody(x *Exchange) Transform
	// ResponseBody is the same for a response of the Backend's, behind the response phase of all Filters. It may still
	// change the head. It is called for responses to HEAD, too, whose heads are to be the same, and not for those of the
	// gateway's own.
	ResponseBody(x *Exchange, r *Response) Transform
}

// Transform changes one body, piece by piece as it comes. It runs on the loop and must not block. The length of what
// goes out need not be known: it is sent in chunks or by the stream. Owned by the Exchange from when it is returned.
type Transform interface {
	// Feed takes the next piece of the body, which may be empty, and appends what goes out for it: at most some KiB more
	// than twice as much, for it is held where the other side does not take it. last says that the body ends with
	// the piece. ok is false where the piece makes no sense: a request is then answered 400, a response cut.
	Feed(dst, p []byte, last bool) (out []byte, ok bool)
	// Close is told that nothing more comes, whether or not the body came to its end.
	Close()
}

// TrailerTransform is a Transform that sees the trailers behind a body.
type TrailerTransform interface {
	Transform
	// Trailers takes complete field lines, appends what goes out for them as a part of the body, and returns those that
	// go out as trailers. It is called before Feed is told the end.
	Trailers(dst, lines []byte) (out, rest []byte)
}

// transforms are what changes one body, in the order in which it passes them. Pooled by its worker.
type transforms struct {
	list []Transform
	a, b []byte // what one has made for the next
}

// feed passes a piece of a body, without framing, through all of them. What it returns is valid until the next call.
func (t *transforms) feed(p []byte, last bool) (out []byte, ok bool) {
	for _, by := range t.list {
		t.a, t.b = t.b, t.a
		if t.a, ok = by.Feed(t.a[:0], p, last); !ok {
			return nil, false
		}
		p = t.a
	}
	return p, true
}

// trailers passes field lines through all of them, and returns what became a part of the body and what is left.
func (t *transforms) trailers(lines []byte) (out, rest []byte, ok bool) {
	for i, by := range t.list {
		by, sees := by.(TrailerTransform)
		if !sees || len(lines) == 0 {
			continue
		}
		var made []byte
		made, lines = by.Trailers(nil, lines)
		// The others have them as a part of the body.
		behind := transforms{list: t.list[i+1:]}
		if made, ok = behind.feed(made, false); !ok {
			return nil, nil, false
		}
		out = append(out, made...)
	}
	return out, lines, true
}

// through passes what take returned through the transforms of the body, and frames what comes out of them.
func (f *flow) through(p, scratch []byte) (out []byte, ok bool) {
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
		out = f.finish(out, f.trailers)
		if f.form == FormChunks {
			f.trailers = f.trailers[:0]
		}
	}
	return out, true
}

// advance makes of out, which take returned, what goes out for it; ended says that an endless body ends with it. ok is false
// where a transform makes no sense of it.
//
// hot: runs per read of a body; no alloc, no lock.
func (x *Core) advance(f *flow, out []byte, ended bool) (next []byte, ok bool) {
	switch {
	case f.by != nil:
		f.done = f.done || ended
		return x.change(f, out)
	case ended:
		out = f.finish(out, nil)
	}
	return out, true
}

// endBody ends an endless body behind which trailers came, and returns how many bytes go out for that.
func (x *Core) endBody(f *flow, to wire.Bytes, trailers []byte) (n int, ok bool) {
	if f.by == nil {
		return f.end(to, x.w.chunk, trailers), true
	}
	f.done = true
	f.trailers = append(f.trailers[:0], trailers...)
	out, ok := x.change(f, nil)
	if ok {
		f.pass(to, out)
	}
	return len(out), ok
}

// refuseBody ends x because of its request's body.
func (x *Core) refuseBody() {
	x.upClose = true
	if x.faulty {
		x.Fail(failInternal)
	} else {
		x.Fail(failBody)
	}
}

// transformRequest asks the Filters for what changes the request's body, and returns nil where nothing does.
func (x *Core) transformRequest() *transforms {
	var t *transforms
	if x.web == grpcweb.Text {
		t = x.w.addTransform(t, &webDecoder{})
	}
	for _, f := range x.policy.chain.body {
		if by := x.askRequestBody(f.filter); by != nil {
			t = x.w.addTransform(t, by)
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
		if by := x.askResponseBody(c.body[i].filter, r); by != nil {
			t = x.w.addTransform(t, by)
		}
	}
	x.faulty = x.faulty || r.made // the answer would be nobody's
	*r = Response{}
	return t
}

func (w *Loop) addTransform(t *transforms, by Transform) *transforms {
	if t == nil {
		if t = w.freeT.Take(); t == nil {
			t = &transforms{}
		}
	}
	t.list = append(t.list, by)
	return t
}

// freeTransforms takes t back.
func (w *Loop) freeTransforms(t *transforms) {
	for _, by := range t.list {
		w.closeTransform(by)
	}
	clear(t.list)
	*t = transforms{list: t.list[:0], a: wire.Reuse(t.a), b: wire.Reuse(t.b)}
	w.freeT.Put(t)
}
