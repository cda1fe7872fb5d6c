package interop

import (
	"context"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/grpclog"
	"google.golang.org/grpc/interop"
	testpb "google.golang.org/grpc/interop/grpc_testing"
)

// The interoperability cases of gRPC (doc/interop-test-descriptions.md in its repository) as grpc-go has them,
// but for those that need an identity provider or ORCA, and those of the client's own balancing.

// interopFailure is the panic of a case, in place of the end of the process.
type interopFailure string

// interopLog turns grpc-go's fatal log entries, by which the cases fail, into panics.
type interopLog struct{ grpclog.LoggerV2 }

func (interopLog) Fatal(args ...any) { panic(interopFailure(fmt.Sprint(args...))) }
func (interopLog) Fatalf(format string, args ...any) {
	panic(interopFailure(fmt.Sprintf(format, args...)))
}
func (interopLog) Fatalln(args ...any)     { panic(interopFailure(fmt.Sprintln(args...))) }
func (interopLog) Info(...any)             {}
func (interopLog) Infoln(...any)           {}
func (interopLog) Infof(string, ...any)    {}
func (interopLog) Warning(...any)          {}
func (interopLog) Warningln(...any)        {}
func (interopLog) Warningf(string, ...any) {}
func (interopLog) Error(...any)            {}
func (interopLog) Errorln(...any)          {}
func (interopLog) Errorf(string, ...any)   {}
func (interopLog) V(int) bool              { return false }

func init() { grpclog.SetLoggerV2(interopLog{}) }

// interopCases are by their names in the descriptions.
var interopCases = []struct {
	name string
	run  func(context.Context, testpb.TestServiceClient, *grpc.ClientConn)
}{
	{"empty_unary", func(ctx context.Context, c testpb.TestServiceClient, _ *grpc.ClientConn) {
		interop.DoEmptyUnaryCall(ctx, c)
	}},
	{"large_unary", func(ctx context.Context, c testpb.TestServiceClient, _ *grpc.ClientConn) {
		interop.DoLargeUnaryCall(ctx, c)
	}},
	{"client_streaming", func(ctx context.Context, c testpb.TestServiceClient, _ *grpc.ClientConn) {
		interop.DoClientStreaming(ctx, c)
	}},
	{"server_streaming", func(ctx context.Context, c testpb.TestServiceClient, _ *grpc.ClientConn) {
		interop.DoServerStreaming(ctx, c)
	}},
	{"ping_pong", func(ctx context.Context, c testpb.TestServiceClient, _ *grpc.ClientConn) { interop.DoPingPong(ctx, c) }},
	{"empty_stream", func(ctx context.Context, c testpb.TestServiceClient, _ *grpc.ClientConn) {
		interop.DoEmptyStream(ctx, c)
	}},
	{"cancel_after_begin", func(ctx context.Context, c testpb.TestServiceClient, _ *grpc.ClientConn) {
		interop.DoCancelAfterBegin(ctx, c)
	}},
	{"cancel_after_first_response", func(ctx context.Context, c testpb.TestServiceClient, _ *grpc.ClientConn) {
		interop.DoCancelAfterFirstResponse(ctx, c)
	}},
	{"timeout_on_sleeping_server", func(ctx context.Context, c testpb.TestServiceClient, _ *grpc.ClientConn) {
		interop.DoTimeoutOnSleepingServer(ctx, c)
	}},
	{"custom_metadata", func(ctx context.Context, c testpb.TestServiceClient, _ *grpc.ClientConn) {
		interop.DoCustomMetadata(ctx, c)
	}},
	{"status_code_and_message", func(ctx context.Context, c testpb.TestServiceClient, _ *grpc.ClientConn) {
		interop.DoStatusCodeAndMessage(ctx, c)
	}},
	{"special_status_message", func(ctx context.Context, c testpb.TestServiceClient, _ *grpc.ClientConn) {
		interop.DoSpecialStatusMessage(ctx, c)
	}},
	{"unimplemented_method", func(ctx context.Context, _ testpb.TestServiceClient, cc *grpc.ClientConn) {
		interop.DoUnimplementedMethod(ctx, cc)
	}},
	{"unimplemented_service", func(ctx context.Context, _ testpb.TestServiceClient, cc *grpc.ClientConn) {
		interop.DoUnimplementedService(ctx, testpb.NewUnimplementedServiceClient(cc))
	}},
}

// grpcServer runs a gRPC server on a free port.
func grpcServer(t *testing.T, tls bool, s testpb.TestServiceServer) (addr string, srv *grpc.Server) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return ln.Addr().String(), grpcServe(t, ln, tls, s)
}

func grpcServe(t *testing.T, ln net.Listener, tls bool, s testpb.TestServiceServer) *grpc.Server {
	opts := []grpc.ServerOption{grpc.MaxRecvMsgSize(16 << 20)}
	if tls {
		opts = append(opts, grpc.Creds(credentials.NewServerTLSFromCert(&certPair)))
	}
	srv := grpc.NewServer(opts...)
	testpb.RegisterTestServiceServer(srv, s)
	go srv.Serve(ln)
	t.Cleanup(srv.Stop)
	return srv
}

// grpcUps are the protocols of gRPC Backends.
var grpcUps = []up{
	{"grpc", "GRPC", false, true},
	{"grpcs", "GRPCS", true, true},
}

// grpcDial connects a client to a Host of the gateway.
func (g *gateway) grpcDial(t *testing.T, d down, host string) *grpc.ClientConn {
	t.Helper()
	creds := insecure.NewCredentials()
	if d.tls {
		creds = credentials.NewClientTLSFromCert(certRoots, host)
	}
	cc, err := grpc.NewClient("passthrough:///"+g.addr(d), grpc.WithTransportCredentials(creds), grpc.WithAuthority(host),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(16<<20)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cc.Close() })
	return cc
}

// guarded runs an interoperability case and reports how it failed, "" for not at all.
func guarded(f func()) (failure string) {
	defer func() {
		switch v := recover().(type) {
		case nil:
		case interopFailure:
			failure = string(v)
		default:
			panic(v)
		}
	}()
	f()
	return ""
}

// eachGRPC runs f for every pairing of protocols that gRPC can travel by, with a test server behind it.
func eachGRPC(t *testing.T, s testpb.TestServiceServer, f func(t *testing.T, g *gateway, d down, u up)) {
	var services []service
	for _, u := range grpcUps {
		addr, _ := grpcServer(t, u.tls, s)
		services = append(services, service{host: u.host(), protocol: u.annotation, endpoints: []string{addr}})
	}
	g := start(t, "", services...)
	for _, d := range downs {
		for _, u := range grpcUps {
			if d.http2 && (!testing.Short() || d.tls != u.tls) {
				t.Run(d.name+" to "+u.name, func(t *testing.T) {
					f(t, g, d, u)
				})
			}
		}
	}
}

func TestGRPCInterop(t *testing.T) {
	eachGRPC(t, interop.NewTestServer(), func(t *testing.T, g *gateway, d down, u up) {
		cc := g.grpcDial(t, d, u.host())
		for _, c := range interopCases {
			t.Run(c.name, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), patience)
				defer cancel()
				if failure := guarded(func() { c.run(ctx, testpb.NewTestServiceClient(cc), cc) }); failure != "" {
					t.Error(failure)
				}
			})
		}
	})
}

// TestGRPCSoak calls without pause, for three seconds or a minute, over one channel and over a new one for each
// call.
func TestGRPCSoak(t *testing.T) {
	measures(t)
	lasts := 1500 * time.Millisecond
	if long {
		lasts = 30 * time.Second
	}
	eachGRPC(t, interop.NewTestServer(), func(t *testing.T, g *gateway, d down, u up) {
		for _, fresh := range []bool{false, true} {
			var mu sync.Mutex
			calls, slowest := 0, time.Duration(0)
			var failures []string
			shared := g.grpcDial(t, d, u.host())
			ctx, cancel := context.WithTimeout(t.Context(), lasts)
			before := g.rss()
			var workers sync.WaitGroup
			for range 10 {
				workers.Go(func() {
					for ctx.Err() == nil {
						cc := shared
						if fresh {
							cc = g.grpcDial(t, d, u.host())
						}
						begun := time.Now()
						failure := guarded(func() { interop.DoLargeUnaryCall(t.Context(), testpb.NewTestServiceClient(cc)) })
						took := time.Since(begun)
						if fresh {
							cc.Close()
						}
						mu.Lock()
						calls++
						slowest = max(slowest, took)
						if failure != "" && len(failures) < 5 {
							failures = append(failures, failure)
						}
						mu.Unlock()
					}
				})
			}
			workers.Wait()
			cancel()
			t.Logf("%d calls of 271828 and 314159 bytes (a channel for each: %v), slowest %v, RSS %s -> %s",
				calls, fresh, slowest.Round(time.Millisecond), mebibytes(before), mebibytes(g.rss()))
			for _, f := range failures {
				t.Error(f)
			}
		}
	})
}
