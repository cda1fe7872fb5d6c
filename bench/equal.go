package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// fetch asks addr for a path of host, once, on a connection of its own.
func fetch(addr, host, path string) (*http.Response, []byte, error) {
	c := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 5 * time.Second}
	req, err := http.NewRequest(http.MethodGet, "http://"+addr+path, nil)
	if err != nil {
		return nil, nil, err
	}
	req.Host = host
	res, err := c.Do(req)
	if err != nil {
		return nil, nil, err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("fetch %s%s: status %d: %.200s", host, path, res.StatusCode, b)
	}
	return res, b, err
}

// sameAnswer checks that the proxy gives the origin's answer.
func sameAnswer(origin, proxy, host, path string) error {
	_, want, err := fetch(origin, host, path)
	if err != nil {
		return fmt.Errorf("ask origin: %w", err)
	}
	_, got, err := fetch(proxy, host, path)
	if err != nil {
		return fmt.Errorf("ask proxy: %w", err)
	}
	if !bytes.Equal(got, want) {
		return fmt.Errorf("ask proxy: %d bytes that differ from the origin's %d", len(got), len(want))
	}
	return nil
}

// sameWork checks that a request arrives at the origin with the fields that every contender has to set. A
// proxy that leaves them out is not comparable.
func sameWork(proxy, host string) error {
	_, text, err := fetch(proxy, host, "/forwarded")
	if err != nil {
		return fmt.Errorf("check forwarded fields: %w", err)
	}
	return checkForwarded(string(text), host, proxy)
}

// checkForwarded checks the origin's list of fields.
func checkForwarded(text, host, proxy string) error {
	_, port, _ := strings.Cut(proxy, ":")
	want := map[string]string{
		"X-Forwarded-For": "127.0.0.1", "X-Forwarded-Proto": "http", "X-Forwarded-Host": host, "X-Forwarded-Port": port,
		"X-Real-IP": "127.0.0.1", "X-Request-ID": "", "Host": host,
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
