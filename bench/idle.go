package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// settle is how long a proxy is left alone before its memory is read, so that buffers return to pools and
// memory freed in the background is freed.
const settle = 3 * time.Second

// idle opens keep-alive connections that have each had one answer, leaves them idle and reads the memory that
// each of them costs. The proxy is warmed up first: memory kept after load is not the connections' doing.
//
// Where the limit on open files is too low for the case's number, fewer are opened; the cost of one is the same.
func (r *Runner) idle(ctx context.Context, c Case, g *rig) (Sample, error) {
	c.Conns = min(c.Conns, fileLimit()*3/4)
	warm := c
	warm.Conns = 64
	if err := r.warm(ctx, warm, g); err != nil {
		return Sample{}, err
	}
	pids, err := family(g.process.pid())
	if err != nil {
		return Sample{}, err
	}
	before, err := settledMemory(ctx, pids)
	if err != nil {
		return Sample{}, err
	}

	var s Sample
	conns := make([]net.Conn, 0, c.Conns)
	defer func() {
		for _, c := range conns {
			c.Close()
		}
	}()
	for range c.Conns {
		if ctx.Err() != nil {
			return s, context.Cause(ctx)
		}
		conn, err := r.idleConn(c, g.addr)
		if err != nil {
			return s, fmt.Errorf("open connection %d: %w", len(conns)+1, err)
		}
		conns = append(conns, conn)
	}
	after, err := settledMemory(ctx, pids)
	if err != nil {
		return s, err
	}
	s.Requests = int64(c.Conns)
	s.Memory = after
	s.MemoryPerConn = float64(after-before) / float64(c.Conns)
	// A proxy that closed them to save memory has not passed.
	for i, conn := range conns {
		conn.SetReadDeadline(time.Now().Add(100 * time.Microsecond))
		var b [1]byte
		if _, err := conn.Read(b[:]); err != nil && !isTimeout(err) {
			return s, fmt.Errorf("hold connection %d of %d: %w", i+1, len(conns), err)
		}
	}
	return s, nil
}

func isTimeout(err error) bool {
	n, ok := err.(net.Error)
	return ok && n.Timeout()
}

func settledMemory(ctx context.Context, pids []int) (int64, error) {
	select {
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	case <-time.After(settle):
	}
	return memory(pids)
}

// idleConn opens a connection and completes one exchange on it.
func (r *Runner) idleConn(c Case, addr string) (net.Conn, error) {
	conn, err := net.DialTimeout("tcp", addr, timeout)
	if err != nil {
		return nil, err
	}
	conn.SetDeadline(time.Now().Add(timeout))
	if c.Down.TLS {
		shaken := tls.Client(conn, clientTLS(c.Down, r.keys.roots))
		if err := shaken.Handshake(); err != nil {
			conn.Close()
			return nil, err
		}
		conn = shaken
	}
	if err := exchange(conn, c.Path); err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}

func exchange(conn net.Conn, path string) error {
	if _, err := fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", path, benchHost); err != nil {
		return err
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK || res.Close {
		return fmt.Errorf("status %d, close %v", res.StatusCode, res.Close)
	}
	_, err = io.Copy(io.Discard, res.Body)
	return err
}
