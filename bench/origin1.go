package main

// The origin of the cases with request bodies: HTTP/1.1 in clear text, as little of it as a proxy asks for.
//
// The nginx of the other cases would answer a POST before it has read the body, and what a proxy does about an early
// answer is not the work that is to be measured. Here the answer comes when the body has been read, and says how
// long it was and what its checksum is.
//
//	GET /            the same small answer as the other origins'
//	GET /16k, /1m    bodies
//	GET /forwarded   the fields that arrived, one a line
//	POST             the length of the body and its CRC-32, on any path

import (
	"bufio"
	"bytes"
	"fmt"
	"hash/crc32"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"strconv"
	"strings"
	"time"
)

// origin1 is one connection of the origin; it belongs to one goroutine.
type origin1 struct {
	conn net.Conn
	in   *bufio.Reader
	head []byte // of the request, valid until the next one
	out  []byte // scratch space
	buf  []byte // scratch space for bodies

	date string // for the current second
	at   int64
}

// bodies are the long answers.
var bodies = map[string][]byte{"/16k": body(16 << 10), "/1m": body(1 << 20)}

// serveOrigin1 serves HTTP/1.1 until the listener is closed.
func serveOrigin1(l net.Listener) error {
	return serveConns(l, func(conn net.Conn) {
		o := &origin1{conn: conn, in: bufio.NewReaderSize(conn, 16<<10), buf: make([]byte, 64<<10)}
		for o.exchange() == nil {
		}
	})
}

// exchange takes one request and answers it. Its error ends the connection; a proxy's faults show in its own answers.
func (o *origin1) exchange() error {
	if err := o.readHead(); err != nil {
		return err
	}
	line, _, _ := bytes.Cut(o.head, []byte("\r\n"))
	method, rest, _ := strings.Cut(string(line), " ")
	path, _, _ := strings.Cut(rest, " ")
	n, sum, err := o.readBody()
	if err != nil {
		return err
	}
	switch {
	case method == http.MethodPost:
		return o.answer("200 OK", fmt.Appendf(nil, "%d bytes, CRC-32 %08x\n", n, sum))
	case path == "/":
		return o.answer("200 OK", []byte(smallAnswer+"\n"))
	case path == "/forwarded":
		return o.answer("200 OK", []byte(forwarded(o.field)))
	case bodies[path] != nil:
		return o.answer("200 OK", bodies[path])
	}
	return o.answer("404 Not Found", []byte("no such path\n"))
}

// readHead reads up to the empty line.
func (o *origin1) readHead() error {
	o.head = o.head[:0]
	for {
		line, err := o.in.ReadSlice('\n')
		if err != nil {
			return err
		}
		o.head = append(o.head, line...)
		if len(line) <= 2 {
			return nil
		}
	}
}

// field is the value of the first field of that name, "" where there is none.
func (o *origin1) field(name string) string {
	rest := o.head
	for len(rest) > 0 {
		i := bytes.IndexByte(rest, '\n')
		line := rest[:i]
		rest = rest[i+1:]
		if len(line) > len(name) && line[len(name)] == ':' && strings.EqualFold(string(line[:len(name)]), name) {
			return string(bytes.TrimSpace(line[len(name)+1:]))
		}
	}
	return ""
}

// readBody reads the request's body, whole, and gives its length and checksum.
func (o *origin1) readBody() (n int64, sum uint32, err error) {
	var r io.Reader
	if length := o.field("Content-Length"); length != "" {
		size, err := strconv.ParseInt(length, 10, 64)
		if err != nil || size < 0 {
			return 0, 0, fmt.Errorf("read body: odd Content-Length %q", length)
		}
		r = io.LimitReader(o.in, size)
		defer func() {
			if err == nil && n < size {
				err = io.ErrUnexpectedEOF
			}
		}()
	} else if coding := o.field("Transfer-Encoding"); coding != "" {
		r = httputil.NewChunkedReader(o.in)
		defer func() {
			// The empty line after the last chunk; no proxy here sends trailers to HTTP/1.1.
			if err == nil {
				_, err = o.in.Discard(2)
			}
		}()
	} else {
		return 0, 0, nil
	}
	for {
		got, err := r.Read(o.buf)
		n += int64(got)
		sum = crc32.Update(sum, crc32.IEEETable, o.buf[:got])
		if err == io.EOF {
			return n, sum, nil
		}
		if err != nil {
			return n, sum, err
		}
	}
}

// answer sends a whole answer in one call.
func (o *origin1) answer(status string, body []byte) error {
	if now := time.Now(); now.Unix() != o.at {
		o.at, o.date = now.Unix(), now.UTC().Format(http.TimeFormat)
	}
	o.out = fmt.Appendf(o.out[:0], "HTTP/1.1 %s\r\nServer: origin\r\nDate: %s\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n", status, o.date, len(body))
	parts := net.Buffers{o.out, body}
	_, err := parts.WriteTo(o.conn)
	return err
}
