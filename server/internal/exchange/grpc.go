package exchange

import (
	"bytes"

	"github.com/sluice-gateway/sluice/server/internal/grpcweb"
	"github.com/sluice-gateway/sluice/server/internal/h1"
	"github.com/sluice-gateway/sluice/server/internal/message"
)

// gRPC over HTTP/2 (github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md): to the gateway a request is gRPC by its
// Content-Type, whatever protocol its Backend is declared to speak. Answers of the gateway's own then come in the form that
// gRPC clients read, and the client's deadline bounds the Exchange.

const grpcType = "application/grpc"

// isGRPC reports whether a request is gRPC, or else its form of gRPC-Web.
//
// hot: runs per request; no alloc, no lock.
func isGRPC(req *message.Request, head []byte) (bool, grpcweb.Form) {
	v := req.Value(head, message.FieldContentType)
	if len(v) < len(grpcType) || string(v[:len(grpcType)]) != grpcType {
		return false, grpcweb.None
	}
	if len(v) == len(grpcType) || v[len(grpcType)] == '+' || v[len(grpcType)] == ';' {
		return true, grpcweb.None
	}
	web, _ := grpcweb.Parse(v)
	return false, web
}

// Codes of gRPC.
const (
	grpcUnknown           = 2
	grpcDeadlineExceeded  = 4
	grpcPermissionDenied  = 7
	grpcResourceExhausted = 8
	grpcUnimplemented     = 12
	grpcInternal          = 13
	grpcUnavailable       = 14
	grpcUnauthenticated   = 16
)

// grpcCode maps the status of an answer of the gateway's own as gRPC's clients map the statuses of proxies
// (doc/http-grpc-status-mapping.md), except 504, which here means that a timeout passed, and the statuses about sizes.
func grpcCode(status int) uint64 {
	switch status {
	case 400:
		return grpcInternal
	case 401:
		return grpcUnauthenticated
	case 403:
		return grpcPermissionDenied
	case 404:
		return grpcUnimplemented
	case 408, 504:
		return grpcDeadlineExceeded
	case 413, 414, 431:
		return grpcResourceExhausted
	case 429, 502, 503:
		return grpcUnavailable
	}
	return grpcUnknown
}

// appendGRPCRefusal appends the fields of a Trailers-Only answer, whose head carries the status of the call. It goes out as
// HTTP 200.
func appendGRPCRefusal(fields []byte, status int, text string) []byte {
	fields = append(fields, "Content-Type: application/grpc\r\n"...)
	fields = h1.AppendUintField(fields, "Grpc-Status", grpcCode(status))
	fields = append(fields, "Grpc-Message: "...)
	for _, c := range []byte(text) { // percent-encoded: of the bytes in these texts, '%' alone needs it
		if c == '%' {
			fields = append(fields, "%25"...)
		} else {
			fields = append(fields, c)
		}
	}
	return append(fields, '\r', '\n')
}

// grpcTimeout returns the nanoseconds of a request's grpc-timeout field; 0 where the field is absent or malformed.
//
// hot: runs per gRPC request; no alloc, no lock.
func grpcTimeout(req *message.Request, head []byte) int64 {
	i := req.FindName(head, "grpc-timeout", 0)
	if i < 0 {
		return 0
	}
	return parseGRPCTimeout(bytes.TrimSpace(req.Fields[i].Value.Of(head)))
}

// longestDeadline bounds a client's deadline, nanoseconds: 1000 hours, so that sums with it stay in range.
const longestDeadline = int64(1000 * 3600e9)

// parseGRPCTimeout returns the nanoseconds of at most eight digits and a unit, 0 where v is anything else.
//
// hot: runs per gRPC request; no alloc, no lock.
func parseGRPCTimeout(v []byte) int64 {
	if len(v) < 2 || len(v) > 9 {
		return 0
	}
	var unit int64
	switch v[len(v)-1] {
	case 'H':
		unit = 3600e9
	case 'M':
		unit = 60e9
	case 'S':
		unit = 1e9
	case 'm':
		unit = 1e6
	case 'u':
		unit = 1e3
	case 'n':
		unit = 1
	default:
		return 0
	}
	n, ok := message.ParseLength(v[:len(v)-1])
	if !ok {
		return 0
	}
	if n > longestDeadline/unit {
		return longestDeadline
	}
	return n * unit
}

// deadlineNear reports that the client's deadline has passed, or passes within 10 ms: an Endpoint that was sent the deadline
// keeps it too, and its reset may arrive before the loop's timer expires.
func (x *Core) deadlineNear() bool {
	const soon = int64(10e6)
	return x.grpc && x.edits.deadline != 0 && x.w.Now()+soon >= x.edits.deadline
}
