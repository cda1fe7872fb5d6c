package main

// The HTTP/2 origin: a server in clear text (prior knowledge) that does as little as a correct one can, so that
// it takes little of the core that it shares with the load generator. net/http's would take several times as
// much as the fastest proxy and so decide the measurement.
//
//	/                    the same small answer as the HTTP/1.1 origin's
//	/forwarded           the fields that arrived, one a line
//	/bench.Bench/Unary   gRPC: one message, when the request has ended
//	/bench.Bench/Echo    gRPC: every message of the client back at once, until the client ends

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// smallAnswer is both origins' answer to "/".
const smallAnswer = `{"id":42,"name":"a small answer","tags":["ingress","bench","loopback"],"note":"what a typical JSON endpoint says in a few words"}`

const (
	unaryMethod = "/bench.Bench/Unary"
	echoMethod  = "/bench.Bench/Echo"
)

// grpcMessage is a gRPC message as it stands in DATA frames: a flag for compression, four bytes of length,
// and the protobuf.
func grpcMessage(protobuf string) []byte {
	n := len(protobuf)
	return append([]byte{0, byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}, protobuf...)
}

// unaryRequest and unaryAnswer hold one string field each (number 1, type 2).
var (
	unaryRequest = grpcMessage("\x0a\x3e" + "a request of an ordinary size, such as a key and a few options")
	unaryAnswer  = grpcMessage("\x0a\x62" + "an answer of an ordinary size: an identifier, a name, a time stamp, a few numbers and a short text")
)

// originMain is the origin subcommand: serve until killed.
func originMain(args []string) error {
	fs := flag.NewFlagSet("origin", flag.ContinueOnError)
	addr := fs.String("addr", "", "Serve in clear text on this ip:port.")
	http1 := fs.Bool("http1", false, "Serve HTTP/1.1, request bodies too, instead of HTTP/2.")
	if err := fs.Parse(args); err != nil {
		return err
	}
	l, err := net.Listen("tcp", *addr)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	if *http1 {
		return serveOrigin1(l)
	}
	return serveOrigin(l)
}

// serveOrigin serves HTTP/2 until the listener is closed.
func serveOrigin(l net.Listener) error {
	return serveConns(l, func(conn net.Conn) {
		o := &origin{}
		o.c = newH2conn(conn, true, o)
		o.serve()
	})
}

// serveConns serves until the listener is closed; it has one goroutine a connection, which it closes behind serve.
func serveConns(l net.Listener, serve func(net.Conn)) error {
	for {
		conn, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("accept: %w", err)
		}
		go func() {
			defer conn.Close()
			serve(conn)
		}()
	}
}

// origin is one connection of the origin.
type origin struct {
	c    *h2conn
	date string // for the current second
	at   int64
}

// serve answers until the connection ends; a proxy's faults show in its own answers.
func (o *origin) serve() error {
	if err := o.c.start(); err != nil {
		return err
	}
	preface := make([]byte, len(http2.ClientPreface))
	if _, err := io.ReadFull(o.c.conn, preface); err != nil || string(preface) != http2.ClientPreface {
		return fmt.Errorf("read preface: %q, %w", preface, err)
	}
	return o.c.run()
}

// headers takes a request and decides its answer; one that needs the end of the request is given in data, or
// here where there is no body.
func (o *origin) headers(s *h2stream, fields []hpack.HeaderField, end bool) error {
	path := ""
	for _, f := range fields {
		if f.Name == ":path" {
			path = f.Value
			break
		}
	}
	switch path {
	case unaryMethod:
		s.state = unary
	case echoMethod:
		s.state = echo
		if err := o.c.writeHeaders(s, false, ":status", "200", "content-type", "application/grpc"); err != nil {
			return err
		}
	case "": // trailers of a client; no answer here depends on any
	case "/":
		return o.answer(s, "200", smallAnswer+"\n")
	case "/forwarded":
		return o.answer(s, "200", forwarded(func(name string) (value string) {
			for _, f := range fields {
				// nginx sends a Host field in place of :authority where its configuration names one, and it may.
				if f.Name == strings.ToLower(name) || name == "Host" && f.Name == ":authority" {
					value = f.Value
				}
			}
			return value
		}))
	default:
		return o.answer(s, "404", "no such path\n")
	}
	if end {
		return o.ended(s)
	}
	return nil
}

// Kinds of a request whose answer waits for its body, kept in h2stream.state.
const (
	unary = 1
	echo  = 2
)

func (o *origin) data(s *h2stream, payload []byte, end bool) error {
	if s.state == echo && len(payload) > 0 {
		if err := o.c.send(s, payload, notYet); err != nil {
			return err
		}
	}
	if end {
		return o.ended(s)
	}
	return nil
}

// ended answers a gRPC request that has ended.
func (o *origin) ended(s *h2stream) error {
	if s.state == unary {
		if err := o.c.writeHeaders(s, false, ":status", "200", "content-type", "application/grpc"); err != nil {
			return err
		}
		return o.c.send(s, unaryAnswer, withTrailers)
	}
	return o.c.finish(s)
}

// answer gives a whole plain answer, without waiting for a body.
func (o *origin) answer(s *h2stream, status, text string) error {
	if now := time.Now(); now.Unix() != o.at {
		o.at, o.date = now.Unix(), now.UTC().Format(http.TimeFormat)
	}
	if err := o.c.writeHeaders(s, false, ":status", status, "server", "origin", "date", o.date,
		"content-type", "text/plain", "content-length", strconv.Itoa(len(text))); err != nil {
		return err
	}
	return o.c.send(s, []byte(text), withData)
}

// forwarded lists the request's fields in the form of the nginx origin; field gives the value of one.
func forwarded(field func(name string) string) string {
	var out strings.Builder
	for _, name := range []string{"X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Port", "X-Real-IP", "X-Request-ID", "Host", "Grpc-Timeout"} {
		fmt.Fprintf(&out, "%s=%s\n", name, field(name))
	}
	return out.String()
}
