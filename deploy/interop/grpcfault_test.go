package interop

import (
	"bytes"
	"context"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/interop"
	testpb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// holder is a test server that reports the end of its calls.
type holder struct {
	testpb.TestServiceServer
	began    chan time.Duration // of a held call: the time that its deadline leaves, 0 for none
	canceled chan struct{}      // its context ended
}

func newHolder() *holder {
	return &holder{interop.NewTestServer(), make(chan time.Duration, 1000), make(chan struct{}, 1000)}
}

// UnaryCall holds still until the call ends, where asked to by a field; otherwise it echoes the payload.
func (h *holder) UnaryCall(ctx context.Context, req *testpb.SimpleRequest) (*testpb.SimpleResponse, error) {
	if md, _ := metadata.FromIncomingContext(ctx); len(md["hold"]) == 0 {
		return &testpb.SimpleResponse{Payload: req.Payload}, nil
	}
	left := time.Duration(0)
	if deadline, ok := ctx.Deadline(); ok {
		left = time.Until(deadline)
	}
	h.began <- left
	<-ctx.Done()
	h.canceled <- struct{}{}
	return nil, status.FromContextError(ctx.Err()).Err()
}

// await fails the test when nothing comes.
func await[T any](t *testing.T, what string, c <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(patience):
		t.Errorf("%s: nothing within %v", what, patience)
	}
	return v
}

// reached reports whether a held call came to the server, some time after it ended for its client, and how much
// time its deadline left it there. Its end is awaited too.
func (h *holder) reached(t *testing.T) (left time.Duration, ok bool) {
	t.Helper()
	select {
	case left = <-h.began:
	case <-time.After(time.Second):
		return 0, false
	}
	await(t, "the held call's end", h.canceled)
	return left, true
}

// wantCode compares the status of a call.
func wantCode(t *testing.T, what string, err error, want codes.Code) {
	t.Helper()
	if got := status.Code(err); got != want {
		t.Errorf("%s: %v (%v), want %v", what, got, err, want)
	}
}

// TestGRPCGatewayErrors: what the gateway answers by itself is a status that gRPC clients understand.
func TestGRPCGatewayErrors(t *testing.T) {
	h := newHolder()
	addr, _ := grpcServer(t, false, h)
	g := start(t, "",
		service{host: "grpc.test", protocol: "GRPC", endpoints: []string{addr}},
		service{host: "bounded.test", protocol: "GRPC", endpoints: []string{addr}, annotations: map[string]string{"request-timeout": "500ms"}},
		service{host: "longer.test", protocol: "GRPC", endpoints: []string{addr}, annotations: map[string]string{"request-timeout": "10s"}},
		service{host: "small.test", protocol: "GRPC", endpoints: []string{addr}, annotations: map[string]string{"proxy-body-size": "1000"}},
		service{host: "none.test", protocol: "GRPC"},
		service{host: "refused.test", protocol: "GRPC", endpoints: []string{freeAddr(t)}})
	for _, d := range downs {
		if !d.http2 {
			continue
		}
		t.Run(d.name, func(t *testing.T) {
			call := func(host string, ctx context.Context, size int) error {
				_, err := testpb.NewTestServiceClient(g.grpcDial(t, d, host)).UnaryCall(ctx, &testpb.SimpleRequest{Payload: &testpb.Payload{Body: make([]byte, size)}})
				return err
			}
			hold := metadata.AppendToOutgoingContext(t.Context(), "hold", "1")
			wantCode(t, "no Endpoint", call("none.test", t.Context(), 1), codes.Unavailable)
			wantCode(t, "an Endpoint that refuses connections", call("refused.test", t.Context(), 1), codes.Unavailable)
			wantCode(t, "an unknown Host", call("unknown.test", t.Context(), 1), codes.Unimplemented)
			wantCode(t, "request-timeout", call("bounded.test", hold, 1), codes.DeadlineExceeded)
			if _, ok := h.reached(t); !ok { // in so little time
				wantCode(t, "request-timeout", call("longer.test", hold, 1), codes.DeadlineExceeded)
				if _, ok := h.reached(t); !ok {
					t.Error("the held call did not reach the server")
				}
			}
			wantCode(t, "a message beyond the limit", call("small.test", t.Context(), 5000), codes.ResourceExhausted)
			wantCode(t, "a call after all this", call("grpc.test", t.Context(), 1), codes.OK)
		})
	}
}

// TestGRPCDeadline: the client's deadline reaches the server, and bounds the Exchange even where the client
// does not see to it.
func TestGRPCDeadline(t *testing.T) {
	h := newHolder()
	eachGRPC(t, h, func(t *testing.T, g *gateway, d down, u up) {
		c := testpb.NewTestServiceClient(g.grpcDial(t, d, u.host()))
		// Again with more time where the call did not come to the server within its deadline.
		for timeout := 700 * time.Millisecond; ; timeout *= 4 {
			ctx, cancel := context.WithTimeout(metadata.AppendToOutgoingContext(t.Context(), "hold", "1"), timeout)
			defer cancel()
			begun := time.Now()
			_, err := c.UnaryCall(ctx, &testpb.SimpleRequest{})
			wantCode(t, "the call", err, codes.DeadlineExceeded)
			if took := time.Since(begun); took > timeout+patience/2 {
				t.Errorf("it took %v", took)
			}
			left, ok := h.reached(t)
			if left > timeout {
				t.Errorf("the server was left %v, want up to %v", left, timeout)
			}
			if ok && left > 0 {
				return
			}
			if timeout > 10*time.Second {
				t.Fatalf("the server was left %v, want up to %v", left, timeout)
			}
		}
	})
}

// TestGRPCCancel: each side learns that the other cancelled.
func TestGRPCCancel(t *testing.T) {
	h := newHolder()
	eachGRPC(t, h, func(t *testing.T, g *gateway, d down, u up) {
		cc := g.grpcDial(t, d, u.host())
		c := testpb.NewTestServiceClient(cc)
		hold := metadata.AppendToOutgoingContext(t.Context(), "hold", "1")
		// The client cancels one call of several, and the others go on.
		const calls = 10
		cancels := make([]context.CancelFunc, calls)
		results := make([]chan error, calls)
		for i := range calls {
			ctx, cancel := context.WithCancel(hold)
			cancels[i], results[i] = cancel, make(chan error, 1)
			go func() {
				_, err := c.UnaryCall(ctx, &testpb.SimpleRequest{})
				results[i] <- err
			}()
			await(t, "a call at the server", h.began)
		}
		cancels[3]()
		wantCode(t, "the cancelled call", await(t, "the cancelled call", results[3]), codes.Canceled)
		await(t, "its end at the server", h.canceled)
		select {
		case <-h.canceled:
			t.Error("another call ended with it")
		case <-time.After(50 * time.Millisecond):
		}
		// The client's connection ends, and with it all of its calls.
		cc.Close()
		for range calls - 1 {
			await(t, "the end of a call whose client left", h.canceled)
		}
		for _, cancel := range cancels {
			cancel()
		}
	})
}

// failing ends its streams with a status after the first message, while the client goes on sending.
type failing struct{ testpb.TestServiceServer }

func (failing) FullDuplexCall(s testpb.TestService_FullDuplexCallServer) error {
	if _, err := s.Recv(); err != nil {
		return err
	}
	return status.Error(codes.Aborted, "enough: 100 % – ende")
}

// TestGRPCServerEnds: a server that ends a stream before the client has finished sending is heard at once.
func TestGRPCServerEnds(t *testing.T) {
	eachGRPC(t, failing{interop.NewTestServer()}, func(t *testing.T, g *gateway, d down, u up) {
		s, err := testpb.NewTestServiceClient(g.grpcDial(t, d, u.host())).FullDuplexCall(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		piece := &testpb.StreamingOutputCallRequest{Payload: &testpb.Payload{Body: make([]byte, 1<<20)}}
		for err == nil {
			err = s.Send(piece) // ends with io.EOF once the status is here
		}
		_, err = s.Recv()
		wantCode(t, "the stream", err, codes.Aborted)
		if got := status.Convert(err).Message(); got != "enough: 100 % – ende" {
			t.Errorf("message %q", got)
		}
	})
}

// TestGRPCLargeMessages sends messages many times as large as any window.
func TestGRPCLargeMessages(t *testing.T) {
	eachGRPC(t, newHolder(), func(t *testing.T, g *gateway, d down, u up) {
		c := testpb.NewTestServiceClient(g.grpcDial(t, d, u.host()))
		body := bytes.Repeat([]byte("sluice 7"), 4<<20/8)
		var calls sync.WaitGroup
		for range 8 {
			calls.Go(func() {
				resp, err := c.UnaryCall(t.Context(), &testpb.SimpleRequest{Payload: &testpb.Payload{Body: body}})
				if err != nil || !bytes.Equal(resp.GetPayload().GetBody(), body) {
					t.Errorf("%d bytes came back: %v", len(resp.GetPayload().GetBody()), err)
				}
			})
		}
		calls.Wait()
	})
}

// TestGRPCManyStreams holds a hundred bidirectional streams open at once, and has a word on each in turn.
func TestGRPCManyStreams(t *testing.T) {
	eachGRPC(t, interop.NewTestServer(), func(t *testing.T, g *gateway, d down, u up) {
		c := testpb.NewTestServiceClient(g.grpcDial(t, d, u.host()))
		streams := make([]testpb.TestService_FullDuplexCallClient, 100)
		for i := range streams {
			s, err := c.FullDuplexCall(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			streams[i] = s
		}
		for round := range 5 {
			for i, s := range streams {
				size := int32(1 + i*round)
				err := s.Send(&testpb.StreamingOutputCallRequest{ResponseParameters: []*testpb.ResponseParameters{{Size: size}}})
				if err != nil {
					t.Fatalf("stream %d, round %d: send: %v", i, round, err)
				}
			}
			for i, s := range streams {
				resp, err := s.Recv()
				if err != nil || len(resp.Payload.Body) != 1+i*round {
					t.Fatalf("stream %d, round %d: %d bytes, %v", i, round, len(resp.GetPayload().GetBody()), err)
				}
			}
		}
		for i, s := range streams {
			_ = s.CloseSend()
			if _, err := s.Recv(); err != io.EOF {
				t.Errorf("stream %d ended with %v", i, err)
			}
		}
	})
}

// TestGRPCServerRestart: a server that is stopped with grace and comes back, again and again, fails no call:
// its GOAWAY keeps new calls away, and what it refused is sent again.
func TestGRPCServerRestart(t *testing.T) {
	addrs := []string{freeAddr(t), freeAddr(t)}
	var g *gateway
	serve := func(addr string) *grpc.Server {
		ln, err := net.Listen("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		return grpcServe(t, ln, false, newHolder())
	}
	servers := []*grpc.Server{serve(addrs[0]), serve(addrs[1])}
	g = start(t, "", service{host: "grpc.test", protocol: "GRPC", endpoints: addrs})
	c := testpb.NewTestServiceClient(g.grpcDial(t, downs[1], "grpc.test"))
	var stop atomic.Bool
	var served, failed atomic.Int64
	var callers sync.WaitGroup
	for range 16 {
		callers.Go(func() {
			for !stop.Load() {
				if _, err := c.UnaryCall(t.Context(), &testpb.SimpleRequest{Payload: &testpb.Payload{Body: []byte("x")}}); err != nil {
					if failed.Add(1) <= 5 {
						t.Errorf("a call failed: %v", err)
					}
				}
				served.Add(1)
			}
		})
	}
	const restarts = 20
	for i := range restarts {
		for goal := served.Load() + 100; served.Load() < goal; {
			time.Sleep(time.Millisecond) // the callers run in other goroutines, of grpc-go's
		}
		servers[i%2].GracefulStop()
		servers[i%2] = serve(addrs[i%2])
	}
	stop.Store(true)
	callers.Wait()
	t.Logf("%d restarts: %d calls served, %d failed; %v sent again", restarts, served.Load(), failed.Load(), g.metric("sluice_upstream_retries_total"))
}
