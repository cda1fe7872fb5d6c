package servertest

import (
	"crypto/tls"
	"io"
	"net/http"
	"testing"

	"github.com/sluice-gateway/sluice/routing"
)

// HTTP1Client is net/http's, which takes any certificate and speaks HTTP/1.1.
func HTTP1Client(t *testing.T) *http.Client {
	tr := &http.Transport{DisableCompression: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: Timeout}
}

// HTTP2Client speaks HTTP/2 by prior knowledge over plain connections.
func HTTP2Client(t *testing.T) *http.Client {
	var p http.Protocols
	p.SetUnencryptedHTTP2(true)
	p.SetHTTP2(true)
	tr := &http.Transport{Protocols: &p, DisableCompression: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: Timeout}
}

// Pairing is how a client speaks to the gateway, and the gateway to a Backend.
type Pairing struct {
	Name     string
	Scheme   string
	Down     func(*testing.T) *http.Client
	Protocol routing.Protocol
}

// Pairings are the protocols of the two sides.
var Pairings = func() (all []Pairing) {
	for _, p := range []routing.Protocol{routing.HTTP, routing.HTTPS, routing.H2C, routing.GRPCS} {
		for _, down := range []Pairing{
			{"h1", "http", HTTP1Client, p}, {"h1+tls", "https", HTTP1Client, p},
			{"h2c", "http", HTTP2Client, p}, {"h2+tls", "https", HTTP2Client, p},
		} {
			down.Name += " to " + p.String()
			all = append(all, down)
		}
	}
	return all
}()

// Downs are the protocols of clients.
var Downs = Pairings[:4]

// Get returns the body of the answer.
func Get(t *testing.T, c *http.Client, url string) string {
	t.Helper()
	resp, err := c.Get(url)
	if err != nil {
		t.Errorf("get %s: %v", url, err)
		return ""
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Errorf("get %s: %v", url, err)
	}
	return string(b)
}
