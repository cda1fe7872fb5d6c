package server

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"strings"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/sluice-gateway/sluice/routing"
	"github.com/sluice-gateway/sluice/server/internal/servertest"
)

// ending is how a hostile client ends its request.
type ending int

const (
	endWhole  ending = iota // as an honest one does
	endClose                // closes
	endReset                // resets
	endHalf                 // shuts its side, and reads on; over HTTP/2, ends the stream
	endStream               // HTTP/2: resets the stream
	endings
)

// sort is a sort of request; assaults lists them.
type sort struct {
	name   string
	method string
	body   int
	// framing of the body: "length", "chunked", or "" where there is none.
	framing string
	fields  []string // further ones, name and value
	// upgrade is the protocol that is asked for, length the Content-Length of an extended CONNECT.
	upgrade, length string
	query           string
	web             bool // the body is gRPC-Web's text
	twice           bool // HTTP/1: with another request behind it, in the same piece
}

var sorts = []sort{
	{name: "none", method: "GET"},
	{name: "HEAD", method: "HEAD"},
	{name: "length", method: "POST", body: 2000, framing: "length"},
	{name: "length 0", method: "POST", framing: "length"},
	{name: "chunked", method: "POST", body: 2000, framing: "chunked"},
	{name: "pipelined", method: "POST", body: 700, framing: "length", twice: true},
	{name: "GET with a body", method: "GET", body: 700, framing: "length"},
	{name: "HEAD with a body", method: "HEAD", body: 700, framing: "chunked"},
	{name: "Expect", method: "POST", body: 2000, framing: "length", fields: []string{"expect", "100-continue"}},
	{name: "Expect, refused", method: "POST", body: 2000, framing: "length", fields: []string{"expect", "100-continue"}, query: "&early&status=403"},
	{name: "interim", method: "GET", query: "&interim"},
	{name: "interim, with a body", method: "POST", body: 2000, framing: "length", query: "&interim"},
	{name: "early", method: "POST", body: 20000, framing: "length", query: "&early&status=404"},
	{name: "early, chunked", method: "POST", body: 20000, framing: "chunked", query: "&early"},
	{name: "early, 204", method: "POST", body: 2000, framing: "length", query: "&early&status=204"},
	{name: "304", method: "GET", query: "&status=304"},
	{name: "Upgrade, refused", method: "GET", upgrade: "websocket", query: "&status=404"},
	{name: "Upgrade to a list", method: "GET", upgrade: "websocket, x/1", query: "&status=426"},
	{name: "Upgrade of a POST", method: "POST", framing: "length", upgrade: "websocket", query: "&status=403"},
	{name: "extended CONNECT with length 0", method: "GET", upgrade: "websocket", length: "0", query: "&status=404"},
	{name: "extended CONNECT with a length", method: "GET", upgrade: "websocket", length: "330", query: "&early&status=404"},
	{name: "gRPC by its media type", method: "POST", body: 2000, framing: "length", fields: []string{"content-type", "application/grpc"}},
	{name: "gRPC-Web", method: "POST", body: 2000, framing: "length", fields: []string{"content-type", "application/grpc-web+proto"}},
	{name: "gRPC-Web in chunks", method: "POST", body: 2000, framing: "chunked", fields: []string{"content-type", "application/grpc-web"}},
	{name: "gRPC-Web, text", method: "POST", body: 2001, framing: "length", fields: []string{"content-type", "application/grpc-web-text"}, web: true},
	{name: "gRPC-Web, text, early", method: "POST", body: 2001, framing: "chunked", fields: []string{"content-type", "application/grpc-web-text"}, web: true, query: "&early"},
}

// assault is one request of a hostile client.
type assault struct {
	a       *apart
	sort    *sort
	streams bool // HTTP/2
	secure  bool
	at      int // steps before the ending
	ending  ending
	query   string
	rng     *rand.Rand
	q       *question
}

// assaults lists them all: every sort over every protocol, ended at each step in each way, and whole with each fault of the
// Endpoint.
func (a *apart) assaults(rng *rand.Rand) (all []*assault) {
	for i := range sorts {
		for _, streams := range []bool{false, true} {
			add := func(at int, e ending, query string) {
				all = append(all, &assault{
					a: a, sort: &sorts[i], streams: streams, secure: rng.IntN(2) == 0, at: at, ending: e, query: query,
					rng: rand.New(rand.NewPCG(rng.Uint64(), 0)),
				})
			}
			for _, query := range []string{"?length", "?", "?trailers", "?fault=silent", "?fault=head", "?fault=body", "?length&fault=body"} {
				add(0, endWhole, query)
			}
			for at := range 5 {
				for e := endClose; e < endings && (streams || e < endStream); e++ {
					add(at, e, []string{"?length", "?"}[rng.IntN(2)])
				}
			}
		}
	}
	return all
}

func (s *assault) String() string {
	return fmt.Sprintf("%s %s%s%s, HTTP/2 %v, secure %v, ending %d at %d", s.sort.name, s.q.path, s.query, s.sort.query, s.streams, s.secure, s.ending, s.at)
}

// play makes the request.
func (s *assault) play() {
	a, k := s.a, s.sort
	s.q = a.ask(k.method, "")
	body := smuggled(s.q.path, k.body)
	if k.framing == "" || k.body == 0 {
		body = ""
	}
	s.q.body, s.q.length = body, int64(len(body))
	if k.framing == "chunked" {
		s.q.length = -1
	}
	if k.web {
		raw := body
		body = base64.StdEncoding.EncodeToString([]byte(raw))
		if s.translated() {
			s.q.length = -1
		} else {
			s.q.body = body
			if k.framing != "chunked" {
				s.q.length = int64(len(body))
			}
		}
	}
	protocol := "http/1.1"
	if s.streams {
		protocol = "h2"
	}
	conn, tcp := a.connect(s.secure, protocol)
	if conn == nil {
		return
	}
	defer tcp.Close()
	if s.streams {
		s.playHTTP2(conn, tcp, body)
	} else {
		s.playHTTP1(conn, tcp, body)
	}
}

// translated reports that gRPC-Web is translated.
func (s *assault) translated() bool {
	return (s.a.to == routing.GRPC || s.a.to == routing.GRPCS) && s.sort.method == "POST"
}

// step waits, or not, for the gateway to handle the bytes that were sent, and ends the request where that is due.
func (s *assault) step(n int, conn net.Conn, tcp *net.TCPConn) (goesOn bool) {
	if s.rng.IntN(2) == 0 {
		s.a.g.settle()
	}
	if s.ending == endWhole || n < s.at {
		return true
	}
	switch s.ending {
	case endClose:
		tcp.Close()
	case endReset:
		_ = tcp.SetLinger(0)
		tcp.Close()
	case endHalf:
		if c, ok := conn.(interface{ CloseWrite() error }); ok {
			_ = c.CloseWrite()
		}
	}
	return false
}

// playHTTP1 speaks HTTP/1.1.
func (s *assault) playHTTP1(conn net.Conn, tcp *net.TCPConn, body string) {
	k, q := s.sort, s.q
	head := fmt.Sprintf("%s %s%s%s HTTP/1.1\r\nHost: a\r\nX-Id: %[2]s\r\n", k.method, q.path, s.query, k.query)
	for i := 0; i < len(k.fields); i += 2 {
		head += k.fields[i] + ": " + k.fields[i+1] + "\r\n"
	}
	half := len(body) / 2
	pieces := []string{body[:half], body[half:]}
	switch {
	case k.upgrade != "":
		head += "Connection: Upgrade\r\nUpgrade: " + k.upgrade + "\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n"
		if k.framing != "" || k.length == "0" {
			head += "Content-Length: 0\r\n"
		}
		pieces = nil
	case k.framing == "chunked":
		head += "Transfer-Encoding: chunked\r\n"
		for i, p := range pieces {
			pieces[i] = fmt.Sprintf("%x\r\n%s\r\n", len(p), p)
		}
		if s.rng.IntN(2) == 0 {
			head += "Trailer: Sum\r\n"
		}
		pieces = append(pieces, "0\r\nSum: 1\r\n\r\n")
	case k.framing == "length":
		head += fmt.Sprintf("Content-Length: %d\r\n", len(body))
	}
	head += "\r\n"
	cut := s.rng.IntN(len(head))
	pieces = append([]string{head[:cut], head[cut:]}, pieces...)
	var second *question
	if k.twice {
		second = s.a.ask("GET", "")
		pieces[len(pieces)-1] += fmt.Sprintf("GET %s?length HTTP/1.1\r\nHost: a\r\nX-Id: %[1]s\r\n\r\n", second.path)
	}
	in := bufio.NewReader(conn)
	var first *http.Response
	for n, p := range pieces {
		if !s.step(n, conn, tcp) {
			break
		}
		if n == 2 && k.fields != nil && k.fields[0] == "expect" && !strings.Contains(s.query, "fault") && s.rng.IntN(3) > 0 {
			// The invitation, or the answer. Where the Endpoint aborts there is neither for long: net/http first reads the
			// body that it has not asked for.
			var err error
			if first, err = http.ReadResponse(in, &http.Request{Method: k.method}); err != nil {
				if ne, ok := err.(net.Error); ok && ne.Timeout() {
					s.a.errorf("%v: neither invited nor answered", s)
				}
				return
			}
			if first.StatusCode >= 200 && s.rng.IntN(2) == 0 {
				break
			}
		}
		if _, err := io.WriteString(conn, p); err != nil {
			break
		}
	}
	for _, q := range []*question{q, second} {
		if q == nil || !s.answered(in, q, first) {
			return
		}
		first = nil
	}
}

// answered reads the final response to q, of which first may have been read, and reports whether another may follow.
func (s *assault) answered(in *bufio.Reader, q *question, first *http.Response) bool {
	resp := first
	for resp == nil || resp.StatusCode < 200 && resp.StatusCode != 101 {
		var err error
		if resp, err = http.ReadResponse(in, &http.Request{Method: q.method}); err != nil {
			if ne, ok := err.(net.Error); ok && ne.Timeout() {
				s.a.errorf("%v: no answer to %s", s, q.path)
			}
			return false
		}
	}
	b, err := io.ReadAll(resp.Body)
	if ne, ok := err.(net.Error); ok && ne.Timeout() {
		s.a.errorf("%v: the answer does not end", s)
	}
	if s.sort.web && s.translated() {
		b = []byte(q.answerTo()) // is in text, and what the Endpoint sends is no message
		err = io.ErrUnexpectedEOF
	}
	s.a.check(s.String(), q, resp.StatusCode, resp.Header.Get("X-Id"), string(b), err)
	return err == nil && !resp.Close && resp.StatusCode != 101
}

// playHTTP2 speaks HTTP/2, on one stream.
func (s *assault) playHTTP2(conn net.Conn, tcp *net.TCPConn, body string) {
	k, q := s.sort, s.q
	c := servertest.NewRawHTTP2(conn, conn)
	c.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	if _, err := io.WriteString(conn, http2.ClientPreface); err != nil {
		return
	}
	_ = c.WriteSettings()
	fields := []string{":method", k.method, ":scheme", "http", ":authority", "a", ":path", q.path + s.query + k.query, "x-id", q.path}
	fields = append(fields, k.fields...)
	half := len(body) / 2
	pieces := []string{body[:half], body[half:]}
	ends := k.framing == "" && k.upgrade == "" || k.framing == "length" && body == ""
	switch {
	case k.upgrade != "":
		protocol, _, _ := strings.Cut(k.upgrade, ",")
		fields[1] = "CONNECT"
		fields = append([]string{":protocol", protocol}, fields...)
		ends, q.method = false, "GET"
		pieces = []string{smuggled(q.path, 165), smuggled(q.path, 165)}
		if k.length != "" {
			fields = append(fields, "content-length", k.length)
		}
	case k.framing == "length":
		fields = append(fields, "content-length", strconv.Itoa(len(body)))
	}
	if !ends && s.rng.IntN(2) == 0 {
		fields = append(fields, "trailer", "sum")
	}
	if !s.step(0, conn, tcp) && s.ending != endHalf {
		return
	}
	c.Fields(1, ends, fields...)
	for n, p := range pieces {
		if ends {
			break
		}
		if !s.step(n+1, conn, tcp) {
			switch s.ending {
			case endHalf:
				_ = c.WriteData(1, true, nil)
			case endStream:
				_ = c.WriteRSTStream(1, http2.ErrCodeCancel)
				s.a.g.settle()
				return
			}
			ends = true
			break
		}
		_ = c.WriteData(1, false, []byte(p))
	}
	if !ends && k.upgrade == "" {
		if s.rng.IntN(2) == 0 {
			c.Fields(1, true, "sum", "1")
		} else {
			_ = c.WriteData(1, true, nil)
		}
	}
	var got []byte
	status, id := 0, ""
	for {
		f, err := c.ReadFrame()
		if err != nil {
			if ne, ok := err.(net.Error); ok && ne.Timeout() {
				s.a.errorf("%v: no answer", s)
			}
			return
		}
		if f.Header().StreamID != 1 {
			continue
		}
		ended := false
		switch f := f.(type) {
		case *http2.RSTStreamFrame:
			return
		case *http2.MetaHeadersFrame:
			if v := f.PseudoValue("status"); v != "" && v[0] != '1' {
				status, _ = strconv.Atoi(v)
				for _, h := range f.Fields {
					if h.Name == "x-id" {
						id = h.Value
					}
				}
			}
			ended = f.StreamEnded()
		case *http2.DataFrame:
			got = append(got, f.Data()...)
			ended = f.StreamEnded()
		}
		if ended {
			var err error
			if k.web && s.translated() {
				err = io.ErrUnexpectedEOF // is in text
			}
			s.a.check(s.String(), q, status, id, string(got), err)
			return
		}
	}
}
