package e2e

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"testing"
	"time"
)

// client is an HTTP/1.1 client with one connection, which it keeps as long as the server lets it. It
// honours "Connection: close", and unlike net/http's it never retries: what goes wrong on the wire is
// seen. The zero value with an address is usable; for one goroutine.
type client struct {
	address string
	// patience bounds one exchange; a minute where 0.
	patience time.Duration

	conn net.Conn
	r    *bufio.Reader
	sent time.Time // when the last request was out
}

// answer is a client's result. Its short form is the status, and the name of the Pod where one answered.
type answer struct {
	status int
	pod    string
	body   string
	// last is true when the server said that the connection ends with this answer.
	last bool
}

func (a answer) String() string {
	if a.pod == "" {
		return strconv.Itoa(a.status)
	}
	return strconv.Itoa(a.status) + " " + a.pod
}

// errDial wraps failures to connect, which are not failures of a request.
var errDial = errors.New("connect")

// get asks for one page. After an error the next call opens another connection.
func (c *client) get(host, target string) (answer, error) {
	a, err := c.exchange("GET " + target + " HTTP/1.1\r\nHost: " + host + "\r\n\r\n")
	if err != nil || a.last {
		c.close()
	}
	if err != nil {
		err = fmt.Errorf("GET %s%s: %w", host, target, err)
	}
	return a, err
}

func (c *client) exchange(request string) (answer, error) {
	patience := c.patience
	if patience == 0 {
		patience = time.Minute
	}
	if c.conn == nil {
		conn, err := net.DialTimeout("tcp", c.address, patience)
		if err != nil {
			return answer{}, fmt.Errorf("%w: %w", errDial, err)
		}
		c.conn, c.r = conn, bufio.NewReader(conn)
	}
	c.conn.SetDeadline(time.Now().Add(patience))
	_, err := io.WriteString(c.conn, request)
	c.sent = time.Now()
	if err != nil {
		return answer{}, err
	}
	resp, err := http.ReadResponse(c.r, nil)
	if err != nil {
		return answer{}, err
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return answer{}, err
	}
	return answer{resp.StatusCode, resp.Header.Get("Pod"), string(body), resp.Close}, nil
}

func (c *client) close() {
	if c.conn != nil {
		c.conn.Close()
		c.conn = nil
	}
}

// startSlow asks the gateway for a page of p that p answers only when it is unblocked. It returns when
// the first part of the answer is out; the channel gets the whole, or what went wrong.
func startSlow(t *testing.T, g *gateway, p *pod, host, path string) <-chan string {
	t.Helper()
	result := make(chan string, 1)
	before := p.waiting.Load()
	go func() {
		c := client{address: g.address, patience: 5 * time.Minute}
		defer c.close()
		a, err := c.get(host, path+"?slow")
		if err != nil {
			result <- err.Error()
			return
		}
		result <- a.body
	}()
	eventually(t, "slow request at pod "+p.name, func() (bool, string) { return p.waiting.Load() > before, "none" })
	return result
}

// slowBody is the whole answer to a slow request for the path.
func (p *pod) slowBody(port, path string) string {
	return p.name + " " + net.JoinHostPort(p.address, port) + " " + path + " done"
}
