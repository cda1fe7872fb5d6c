package interop

import (
	"context"
	"net"
	"os/exec"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	testpb "google.golang.org/grpc/interop/grpc_testing"
)

// hurried answers a stream of requests before it has read one, sends small messages as fast as it can, and echoes.
type hurried struct {
	testpb.UnimplementedTestServiceServer
}

func (hurried) StreamingOutputCall(_ *testpb.StreamingOutputCallRequest, s testpb.TestService_StreamingOutputCallServer) error {
	for {
		if err := s.Send(&testpb.StreamingOutputCallResponse{Payload: &testpb.Payload{Body: []byte("small")}}); err != nil {
			return err
		}
	}
}

func (hurried) StreamingInputCall(s testpb.TestService_StreamingInputCallServer) error {
	return s.SendAndClose(&testpb.StreamingInputCallResponse{})
}

func (hurried) FullDuplexCall(s testpb.TestService_FullDuplexCallServer) error {
	for {
		q, err := s.Recv()
		if err != nil {
			return nil
		}
		if err := s.Send(&testpb.StreamingOutputCallResponse{Payload: q.Payload}); err != nil {
			return err
		}
	}
}

// echoing is a call that is under way for as long as others do something. It returns what sends a message and has it
// back.
func echoing(t *testing.T, c testpb.TestServiceClient) func() {
	t.Helper()
	s, err := c.FullDuplexCall(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return func() {
		t.Helper()
		if err := s.Send(&testpb.StreamingOutputCallRequest{}); err != nil {
			t.Fatalf("the other's call: %v", err)
		}
		if _, err := s.Recv(); err != nil {
			t.Fatalf("the other's call: %v", err)
		}
	}
}

func dialGRPC(t *testing.T, addr string) testpb.TestServiceClient {
	t.Helper()
	cc, err := grpc.NewClient("passthrough:///"+addr, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithAuthority("hurried.test"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cc.Close() })
	return testpb.NewTestServiceClient(cc)
}

func startHurried(t *testing.T) *gateway {
	addr, _ := grpcServer(t, false, hurried{})
	// One loop, so that all share the session with the server.
	return startBy(t, (*exec.Cmd).Start, 1, "", service{host: "hurried.test", protocol: "GRPC", endpoints: []string{addr}})
}

// TestLeaveFastStream: who leaves a stream of small messages in its middle does not end the calls of others on the
// session with their server.
func TestLeaveFastStream(t *testing.T) {
	g := startHurried(t)
	echo := echoing(t, dialGRPC(t, g.plain))
	echo()
	for i := range 10 {
		ctx, cancel := context.WithCancel(t.Context())
		s, err := dialGRPC(t, g.plain).StreamingOutputCall(ctx, &testpb.StreamingOutputCallRequest{})
		if err != nil {
			t.Fatal(err)
		}
		for range 3000 {
			if _, err := s.Recv(); err != nil {
				t.Fatalf("stream %d: %v", i, err)
			}
		}
		cancel()
		for err == nil {
			_, err = s.Recv()
		}
		echo()
	}
	if n := g.metric("sluice_http2_floods_total"); n != 0 {
		t.Errorf("%v floods", n)
	}
}

// TestAnsweredBeforeItsEnd: a client that streams small messages far away, and is answered before their end, keeps its
// other calls.
func TestAnsweredBeforeItsEnd(t *testing.T) {
	g := startHurried(t)
	c := dialGRPC(t, faraway(t, g.plain, 10*time.Millisecond))
	echo := echoing(t, c)
	echo()
	for i := range 10 {
		s, err := c.StreamingInputCall(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for err == nil {
			err = s.Send(&testpb.StreamingInputCallRequest{Payload: &testpb.Payload{Body: make([]byte, 40)}})
		}
		if _, err := s.CloseAndRecv(); err != nil {
			t.Fatalf("call %d: %v", i, err)
		}
		echo()
	}
	if n := g.metric("sluice_http2_floods_total"); n != 0 {
		t.Errorf("%v floods", n)
	}
}

// faraway forwards connections to addr, with all bytes delayed in both directions.
func faraway(t *testing.T, addr string, delay time.Duration) string {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	type piece struct {
		b  []byte
		at time.Time
	}
	carry := func(to, from net.Conn) {
		way := make(chan piece, 1<<14)
		go func() {
			defer close(way)
			for {
				b := make([]byte, 16<<10)
				n, err := from.Read(b)
				if err != nil {
					return
				}
				way <- piece{b[:n], time.Now().Add(delay)}
			}
		}()
		for p := range way {
			time.Sleep(time.Until(p.at)) // plays the distance
			_, _ = to.Write(p.b)
		}
		to.Close()
	}
	go func() {
		for {
			near, err := ln.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("tcp", addr)
			if err != nil {
				near.Close()
				continue
			}
			go carry(far, near)
			go carry(near, far)
		}
	}()
	return ln.Addr().String()
}
