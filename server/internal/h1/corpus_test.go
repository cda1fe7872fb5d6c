package h1_test

import (
	"testing"

	"github.com/sluice-gateway/sluice/server/internal/h1"
	"github.com/sluice-gateway/sluice/server/internal/h1/h1test"
	"github.com/sluice-gateway/sluice/server/internal/message"
)

var corpusLimits = h1.Limits{MaxHead: h1test.MaxHead, MaxFields: h1test.MaxFields, MaxTarget: h1test.MaxTarget}

// readRequest reads the first request of raw as the gateway would and returns its fault. complete
// reports whether the request ended; head whether the fault, if any, came after the head.
func readRequest(raw []byte) (err h1.Error, head, complete bool) {
	var r h1.Request
	st := h1.ParseRequest(&r, raw, corpusLimits)
	if st != h1.Done {
		return st.Err(), false, false
	}
	err, complete = readBody(raw[r.HeadLen:], r.Chunked, max(r.ContentLength, 0))
	return err, true, complete
}

func readBody(body []byte, chunked bool, length int64) (h1.Error, bool) {
	if !chunked {
		return h1.ErrNone, int64(len(body)) >= length
	}
	var f feeder
	_, done, err := f.feed(body)
	return err, done
}

func TestRequestCorpus(t *testing.T) {
	if len(h1test.Requests) < 60 {
		t.Errorf("%d requests, want at least 60", len(h1test.Requests))
	}
	names := map[string]bool{}
	for _, c := range h1test.Requests {
		t.Run(c.Name, func(t *testing.T) {
			if names[c.Name] {
				t.Error("the name is not unique")
			}
			names[c.Name] = true
			err, head, _ := readRequest([]byte(c.Raw))
			if err.HTTPStatus() != c.Status || head != c.Body {
				t.Errorf("got %d (%v), fault in body %v; want %d, %v", err.HTTPStatus(), err, head, c.Status, c.Body)
			}
		})
	}
}

func TestAcceptedCorpus(t *testing.T) {
	for _, c := range h1test.Accepted {
		t.Run(c.Name, func(t *testing.T) {
			if err, _, complete := readRequest([]byte(c.Raw)); err != h1.ErrNone || !complete {
				t.Errorf("got %v, complete %v; want an accepted request", err, complete)
			}
		})
	}
}

// readResponse reads the final response of raw the same way.
func readResponse(raw []byte, method message.Method) (err h1.Error, head, complete bool) {
	var r h1.Response
	for {
		st := h1.ParseResponse(&r, raw, corpusLimits)
		if st != h1.Done {
			return st.Err(), false, false
		}
		raw = raw[r.HeadLen:]
		if r.Code >= 200 || r.Code == 101 {
			break
		}
	}
	switch r.BodyKind(method) {
	case message.BodyChunked:
		err, complete = readBody(raw, true, 0)
	case message.BodyLength:
		err, complete = readBody(raw, false, r.ContentLength)
	default:
		complete = true
	}
	return err, true, complete
}

func TestResponseCorpus(t *testing.T) {
	for _, c := range h1test.Responses {
		t.Run(c.Name, func(t *testing.T) {
			err, head, complete := readResponse([]byte(c.Raw), message.MethodGet)
			switch {
			case head != c.Body:
				t.Errorf("fault in body: %v, want %v", head, c.Body)
			case c.Close && (err != h1.ErrNone || complete):
				t.Errorf("got %v, complete %v; want a response that waits for its end", err, complete)
			case !c.Close && err == h1.ErrNone:
				t.Errorf("accepted, complete %v", complete)
			}
		})
	}
}

// TestSplitRequests gives every request of the corpus in two parts, split at every offset, and byte
// by byte: neither the outcome nor the index may change.
func TestSplitRequests(t *testing.T) {
	for _, c := range append(append([]h1test.Request{}, h1test.Requests...), h1test.Accepted...) {
		raw := []byte(c.Raw)
		var whole h1.Request
		want := h1.ParseRequest(&whole, raw, corpusLimits)
		check := func(got h1.Status, r *h1.Request, how string, at int) {
			if got != want || got == h1.Done && !sameRequest(r, &whole) {
				t.Fatalf("%s: %s at %d: got %v %+v\nwant %v %+v", c.Name, how, at, got, r, want, whole)
			}
		}
		for at := 0; at < len(raw); at += splitStep(raw) {
			var r h1.Request
			st := h1.ParseRequest(&r, raw[:at:at], corpusLimits)
			if st == h1.Incomplete {
				st = h1.ParseRequest(&r, raw, corpusLimits)
			}
			check(st, &r, "split", at)
		}
		var r h1.Request
		for n := range len(raw) + 1 {
			if st := h1.ParseRequest(&r, raw[:n:n], corpusLimits); st != h1.Incomplete || n == len(raw) {
				check(st, &r, "byte by byte", n)
				break
			}
		}
	}
}

// splitStep thins out the splits of the few cases that are about size.
func splitStep(raw []byte) int {
	if len(raw) < 2<<10 {
		return 1
	}
	return len(raw) / 50
}

// TestSplitBodies does the same with the bodies of the corpus, and compares Feed with Next.
func TestSplitBodies(t *testing.T) {
	for _, c := range append(append([]h1test.Request{}, h1test.Requests...), h1test.Accepted...) {
		var r h1.Request
		if h1.ParseRequest(&r, []byte(c.Raw), corpusLimits) != h1.Done || !r.Chunked {
			continue
		}
		body := []byte(c.Raw[r.HeadLen:])
		want := feedAll(body, len(body))
		for at := 0; at < len(body); at += splitStep(body) {
			if got := feedAll(body, at); got != want {
				t.Fatalf("%s: split at %d: got %+v, want %+v", c.Name, at, got, want)
			}
		}
		for _, size := range []int{1, 2, 3, 7, 64, len(body)} {
			if got := nextAll(body, size); got.n != want.n || got.done != want.done || got.err != want.err {
				t.Fatalf("%s: Next in pieces of %d: got %+v, Feed %+v", c.Name, size, got, want)
			}
		}
	}
}

// fed is the result of a chunked body.
type fed struct {
	n    int
	done bool
	err  h1.Error
	data string
	tail string // trailer section
}

// feedAll passes body on in two parts.
func feedAll(body []byte, at int) (f fed) {
	var c feeder
	f.n, f.done, f.err = c.feed(body[:at])
	if f.err == h1.ErrNone && !f.done {
		var n int
		n, f.done, f.err = c.feed(body[at:])
		f.n += n
	}
	return f
}

// feeder passes a body on by Feed, and its trailer section by Next.
type feeder struct {
	h1.Chunked
	trailing bool
}

func (f *feeder) feed(b []byte) (n int, done bool, err h1.Error) {
	if !f.trailing {
		if n, done, err = f.Feed(b); n == len(b) || done || err != h1.ErrNone {
			return n, done, err
		}
		f.trailing = true
	}
	for n < len(b) && err == h1.ErrNone && !done {
		var kind h1.Part
		var k int
		kind, _, k, err = f.Next(b[n:])
		n += k
		done = kind == h1.PartDone
	}
	return n, done, err
}

// nextAll gives body to Next in pieces of size bytes.
func nextAll(body []byte, size int) (f fed) {
	var c h1.Chunked
	for f.n < len(body) {
		piece := body[f.n:min(len(body), f.n+max(size, 1))]
		for len(piece) > 0 {
			kind, part, n, err := c.Next(piece)
			f.n += n
			piece = piece[n:]
			switch kind {
			case h1.PartData:
				f.data += string(part)
			case h1.PartTrailer:
				f.tail += string(part)
			case h1.PartDone:
				f.done = true
				return f
			}
			if err != h1.ErrNone {
				f.err = err
				return f
			}
			if n == 0 && kind == h1.PartNone {
				panic("Next makes no progress")
			}
		}
	}
	return f
}
