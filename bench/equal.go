package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// grpcHeader is the header of every gRPC client.
var grpcHeader = http.Header{"Content-Type": {"application/grpc"}, "Te": {"trailers"}}

// sameAnswer checks that the proxy gives the origin's answer, each in its own protocol.
func sameAnswer(c Case, origin, proxy client, path string) error {
	switch c.Call {
	case callUnary:
		return unaryWorks(proxy, path)
	case callEcho:
		return echoWorks(proxy, path)
	}
	if len(c.Mix) > 0 {
		return sameMix(c.Mix, origin, proxy)
	}
	_, want, err := origin.do(http.MethodGet, path, nil, nil)
	if err != nil {
		return fmt.Errorf("ask origin: %w", err)
	}
	_, got, err := proxy.do(http.MethodGet, path, nil, nil)
	if err != nil {
		return fmt.Errorf("ask proxy: %w", err)
	}
	if !bytes.Equal(got, want) {
		return fmt.Errorf("ask proxy: %d bytes that differ from the origin's %d", len(got), len(want))
	}
	return nil
}

// sameMix checks every part of a mix; the answer to a POST has the checksum of what arrived.
func sameMix(mix []part, origin, proxy client) error {
	for _, p := range mix {
		want, err := p.ask(origin)
		if err != nil {
			return fmt.Errorf("ask origin: %w", err)
		}
		got, err := p.ask(proxy)
		if err != nil {
			return fmt.Errorf("ask proxy: %w", err)
		}
		if !bytes.Equal(got, want) {
			return fmt.Errorf("ask proxy: %s %s: %.100q, which differs from the origin's %.100q", p.method(), p.Path, got, want)
		}
	}
	return nil
}

// unaryWorks makes one unary call.
func unaryWorks(proxy client, path string) error {
	res, got, err := proxy.do(http.MethodPost, path, grpcHeader, bytes.NewReader(unaryRequest))
	if err != nil {
		return fmt.Errorf("call proxy: %w", err)
	}
	if !bytes.Equal(got, unaryAnswer) {
		return fmt.Errorf("call proxy: %d bytes that differ from the origin's %d; grpc-status %q %q", len(got), len(unaryAnswer),
			res.Header.Get("Grpc-Status"), res.Header.Get("Grpc-Message"))
	}
	return statusOK(res)
}

// echoWorks has two messages sent back on one stream, the second after the answer to the first: a proxy that
// gathers messages instead of passing them on fails.
func echoWorks(proxy client, path string) error {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	messages, w := io.Pipe()
	defer w.Close()
	go w.Write(unaryRequest) // ends with the pipe; errors show in the answer
	res, err := proxy.open(ctx, http.MethodPost, path, grpcHeader, messages)
	if err != nil {
		return fmt.Errorf("call proxy: %w", err)
	}
	defer res.Body.Close()
	got := make([]byte, len(unaryRequest))
	for i := range 2 {
		if _, err := io.ReadFull(res.Body, got); err != nil || !bytes.Equal(got, unaryRequest) {
			return fmt.Errorf("call proxy: message %d did not come back: %q, %w", i+1, got, err)
		}
		if i == 0 {
			if _, err := w.Write(unaryRequest); err != nil {
				return fmt.Errorf("call proxy: send message: %w", err)
			}
		}
	}
	w.Close()
	if n, err := io.Copy(io.Discard, res.Body); n != 0 || err != nil {
		return fmt.Errorf("call proxy: %d bytes too many, %w", n, err)
	}
	return statusOK(res)
}

// statusOK checks the trailers of a call whose body has been read.
func statusOK(res *http.Response) error {
	if s := res.Trailer.Get("Grpc-Status"); s != "0" {
		return fmt.Errorf("call proxy: grpc-status %q in the trailers, want 0", s)
	}
	return nil
}

// sameWork checks that a request arrives at the origin with the fields that every contender has to set. A
// proxy that leaves them out is not comparable. Nor is one that keeps a gRPC client's deadline to itself.
func sameWork(c Case, proxy client) error {
	header := http.Header{}
	var further []string
	if c.Call != "" {
		for _, h := range c.Headers {
			name, value, _ := strings.Cut(h, ": ")
			header.Set(name, value)
			if name == "grpc-timeout" {
				further = append(further, "Grpc-Timeout")
			}
		}
	}
	_, text, err := proxy.do(http.MethodGet, "/forwarded", header, nil)
	if err != nil {
		return fmt.Errorf("check forwarded fields: %w", err)
	}
	return checkForwarded(string(text), proxy.wire.Scheme(), proxy.host, proxy.addr, further...)
}

// checkForwarded checks the origin's list of fields; those that are further must be there with any value.
func checkForwarded(text, scheme, host, proxy string, further ...string) error {
	_, port, _ := strings.Cut(proxy, ":")
	want := map[string]string{
		"X-Forwarded-For": "127.0.0.1", "X-Forwarded-Proto": scheme, "X-Forwarded-Host": host, "X-Forwarded-Port": port,
		"X-Real-IP": "127.0.0.1", "X-Request-ID": "", "Host": host,
	}
	for _, name := range further {
		want[name] = ""
	}
	for line := range strings.Lines(text) {
		k, v, _ := strings.Cut(strings.TrimSpace(line), "=")
		w, ok := want[k]
		if !ok {
			continue
		}
		if v == "" {
			return fmt.Errorf("check forwarded fields: %s does not reach the origin", k)
		}
		if w != "" && v != w {
			return fmt.Errorf("check forwarded fields: %s is %q, want %q", k, v, w)
		}
		delete(want, k)
	}
	if len(want) > 0 {
		return fmt.Errorf("check forwarded fields: %d of them were not seen in %q", len(want), text)
	}
	return nil
}
