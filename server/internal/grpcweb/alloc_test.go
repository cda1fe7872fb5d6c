//go:build !race

package grpcweb_test

import (
	"testing"

	"github.com/sluice-gateway/sluice/server/internal/grpcweb"
)

func TestNoAllocations(t *testing.T) {
	types := [][]byte{[]byte("application/grpc"), []byte("application/grpc-web+proto"), []byte("application/grpc-web-text")}
	text := []byte("YQ==YWI=YWJjZGVm")
	lines := []byte("Grpc-Status: 0\r\n")
	dst := make([]byte, 0, 1024)
	if n := testing.AllocsPerRun(100, func() {
		for _, m := range types {
			f, suffix := grpcweb.Parse(m)
			dst = f.AppendType(grpcweb.AppendNative(dst[:0], suffix), suffix)
		}
		var d grpcweb.Decoder
		dst, _ = d.Decode(dst[:0], text)
		dst = grpcweb.AppendText(dst[:0], lines)
		dst = grpcweb.AppendTrailers(dst[:0], lines)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
