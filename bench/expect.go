package main

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"time"
)

// expect asks for what the case asks for and notes the lengths of the answers, which every answer under load is held
// against: by bench load one by one, for wrk and h2load in sum.
func (g *rig) expect(c Case, from, to client, path string) error {
	if c.Down.H2 || c.Kind == kindIdle {
		return nil // h2load counts bodies by itself, and an idle connection's one answer is checked with it
	}
	if len(c.Mix) > 0 {
		mix := make([]part, len(c.Mix))
		for i, p := range c.Mix {
			got, err := p.ask(from)
			if err != nil {
				return fmt.Errorf("ask origin: %w", err)
			}
			mix[i], mix[i].Answer = p, len(got)
		}
		g.mix = filepath.Join(filepath.Dir(g.script), "requests.json")
		return writeMix(g.mix, mix)
	}
	_, body, err := to.do(http.MethodGet, path, nil, nil)
	if err != nil {
		return fmt.Errorf("ask proxy: %w", err)
	}
	g.answer = len(body)
	g.size, err = wireSize(to, path, c.Headers)
	return err
}

// wireSize is the number of bytes of one answer, head and body, to the request that wrk sends.
func wireSize(to client, path string, headers []string) (int, error) {
	conn, err := net.DialTimeout("tcp", to.addr, timeout)
	if err != nil {
		return 0, fmt.Errorf("ask proxy: %w", err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(timeout))
	if to.wire.TLS {
		conn = tls.Client(conn, clientTLS(to.wire, to.roots))
	}
	request := fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: %s\r\n", path, to.host)
	for _, h := range headers {
		request = append(request, h+"\r\n"...)
	}
	if _, err := conn.Write(append(request, "\r\n"...)); err != nil {
		return 0, fmt.Errorf("ask proxy: %w", err)
	}
	in := make([]byte, 0, maxHead)
	for {
		n, err := conn.Read(in[len(in):cap(in)])
		in = in[:len(in)+n]
		if size, bad := answerLength(in); size > 0 || bad != nil {
			return size, bad
		}
		if err != nil || len(in) == cap(in) {
			return 0, fmt.Errorf("ask proxy: no head in %d bytes, %w", len(in), err)
		}
	}
}
