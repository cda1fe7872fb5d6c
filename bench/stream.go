package main

// The load of the streaming case: bidirectional gRPC streams that stay open, on each of which one message is
// under way. The origin sends every message back, and the next goes out when it is here again. So each message
// passes the proxy twice, and the figure of the case is CPU per such round trip.

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"time"

	"golang.org/x/net/http2/hpack"
)

// tally is the output of our own load generators, and the common form of the others' output.
type tally struct {
	Requests int64   `json:"requests"` // answered
	Errors   int64   `json:"errors"`
	Seconds  float64 `json:"seconds"` // that it took
	Reason   string  `json:"reason,omitempty"`
}

// streamMain is the stream subcommand.
func streamMain(args []string, out io.Writer) error {
	fs := flag.NewFlagSet("stream", flag.ContinueOnError)
	addr := fs.String("addr", "", "Speak HTTP/2 in clear text to this ip:port.")
	host := fs.String("host", benchHost, "Value of :authority.")
	conns := fs.Int("conns", 8, "Connections.")
	streams := fs.Int("streams", 16, "Streams on each connection, kept open.")
	duration := fs.Duration("duration", 5*time.Second, "How long to send messages.")
	if err := fs.Parse(args); err != nil {
		return err
	}
	if *conns <= 0 || *streams <= 0 {
		return errors.New("parse flags: -conns and -streams must be above 0")
	}
	return json.NewEncoder(out).Encode(runStreams(*addr, *host, *conns, *streams, *duration))
}

// runStreams loads addr for the duration and ends every stream in order.
func runStreams(addr, host string, conns, streams int, duration time.Duration) tally {
	start := time.Now()
	deadline := start.Add(duration)
	results := make(chan tally, conns)
	for range conns {
		go func() { results <- streamConn(addr, host, streams, deadline) }()
	}
	var sum tally
	for range conns {
		t := <-results
		sum.Requests += t.Requests
		sum.Errors += t.Errors
		if t.Reason != "" {
			sum.Reason = t.Reason
		}
	}
	sum.Seconds = time.Since(start).Seconds()
	return sum
}

// streamConn is the load of one connection.
func streamConn(addr, host string, streams int, deadline time.Time) tally {
	g := &streamLoad{deadline: deadline, left: streams}
	conn, err := net.DialTimeout("tcp", addr, timeout)
	if err == nil {
		defer conn.Close()
		// A lost echo shows as a connection that does not end.
		conn.SetDeadline(deadline.Add(timeout))
		g.c = newH2conn(conn, false, g)
		err = g.run(host, streams)
	}
	t := tally{Requests: g.echoes, Errors: int64(g.left)}
	if err != nil {
		t.Reason = err.Error()
		t.Errors = max(t.Errors, 1)
	}
	return t
}

// streamLoad is one connection of the generator.
type streamLoad struct {
	c        *h2conn
	deadline time.Time
	echoes   int64 // whole messages that came back
	left     int   // streams that have not ended with grpc-status 0
	over     bool  // the deadline has passed
}

// errDone ends h2conn.run when every stream has.
var errDone = errors.New("all streams have ended")

func (g *streamLoad) run(host string, streams int) error {
	if err := g.c.start(); err != nil {
		return err
	}
	for i := range streams {
		s := g.c.open(uint32(2*i + 1))
		if err := g.c.writeHeaders(s, false, ":method", "POST", ":scheme", "http", ":path", echoMethod, ":authority", host,
			"content-type", "application/grpc", "te", "trailers", "user-agent", "sluice-bench"); err != nil {
			return err
		}
		if err := g.c.send(s, unaryRequest, notYet); err != nil {
			return err
		}
	}
	if err := g.c.run(); !errors.Is(err, errDone) {
		return err
	}
	return nil
}

// headers takes the head of an answer, or its trailers.
func (g *streamLoad) headers(s *h2stream, fields []hpack.HeaderField, end bool) error {
	for _, f := range fields {
		if f.Name == ":status" && f.Value != "200" || f.Name == "grpc-status" && f.Value != "0" {
			return fmt.Errorf("stream %d: %s is %s", s.id, f.Name, f.Value)
		}
	}
	if !end {
		return nil
	}
	if s.last == notYet || s.state != 0 || len(fields) == 0 {
		return fmt.Errorf("stream %d: it ended before its time", s.id)
	}
	delete(g.c.streams, s.id)
	if g.left--; g.left == 0 {
		return errDone
	}
	return nil
}

// data counts the bytes that came back; a message may come in several frames, and the stream's state is the
// number of its bytes so far.
func (g *streamLoad) data(s *h2stream, payload []byte, end bool) error {
	if s.state += len(payload); s.state < len(unaryRequest) && !end {
		return nil
	}
	if s.state != len(unaryRequest) || end {
		return fmt.Errorf("stream %d: %d bytes came back for %d, end %v", s.id, s.state, len(unaryRequest), end)
	}
	s.state = 0
	g.echoes++
	if g.echoes%64 == 0 {
		g.over = g.over || time.Now().After(g.deadline)
	}
	if !g.over {
		return g.c.send(s, unaryRequest, notYet)
	}
	s.last = withData
	return g.c.framer.WriteData(s.id, true, nil)
}
