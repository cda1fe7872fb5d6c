package access

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"syscall"
	"time"
)

// newTransport makes the client of one authority. Its certificate is verified or not. The client keeps connections alive, follows no redirect, asks no proxy, and connects to
// no address that is refused, whatever the name of the authority says at the time.
func newTransport(refused, passed []netip.Prefix, verify bool) *http.Transport {
	dialer := &net.Dialer{Timeout: 5 * time.Second, Control: func(_, address string, _ syscall.RawConn) error {
		at, err := netip.ParseAddrPort(address)
		if err != nil {
			return err
		}
		if !allowed(at.Addr(), refused, passed) {
			return errors.New("the authority has an address that is refused")
		}
		return nil
	}}
	return &http.Transport{
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			return dialer.DialContext(ctx, network, address)
		},
		TLSClientConfig:        &tls.Config{InsecureSkipVerify: !verify},
		TLSHandshakeTimeout:    5 * time.Second,
		ResponseHeaderTimeout:  timeToAnswer,
		MaxResponseHeaderBytes: maxAnswer,
		MaxIdleConnsPerHost:    16,
		MaxIdleConns:           64,
		MaxConnsPerHost:        maxSeated,
		IdleConnTimeout:        30 * time.Second,
		DisableCompression:     true,
		Proxy:                  nil,
	}
}
