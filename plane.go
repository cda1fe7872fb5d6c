package sluice

import (
	"cmp"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/sluice-gateway/sluice/server/admin"
	"github.com/sluice-gateway/sluice/server/config"
)

// maxAnswer bounds what a gateway answers: every Endpoint of a Backend takes some 100 bytes.
const maxAnswer = 64 << 20

// plane is the admin plane of a running gateway, as the flags of commands that ask it name it.
type plane struct{ address, token string }

// flags registers --admin and --token.
func (p *plane) flags(set *flag.FlagSet) {
	listen := config.Default().Listen
	set.StringVar(&p.address, "admin", listen.AdminSocket, "Ask the gateway whose listen.admin_socket or listen.admin is `ADDR`, a path or host:port.")
	set.StringVar(&p.token, "token", listen.AdminTokenFile, "Show it the token in `FILE`, its listen.admin_token_file, where ADDR is host:port.")
}

// follow takes from a gateway's configuration what the flags leave at its default.
func (p *plane) follow(c *config.Config) {
	standard := config.Default().Listen
	if p.address == standard.AdminSocket {
		p.address = cmp.Or(c.Listen.AdminSocket, c.Listen.Admin)
	}
	if p.token == standard.AdminTokenFile {
		p.token = c.Listen.AdminTokenFile
	}
}

// client returns a way to the plane, and the host for its URLs.
func (p *plane) client() (client *http.Client, host string) {
	client = &http.Client{Timeout: 30 * time.Second}
	if !strings.Contains(p.address, "/") {
		return client, p.address
	}
	client.Transport = &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", p.address)
	}}
	return client, "localhost"
}

// get reads a page of the plane.
func (p *plane) get(path string, query url.Values) ([]byte, error) {
	client, host := p.client()
	request, err := http.NewRequest(http.MethodGet, "http://"+host+path+"?"+query.Encode(), nil)
	if err != nil {
		return nil, fmt.Errorf("ask gateway: %w", err)
	}
	if host == p.address {
		// Without a token the gateway's answer explains what it needs.
		if token, err := os.ReadFile(p.token); err == nil {
			request.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
		}
	}
	response, err := client.Do(request)
	if err != nil {
		return nil, fmt.Errorf("ask gateway: %w", err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return nil, fmt.Errorf("ask gateway: %w", err)
	}
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the gateway at %s answers %s: %s", p.address, response.Status, strings.TrimSpace(string(body)))
	}
	return body, nil
}

// explain sends the question to the gateway.
func (p *plane) explain(q admin.Question) (*admin.Answer, error) {
	query := url.Values{"url": {q.URL}, "method": {q.Method}}
	if q.Host != "" {
		query.Set("host", q.Host)
	}
	if q.All {
		query.Set("all", "1")
	}
	body, err := p.get("/api/v1/explain", query)
	if err != nil {
		return nil, err
	}
	var answer admin.Answer
	if err := json.Unmarshal(body, &answer); err != nil {
		return nil, fmt.Errorf("read answer of gateway: %w", err)
	}
	return &answer, nil
}
