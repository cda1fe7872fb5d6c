package exchange

import (
	"github.com/sluice-gateway/sluice/server/internal/fieldrule"
	"github.com/sluice-gateway/sluice/server/internal/h1"
	"github.com/sluice-gateway/sluice/server/internal/wire"
)

// Framing is how a body is delimited where it comes from.
type Framing uint8

const (
	FrameNone    Framing = iota
	FrameLength          // left bytes to come
	FrameChunked         // HTTP/1.1 chunks
	FrameClose           // until the Endpoint closes
	FrameStream          // until the HTTP/2 stream ends
)

// Form is how a body goes out.
type Form uint8

const (
	FormBare   Form = iota // its bytes alone: their number, the close or the stream says where they end
	FormSame               // HTTP/1.1 chunks as they came, validated, extensions included
	FormChunks             // HTTP/1.1 chunks of our own
)

// flow is one body on its way through an Exchange: it finds the end, and changes the form where the
// two sides differ. It holds no bytes but trailers.
type flow struct {
	from   Framing
	form   Form
	done   bool // the last byte was taken
	left   int64
	length int64 // what the head that goes out says of it; < 0: nothing
	data   int64 // bytes taken, without framing
	chunks h1.Chunked
	// trailers are field lines with CR LF, as they came until the body is done, and then less those that
	// must not go on. trailing says that there are some.
	trailers []byte
	trailing bool
	rule     fieldrule.Trailers
	by       *transforms // what changes the body on its way; nil for most
}

// begin makes f ready for a body; length is its, where the framing is one by length.
func (f *flow) begin(from Framing, to Form, length int64) {
	f.from, f.form, f.left, f.length = from, to, length, -1
	f.trailers, f.trailing = f.trailers[:0], false
	if from == FrameLength {
		f.length = length
	}
	f.done = from == FrameNone || from == FrameLength && length == 0
	if from == FrameChunked {
		f.chunks.Reset()
	}
}

// appendFraming appends the field that tells the receiver where the body ends. Nothing else ever does: what the
// sender's head said is not copied, so that head and body cannot differ.
//
// hot: runs per head; no alloc, no lock.
func (f *flow) appendFraming(dst []byte) []byte {
	switch {
	case f.form != FormBare:
		return append(dst, "Transfer-Encoding: chunked\r\n"...)
	case f.length >= 0:
		return h1.AppendUintField(dst, "Content-Length", uint64(f.length))
	}
	return dst
}

// taken is the form in which take returns the body: bare where it is still to be changed.
func (f *flow) taken() Form {
	if f.by != nil {
		return FormBare
	}
	return f.form
}

// frame appends a piece of the body, without framing, in the form that it goes out in.
func (f *flow) frame(dst, p []byte) []byte {
	if f.form != FormChunks {
		return append(dst, p...)
	}
	if len(p) == 0 {
		return dst
	}
	dst = append(h1.AppendChunkHeader(dst, len(p)), p...)
	return append(dst, '\r', '\n')
}

// endless reports that only the sender's end tells the end of the body.
func (f *flow) endless() bool { return f.from == FrameClose || f.from == FrameStream }

// whole reports that the body has ended, with nothing behind it.
func (f *flow) whole() bool { return f.done && len(f.trailers) == 0 }

// settled reports that the body was moved to its last byte, and that more than the sender's close said so.
func (f *flow) settled() bool {
	return f.done && f.from != FrameClose && (f.from != FrameLength || f.left == 0)
}

// pass sends what take returned, and what ends the body where it has ended.
//
// hot: runs per read of a body; no alloc, no lock.
func (f *flow) pass(to wire.Bytes, out []byte) {
	to.Send(out, f.whole())
	if f.done && len(f.trailers) > 0 {
		to.SendTrailers(f.trailers)
	}
}

// take consumes the body bytes at the start of raw, n of them, and returns what goes out for them: it
// aliases raw, or scratch where the form changes, and is valid until either is used again. Less than all
// is consumed only when the body ends within raw, or err is set; what came before the fault may go out.
//
// hot: runs per read of a body; no alloc, no lock.
func (f *flow) take(raw, scratch []byte) (out []byte, n int, err h1.Error) {
	switch n = len(raw); f.from {
	case FrameNone:
		return nil, 0, h1.ErrNone
	case FrameLength:
		n = int(min(int64(n), f.left))
		f.left -= int64(n)
		f.done = f.left == 0
	case FrameChunked:
		n = 0
		if f.taken() == FormSame && !f.trailing {
			n, f.done, err = f.chunks.Feed(raw)
			f.data = f.chunks.Data()
			if n == len(raw) || f.done || err != h1.ErrNone {
				return raw[:n], n, err
			}
			f.trailing = true
		}
		// What comes before trailers leaves as it is, and of them, in either form, what may go on.
		out, k, err := f.unchunk(raw[n:], append(scratch[:0], raw[:n]...))
		f.data = f.chunks.Data()
		return out, n + k, err
	}
	f.data += int64(n)
	if f.taken() == FormChunks {
		return f.frame(scratch[:0], raw[:n]), n, h1.ErrNone
	}
	return raw[:n], n, h1.ErrNone
}

// unchunk takes the framing off, and keeps the trailers, of which those that may go on are left at the end.
func (f *flow) unchunk(raw, dst []byte) (out []byte, n int, err h1.Error) {
	for n < len(raw) {
		kind, part, k, err := f.chunks.Next(raw[n:])
		n += k
		if err != h1.ErrNone {
			return dst, n, err
		}
		switch kind {
		case h1.PartData:
			dst = append(dst, part...)
		case h1.PartTrailer:
			f.trailing = true
			f.trailers = append(f.trailers, part...)
		case h1.PartDone:
			f.done = true
			if f.trailing {
				f.trailers = f.rule.Filter(f.trailers)
			}
			if f.taken() == FormSame {
				dst = append(append(dst, f.trailers...), '\r', '\n')
				f.trailers = f.trailers[:0]
			}
			return dst, n, h1.ErrNone
		}
	}
	return dst, n, h1.ErrNone
}

// end ends an endless body behind which trailers came, and returns how many bytes go out for that.
func (f *flow) end(to wire.Bytes, scratch, trailers []byte) int {
	out := f.finish(scratch[:0], trailers)
	if f.form == FormBare && len(trailers) > 0 {
		to.SendTrailers(trailers)
	} else {
		to.Send(out, true)
	}
	return len(out)
}

// finish appends what goes out for the end of an endless body, with the trailers that came.
func (f *flow) finish(dst, trailers []byte) []byte {
	f.done = true
	if f.form != FormChunks {
		return dst
	}
	dst = append(dst, '0', '\r', '\n')
	dst = append(dst, trailers...)
	return append(dst, '\r', '\n')
}
