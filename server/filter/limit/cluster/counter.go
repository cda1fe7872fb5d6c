package cluster

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/sluice-gateway/sluice/server/filter/limit"
)

// Options are the arguments of New. Address is required.
type Options struct {
	// Address is host:port, or the path of a Unix socket.
	Address  string
	Database int
	// Credentials is a file with a password, or with a user's name and a password on the line below; "" for none. It is read for
	// each connection, so that a mounted Secret can be exchanged.
	Credentials string
	// TLS is spoken where it is true. Authorities is a file of certificates in PEM; "" for the system's.
	TLS         bool
	Authorities string
	// Timeout bounds a question, with the connection that it may need.
	Timeout time.Duration
	// Connections bounds those that are open.
	Connections int
	// Prefix is what every key begins with.
	Prefix string
}

// Counter is a limit.Counter. Made by New. Safe for concurrent use.
type Counter struct {
	client *redis.Client
	prefix string
	clock  func() int64 // of tests; nil: the server's
}

// quiet keeps the library's own reports from stderr: a server that is down is reported once, by who asks.
var quiet = sync.OnceFunc(func() { redis.SetLogger(silent{}) })

type silent struct{}

func (silent) Printf(context.Context, string, ...any) {}

// New makes a Counter. It connects when it is asked.
func New(o Options) (*Counter, error) {
	quiet()
	dial, err := dialer(o)
	if err != nil {
		return nil, err
	}
	network := "tcp"
	if strings.HasPrefix(o.Address, "/") {
		network = "unix"
	}
	return &Counter{prefix: o.Prefix, client: redis.NewClient(&redis.Options{
		Network: network, Addr: o.Address, DB: o.Database, Dialer: dial,
		CredentialsProviderContext: func(context.Context) (string, string, error) { return credentials(o.Credentials) },
		Protocol:                   2,
		DisableIdentity:            true,
		MaintNotificationsConfig:   &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
		ContextTimeoutEnabled:      true,
		DialTimeout:                o.Timeout,
		ReadTimeout:                o.Timeout,
		WriteTimeout:               o.Timeout,
		PoolTimeout:                o.Timeout,
		MaxRetries:                 -1,
		DialerRetries:              1,
		PoolSize:                   o.Connections,
		MaxActiveConns:             o.Connections,
		ReadBufferSize:             4 << 10,
		WriteBufferSize:            4 << 10,
	})}, nil
}

// Close closes every connection.
func (c *Counter) Close() error { return c.client.Close() }

// script is nginx's leaky bucket, for as many buckets as there are keys: each has the arguments rate and burst, in thousandths
// of a request a second and of a request. It answers 1 or 0, for whether all of them take the request, and what each has then.
// A bucket that has leaked out expires. A test may say what time it is, in milliseconds, behind the rates.
var script = redis.NewScript(`
local now = tonumber(ARGV[2 * #KEYS + 1])
if not now then
	local time = redis.call('TIME')
	now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end
local taken, lasts, answer, within = {}, {}, {1}, 1
for i, key in ipairs(KEYS) do
	local rate, burst = tonumber(ARGV[2 * i - 1]), tonumber(ARGV[2 * i])
	local excess, last = string.match(redis.call('GET', key) or '', '^(%d+) (%d+)$')
	taken[i], lasts[i], answer[i + 1] = 0, now, 0
	if excess and #excess < 16 and #last < 16 then
		local elapsed = math.max(now - tonumber(last), 0)
		local left = tonumber(excess) - math.floor(rate * elapsed / 1000)
		taken[i], answer[i + 1] = math.max(left + 1000, 0), math.max(left, 0)
		if elapsed == 0 then lasts[i] = tonumber(last) end
	end
	if taken[i] > burst then within = 0 end
end
answer[1] = within
if within == 1 then
	for i, key in ipairs(KEYS) do
		local rate = tonumber(ARGV[2 * i - 1])
		redis.call('SET', key, string.format('%d %d', taken[i], lasts[i]), 'PX', math.ceil((taken[i] + 1000) * 1000 / rate) + 1000)
		answer[i + 1] = taken[i]
	end
end
return answer
`)

var errAnswer = errors.New("the answer is none of the script")

// Count implements limit.Counter.
func (c *Counter) Count(ctx context.Context, key string, rates []limit.Rate) (excess []int64, within bool, err error) {
	keys, args := make([]string, len(rates)), make([]any, 0, 2*len(rates))
	for i, r := range rates {
		// In braces is what a cluster of servers decides by: the buckets of a client are on one.
		keys[i] = fmt.Sprintf("%s{%s} %d", c.prefix, key, i)
		args = append(args, r.PerSecond, r.Burst)
	}
	if c.clock != nil {
		args = append(args, c.clock())
	}
	answer, err := script.Run(ctx, c.client, keys, args...).Int64Slice()
	switch {
	case err != nil:
		return nil, false, err
	case len(answer) != 1+len(rates) || answer[0] != 0 && answer[0] != 1:
		return nil, false, errAnswer
	}
	for _, e := range answer[1:] {
		if e < 0 {
			return nil, false, errAnswer
		}
	}
	return answer[1:], answer[0] == 1, nil
}

// credentials reads a file of one or two lines.
func credentials(file string) (user, password string, err error) {
	if file == "" {
		return "", "", nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return "", "", fmt.Errorf("read redis.credentials_file: %w", err)
	}
	lines := strings.Split(strings.TrimRight(string(text), "\r\n"), "\n")
	switch len(lines) {
	case 1:
		return "", lines[0], nil
	case 2:
		return strings.TrimRight(lines[0], "\r"), lines[1], nil
	}
	return "", "", errors.New("redis.credentials_file: want a password, or a name and a password on the line below")
}

// dialer returns what connects: with TLS where it is asked for, and with bounded answers.
func dialer(o Options) (func(context.Context, string, string) (net.Conn, error), error) {
	var secure *tls.Config
	if o.TLS {
		host, _, err := net.SplitHostPort(o.Address)
		if err != nil {
			return nil, fmt.Errorf("redis.address: %w", err)
		}
		secure = &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12}
		if o.Authorities != "" {
			text, err := os.ReadFile(o.Authorities)
			if err != nil {
				return nil, fmt.Errorf("read redis.ca_file: %w", err)
			}
			secure.RootCAs = x509.NewCertPool()
			if !secure.RootCAs.AppendCertsFromPEM(text) {
				return nil, fmt.Errorf("redis.ca_file: %s has no certificate", o.Authorities)
			}
		}
	}
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		ctx, cancel := context.WithTimeout(ctx, o.Timeout)
		defer cancel()
		var d net.Dialer
		conn, err := d.DialContext(ctx, network, address)
		if err != nil || secure == nil {
			return bounded(conn), err
		}
		c := tls.Client(conn, secure)
		if err := c.HandshakeContext(ctx); err != nil {
			conn.Close()
			return nil, err
		}
		return bounded(c), nil
	}, nil
}
