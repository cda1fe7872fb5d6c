package access

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/sluice-gateway/sluice/routing/jwt"
	"github.com/sluice-gateway/sluice/routing/policy"
)

// provider is one of OpenID Connect, as one Login uses it. What it says of itself is fetched by the first request that needs it.
// Safe for concurrent use.
type provider struct {
	// Immutable after newProvider:
	p      *policy.Login
	client *http.Client

	fetching singly
	now      atomic.Pointer[discovered]
}

// discovered is what a provider says of itself. Immutable.
type discovered struct {
	endpoint oauth2.Endpoint
	verifier *oidc.IDTokenVerifier
	// logout is where browsers are sent that sign out; "" for nowhere.
	logout string
}

const (
	// providerTime bounds each question to a provider, and maxProviderAnswer its answer.
	providerTime      = 10 * time.Second
	maxProviderAnswer = 256 << 10
)

func newProvider(p *policy.Login) *provider {
	return &provider{p: p, client: &http.Client{
		Timeout:       providerTime,
		Transport:     &bounded{newTransport(p.Refused, p.Allowed, true)},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// bounded cuts what is read of answers.
type bounded struct{ http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (b *bounded) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := b.RoundTripper.RoundTrip(req)
	if err == nil {
		resp.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(resp.Body, maxProviderAnswer), resp.Body}
	}
	return resp, err
}

// discover returns what the provider says of itself, off the loop.
func (p *provider) discover(ctx context.Context) (*discovered, error) {
	if d := p.now.Load(); d != nil {
		return d, nil
	}
	if err := p.fetching.do(ctx, 0, keysRetry, func() bool { return p.now.Load() != nil }, p.ask); err != nil {
		return nil, err
	}
	if d := p.now.Load(); d != nil {
		return d, nil
	}
	return nil, errNoProvider
}

var errNoProvider = errors.New("the provider does not answer")

func (p *provider) ask() error {
	// The keys of tokens are fetched with this context later on.
	ctx := oidc.ClientContext(context.Background(), p.client)
	found, err := oidc.NewProvider(ctx, p.p.Issuer)
	if err != nil {
		return errNoProvider
	}
	d := &discovered{
		endpoint: found.Endpoint(),
		verifier: found.Verifier(&oidc.Config{ClientID: p.p.Client, SupportedSigningAlgs: jwt.Algorithms}),
	}
	var more struct {
		Logout string `json:"end_session_endpoint"`
	}
	if found.Claims(&more) == nil && policy.ParseKeysURL(more.Logout) == nil {
		d.logout = more.Logout
	}
	if policy.ParseKeysURL(d.endpoint.AuthURL) != nil || policy.ParseKeysURL(d.endpoint.TokenURL) != nil {
		return errNoProvider
	}
	p.now.Store(d)
	return nil
}

func (p *provider) config(d *discovered, callback string) *oauth2.Config {
	return &oauth2.Config{ClientID: p.p.Client, ClientSecret: string(p.p.ClientSecret.Open()), Endpoint: d.endpoint, RedirectURL: callback, Scopes: p.p.Scopes}
}

// person is who has signed in.
type person struct {
	tokens  *oauth2.Token
	subject string
	claims  jwt.Claims
	// named is false where a provider that renewed tokens did not say again who they are for.
	named bool
}

// errRefused is that of a code, a token or a right that the provider or the gateway does not accept.
var errRefused = errors.New("the provider does not let the client in")

// exchange redeems a code.
func (p *provider) exchange(ctx context.Context, d *discovered, callback, code, verifier, nonce string) (*person, error) {
	ctx = oidc.ClientContext(ctx, p.client)
	tokens, err := p.config(d, callback).Exchange(ctx, code, oauth2.VerifierOption(verifier))
	if err != nil {
		return nil, refusedOr(err)
	}
	who, err := p.identify(ctx, d, tokens, &nonce)
	if err == nil && !who.named {
		err = errRefused // an answer without an ID token is OAuth's, and says nothing of who this is
	}
	return who, err
}

// refresh renews the tokens of a person.
func (p *provider) refresh(ctx context.Context, d *discovered, token string) (*person, error) {
	ctx = oidc.ClientContext(ctx, p.client)
	tokens, err := p.config(d, "").TokenSource(ctx, &oauth2.Token{RefreshToken: token}).Token()
	if err != nil {
		return nil, refusedOr(err)
	}
	return p.identify(ctx, d, tokens, nil)
}

// identify verifies the ID token of an answer; nonce is nil where the answer need not have it.
func (p *provider) identify(ctx context.Context, d *discovered, tokens *oauth2.Token, nonce *string) (*person, error) {
	who := &person{tokens: tokens}
	raw, ok := tokens.Extra("id_token").(string)
	if !ok {
		return who, nil
	}
	id, err := d.verifier.Verify(ctx, raw)
	if err != nil || id.Subject == "" || nonce != nil && (*nonce == "" || id.Nonce != *nonce) {
		return nil, errRefused
	}
	var payload json.RawMessage
	if err := id.Claims(&payload); err != nil {
		return nil, errRefused
	}
	if who.claims, err = jwt.Read(payload); err != nil {
		return nil, errRefused
	}
	if len(id.Audience) > 1 && !who.claims.Has("azp", p.p.Client) {
		return nil, errRefused
	}
	who.subject, who.named = id.Subject, true
	return who, nil
}

// refusedOr tells what a provider has refused from what it could not answer.
func refusedOr(err error) error {
	var answer *oauth2.RetrieveError
	if errors.As(err, &answer) && answer.Response != nil && answer.Response.StatusCode >= 400 && answer.Response.StatusCode < 500 {
		return errRefused
	}
	return errNoProvider
}
