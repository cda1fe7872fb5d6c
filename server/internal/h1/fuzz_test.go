package h1_test

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/server/internal/h1"
	"github.com/sluice-gateway/sluice/server/internal/h1/h1test"
	"github.com/sluice-gateway/sluice/server/internal/message"
)

// The fuzz targets hold the codec to two things: the split does not matter, and net/http reads
// accepted messages the same way. The exceptions, where net/http refuses or decodes more, are named
// at the comparison. Nothing is claimed for refused messages: the codec is meant to be stricter.

// fuzzLimits are small, so that inputs reach them.
var fuzzLimits = h1.Limits{MaxHead: 2048, MaxFields: 16, MaxTarget: 256}

const maxSeed = 4 << 10

func FuzzRequest(f *testing.F) {
	for _, c := range append(append([]h1test.Request{}, h1test.Requests...), h1test.Accepted...) {
		if len(c.Raw) < maxSeed {
			f.Add([]byte(c.Raw), uint16(len(c.Raw)/2))
		}
	}
	f.Add([]byte(browserHead), uint16(7))
	f.Fuzz(func(t *testing.T, raw []byte, at uint16) {
		var whole h1.Request
		st := h1.ParseRequest(&whole, raw, fuzzLimits)
		for step := range 2 { // two parts, then byte by byte
			var r h1.Request
			got := h1.Incomplete
			if step == 0 {
				got = h1.ParseRequest(&r, raw[:int(at)%(len(raw)+1)], fuzzLimits)
			}
			for n := 0; step == 1 && n < len(raw) && got == h1.Incomplete; n++ {
				got = h1.ParseRequest(&r, raw[:n:n], fuzzLimits)
			}
			if got == h1.Incomplete {
				got = h1.ParseRequest(&r, raw, fuzzLimits)
			}
			if got == h1.Incomplete && st > h1.Done { // a fault in the last line may wait for its end
				got = h1.ParseRequest(&r, append(raw[:len(raw):len(raw)], '\n'), fuzzLimits)
			}
			if got != st || st == h1.Done && !sameRequest(&r, &whole) {
				t.Fatalf("split %d at %d: got %v %+v\nwant %v %+v", step, at, got, r, st, whole)
			}
		}
		if st == h1.Done {
			compareRequest(t, &whole, raw)
		}
	})
}

// compareRequest holds an accepted request against net/http.
func compareRequest(t *testing.T, r *h1.Request, raw []byte) {
	head := raw[r.MethodSpan.Off:r.HeadLen] // net/http does not skip a leading CR LF here
	q, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(head)))
	if err != nil {
		// net/http decodes targets and hosts, which is routing's here, and minds what Trailer lists.
		var bad *url.Error
		if errors.As(err, &bad) || strings.Contains(err.Error(), "invalid URI") || r.Has(message.FieldTrailer) {
			return
		}
		t.Fatalf("%q: net/http refuses: %v", head, err)
	}
	length := max(r.ContentLength, 0)
	if r.Chunked {
		length = -1
	}
	if q.Method != string(r.MethodSpan.Of(raw)) || q.RequestURI != string(r.Target.Of(raw)) ||
		q.ProtoMinor != int(r.Minor) || q.ContentLength != length || q.Close == r.KeepAlive ||
		(len(q.TransferEncoding) == 1) != r.Chunked {
		t.Fatalf("%q: net/http reads %+v, we %+v", head, q, r)
	}
	// For CONNECT net/http takes the target apart as a path as well; a '%' in a host it decodes.
	if host := string(r.Authority.Of(raw)); r.Form != message.AuthorityForm && q.Host != host && !strings.Contains(host, "%") {
		t.Fatalf("%q: net/http reads host %q, we %q", head, q.Host, host)
	}
	if r.Form == message.OriginForm && q.URL.RawQuery != string(r.Query.Of(raw)) {
		t.Fatalf("%q: net/http reads query %q, we %q", head, q.URL.RawQuery, r.Query.Of(raw))
	}
	compareFields(t, &r.Head, raw, q.Header)
}

// compareFields compares the fields net/http keeps in h: all but Host, Transfer-Encoding and Trailer.
func compareFields(t *testing.T, r *message.Head, raw []byte, h http.Header) {
	used := map[string]int{}
	for _, f := range r.Fields {
		name := http.CanonicalHeaderKey(string(f.Name.Of(raw)))
		if f.ID == message.FieldHost || f.ID == message.FieldTransferEncoding || f.ID == message.FieldTrailer {
			continue
		}
		if n := used[name]; n >= len(h[name]) || h[name][n] != string(f.Value.Of(raw)) {
			t.Fatalf("%q: net/http reads %q for %s, we %q as number %d", raw, h[name], name, f.Value.Of(raw), n)
		}
		used[name]++
	}
	for name, values := range h {
		// net/http makes up a Cache-Control where there is only a Pragma.
		if used[name] != len(values) && !(name == "Cache-Control" && used["Pragma"] > 0) {
			t.Fatalf("%q: net/http reads %q for %s, we %d of them", raw, values, name, used[name])
		}
	}
}

func FuzzResponse(f *testing.F) {
	for _, c := range h1test.Responses {
		if len(c.Raw) < maxSeed {
			f.Add([]byte(c.Raw), uint16(len(c.Raw)/2))
		}
	}
	f.Add([]byte(responseHead), uint16(7))
	f.Add(h1.AppendErrorResponse(nil, 204, "", nil, true, true), uint16(20))
	f.Fuzz(func(t *testing.T, raw []byte, at uint16) {
		var whole h1.Response
		st := h1.ParseResponse(&whole, raw, fuzzLimits)
		for step := range 2 {
			var r h1.Response
			got := h1.Incomplete
			if step == 0 {
				got = h1.ParseResponse(&r, raw[:int(at)%(len(raw)+1)], fuzzLimits)
			}
			for n := 0; step == 1 && n < len(raw) && got == h1.Incomplete; n++ {
				got = h1.ParseResponse(&r, raw[:n:n], fuzzLimits)
			}
			if got == h1.Incomplete {
				got = h1.ParseResponse(&r, raw, fuzzLimits)
			}
			if got == h1.Incomplete && st > h1.Done { // a fault in the last line may wait for its end
				got = h1.ParseResponse(&r, append(raw[:len(raw):len(raw)], '\n'), fuzzLimits)
			}
			if got != st || st == h1.Done && !sameResponse(&r, &whole) {
				t.Fatalf("split %d at %d: got %v %+v\nwant %v %+v", step, at, got, r, st, whole)
			}
		}
		if st != h1.Done {
			return
		}
		head := raw[:whole.HeadLen]
		for _, method := range []message.Method{message.MethodGet, message.MethodHead} {
			q, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(head)), &http.Request{Method: method.String()})
			if err != nil {
				if whole.Has(message.FieldTrailer) { // net/http checks the fields that it lists
					return
				}
				t.Fatalf("%q: net/http refuses: %v", head, err)
			}
			kind := whole.BodyKind(method)
			if q.StatusCode != int(whole.Code) || q.ProtoMinor != int(whole.Minor) {
				t.Fatalf("%q: net/http reads %+v, we %+v", head, q, whole)
			}
			// net/http calls 205 and other codes without a body what they are only when writing; and
			// a HEAD's ContentLength is the announced one.
			if method == message.MethodGet && kind == message.BodyLength && q.ContentLength != whole.ContentLength ||
				method == message.MethodGet && kind == message.BodyChunked && (q.ContentLength != -1 || len(q.TransferEncoding) != 1) ||
				method == message.MethodGet && kind == message.BodyUntilClose && (q.ContentLength != -1 || len(q.TransferEncoding) != 0 || !q.Close) ||
				kind == message.BodyNone && !emptyBody(q) {
				t.Fatalf("%q to %v: net/http reads %+v, we kind %d of %+v", head, method, q, kind, whole)
			}
			// A "close" must be believed. Our own reasons to close are more than net/http's.
			if kind != message.BodyUntilClose && q.Close && whole.KeepAlive {
				t.Fatalf("%q to %v: net/http closes, we do not", head, method)
			}
			compareFields(t, &whole.Head, raw, q.Header)
		}
	})
}

func emptyBody(q *http.Response) bool {
	b, err := io.ReadAll(q.Body)
	return len(b) == 0 && err == nil
}

func FuzzChunked(f *testing.F) {
	for _, c := range append(append([]h1test.Request{}, h1test.Requests...), h1test.Accepted...) {
		if _, body, ok := strings.Cut(c.Raw, "\r\n\r\n"); ok && strings.Contains(c.Raw, "chunked") && len(body) < maxSeed {
			f.Add([]byte(body), uint16(len(body)/2))
		}
	}
	f.Fuzz(func(t *testing.T, body []byte, at uint16) {
		want := feedAll(body, len(body))
		if got := feedAll(body, int(at)%(len(body)+1)); got != want {
			t.Fatalf("%q split at %d: got %+v, want %+v", body, at, got, want)
		}
		next := nextAll(body, int(at)%7+1)
		if next.n != want.n || next.done != want.done || next.err != want.err {
			t.Fatalf("%q: Next got %+v, Feed %+v", body, next, want)
		}
		if !want.done {
			return
		}
		// net/http limits what is no data in another way than MaxChunkOverhead, but not below it for
		// inputs of this size.
		data, err := io.ReadAll(httputil.NewChunkedReader(bytes.NewReader(body[:want.n])))
		if err != nil || string(data) != next.data {
			t.Fatalf("%q: net/http reads %q and %v, we %q", body, data, err, next.data)
		}
		// Parsers of heads accept the trailer section.
		if _, err := h1.ParseTrailer(nil, []byte(next.tail)); err != h1.ErrNone {
			t.Fatalf("%q: ParseTrailer refuses %q: %v", body, next.tail, err)
		}
		if next.tail+"\r\n" != string(body[want.n-len(next.tail)-2:want.n]) {
			t.Fatalf("%q: trailer %q is not the end of the body", body, next.tail)
		}
	})
}
