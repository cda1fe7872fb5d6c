// Package grpcweb implements gRPC-Web's additions to gRPC on the wire, as functions over bytes. The
// source is github.com/grpc/grpc/blob/master/doc/PROTOCOL-WEB.md.
//
// A request names its form by its media type: Parse reads it, AppendNative and Form.AppendType write the
// ones that take its place. Messages are framed as in gRPC and are not looked at. Trailers become the last
// frame of the body: AppendTrailers. In the text form the body is base64, which a sender may pad and
// begin again wherever it flushes: a Decoder takes that apart, AppendText makes one such part.
//
// Every function runs on the goroutine that calls it, which is the event loop that owns the request.
//
// Invariants:
//
//  1. A Decoder's output does not depend on how the bytes were split into reads.
//  2. Base64 is taken in one spelling: no white space, no missing padding, no bits behind the last byte.
//  3. No bytes are held but the up to three characters of an incomplete group.
//
// What never happens here: no socket, no allocation but for growing what is appended to, no import
// outside the standard library.
//
// Read first: Form, Decoder, AppendTrailers; then TestDecode.
package grpcweb
