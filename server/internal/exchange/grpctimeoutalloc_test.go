//go:build !race

package exchange

import (
	"testing"

	"github.com/sluice-gateway/sluice/server/internal/h1"
)

// TestGRPCTimeoutAllocatesNothing: every call of most gRPC clients has a deadline.
func TestGRPCTimeoutAllocatesNothing(t *testing.T) {
	head := []byte("POST /s/m HTTP/1.1\r\nHost: a\r\nContent-Type: application/grpc\r\nGRPC-Timeout: 999834u \r\n\r\n")
	var req h1.Request
	if status := h1.ParseRequest(&req, head, h1.Limits{}); status != h1.Done {
		t.Fatal(status)
	}
	if n := testing.AllocsPerRun(100, func() {
		if grpcTimeout(&req.Request, head) != 999834e3 {
			t.Error("not read")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkGRPCTimeout(b *testing.B) {
	v := []byte("999834u")
	b.ReportAllocs()
	for b.Loop() {
		if parseGRPCTimeout(v) == 0 {
			b.Fatal("not read")
		}
	}
}
