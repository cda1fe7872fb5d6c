package e2e

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// dialTLS shakes hands with the shared gateway as a client that verifies nothing.
func dialTLS(host string) (*tls.Conn, error) {
	return tls.Dial("tcp", shared.gateway.secure, &tls.Config{ServerName: host, InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}})
}

// secureClient is net/http's, with every name at the shared gateway.
type secureClient struct{ http.Client }

func newSecureClient(config *tls.Config) *secureClient {
	return &secureClient{http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{
		TLSClientConfig: config, ForceAttemptHTTP2: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "tcp", shared.gateway.secure)
		},
	}}}
}

// get returns protocol, status and Pod.
func (c *secureClient) get(t *testing.T, host string) string {
	t.Helper()
	resp, err := c.Get("https://" + host + "/")
	if err != nil {
		return err.Error()
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	return fmt.Sprintf("%s %d %s", resp.Proto, resp.StatusCode, resp.Header.Get("Pod"))
}

// secureConn is one keep-alive connection over TLS.
type secureConn struct {
	*tls.Conn
	r *bufio.Reader
}

// openSecure opens connections of one request each, a few at a time.
func openSecure(t *testing.T, host string, n int) []*secureConn {
	t.Helper()
	all := make([]*secureConn, n)
	var next atomic.Int64
	var openers sync.WaitGroup
	for range 8 {
		openers.Go(func() {
			for i := next.Add(1) - 1; i < int64(n) && !t.Failed(); i = next.Add(1) - 1 {
				conn, err := dialTLS(host)
				if err == nil {
					all[i] = &secureConn{conn, bufio.NewReaderSize(conn, 512)}
					err = all[i].ask(host)
				}
				if err != nil {
					t.Errorf("connection %d: %v", i, err)
				}
			}
		})
	}
	openers.Wait()
	t.Cleanup(func() {
		for _, c := range all {
			if c != nil {
				c.Close()
			}
		}
	})
	if t.Failed() {
		t.FailNow()
	}
	return all
}

// ask sends a request and reads the answer, behind which the connection must stay open.
func (c *secureConn) ask(host string) error {
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: "+host+"\r\n\r\n"); err != nil {
		return err
	}
	resp, err := http.ReadResponse(c.r, nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK || resp.Close {
		return errors.New(resp.Status)
	}
	return nil
}
