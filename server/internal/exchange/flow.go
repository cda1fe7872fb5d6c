package exchange

import (
	"github.com/sluice-gateway/sluice/server/internal/fieldrule"
	"github.com/sluice-gateway/sluice/server/internal/h1"
	"github.com/sluice-gateway/sluice/server/internal/wire"
)

// Framing is how the end of a body is told on the side that it comes from.
type Framing uint8

const (
	FrameNone    Framing = iota // no body
	FrameLength                 // by the number of bytes
	FrameChunked                // by HTTP/1.1 chunks
	FrameClose                  // by the Endpoint's close
	FrameStream                 // by the end of the HTTP/2 stream
)

// Form is how a body goes out.
type Form uint8

const (
	FormBare   Form = iota // its bytes alone: their number, the close or the stream tells the end
	FormSame               // HTTP/1.1 chunks as they came, validated, extensions included
	FormChunks             // HTTP/1.1 chunks that the gateway makes
)

// flow is one body on its way through an Exchange: it finds the end of the body, and changes its form where the two sides
// differ. It holds no bytes except trailers.
type flow struct {
	from Framing
	form Form
	done bool // the last byte was taken
	// trailing says that the body has trailers.
	trailing bool
	left     int64 // bytes to come, by FrameLength
	length   int64 // the length that the head on its way out tells; < 0: none
	data     int64 // bytes taken, without framing
	chunks   h1.Chunked
	// trailers are field lines with CR LF: as they came until the body is done, and then less those that must not go on.
	trailers []byte
	rule     fieldrule.Trailers
	by       *transforms // changes the body on its way; nil for most
}

// reset makes f ready for a body. length is the body's length, where its framing is FrameLength.
func (f *flow) reset(from Framing, to Form, length int64) {
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

// appendFraming appends the field that tells the receiver where the body ends. The sender's framing fields are never copied,
// so that head and body cannot differ.
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

// taken is the form in which take returns the body: bare where Transforms are to change it.
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

// endless reports that only the end of the sender's side tells the end of the body.
func (f *flow) endless() bool { return f.from == FrameClose || f.from == FrameStream }

// whole reports that the body has ended, with nothing behind it.
func (f *flow) whole() bool { return f.done && len(f.trailers) == 0 }

// settled reports that the body was moved to its last byte, by a framing other than the sender's close.
func (f *flow) settled() bool {
	return f.done && f.from != FrameClose && (f.from != FrameLength || f.left == 0)
}

// pass sends out, which take returned, and the end of the body where that has come.
//
// hot: runs per read of a body; no alloc, no lock.
func (f *flow) pass(to wire.Bytes, out []byte) {
	to.Send(out, f.whole())
	if f.done && len(f.trailers) > 0 {
		to.SendTrailers(f.trailers)
	}
}

// take consumes the body bytes at the start of raw, n of them, and returns the bytes that go out for them. out aliases raw,
// or scratch where the form changes, and is valid until either is used again. n is less than len(raw) only where the body
// ends within raw, or where err is set; then out holds the bytes before the fault, which may go out.
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
		// Bytes before the trailers go out unchanged, and in either form those of the trailers that may go on.
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

// unchunk appends the data of chunks to dst, without their framing, and gathers the trailers: at the end of the body, those
// that may go on are left in f.trailers.
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

// sendEnd sends the end of an endless body, with the trailers that came behind it, and returns the number of bytes.
func (f *flow) sendEnd(to wire.Bytes, scratch, trailers []byte) int {
	out := f.appendEnd(scratch[:0], trailers)
	if f.form == FormBare && len(trailers) > 0 {
		to.SendTrailers(trailers)
	} else {
		to.Send(out, true)
	}
	return len(out)
}

// appendEnd appends the bytes that end an endless body in the form that it goes out in, with its trailers.
func (f *flow) appendEnd(dst, trailers []byte) []byte {
	f.done = true
	if f.form != FormChunks {
		return dst
	}
	dst = append(dst, '0', '\r', '\n')
	dst = append(dst, trailers...)
	return append(dst, '\r', '\n')
}
