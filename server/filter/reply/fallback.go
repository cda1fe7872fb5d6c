package reply

import (
	"bytes"

	"github.com/sluice-gateway/sluice/routing/policy"
	"github.com/sluice-gateway/sluice/server"
)

// Fallback has another Backend asked where the Route's has no Endpoint: policy.Fallback. It is asked for what the other would have
// been asked for, body and all, and told that this is a 503 as Errors tells its Backend. A gRPC call is not for it.
type Fallback struct{ by int32 }

// NewFallback makes a Fallback.
func NewFallback(f policy.Filter, _ server.Env) (server.Filter, error) {
	return &Fallback{f.(*policy.Fallback).By.At()}, nil
}

var _ server.RequestFilter = (*Fallback)(nil)

// Name implements server.Filter.
func (*Fallback) Name() string { return string(policy.KindFallback) }

// Request implements server.RequestFilter.
//
// hot: runs per request; no alloc, no lock.
func (f *Fallback) Request(x *server.Exchange) server.Verdict {
	if to := x.Backend(); to != nil && (len(to.Endpoints) > 0 || to.ExternalName != "") {
		return server.Continue
	}
	if !bytes.HasPrefix(x.RequestField("Content-Type"), grpcMedia) {
		describe(x, 503)
		x.SetBackend(f.by)
	}
	return server.Continue
}

// grpcMedia begins the media types of gRPC.
var grpcMedia = []byte("application/grpc")
