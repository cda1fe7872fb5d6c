package proxyproto

import (
	"bytes"
	"net/netip"
	"unsafe"
)

const prefixV1 = "PROXY "

// parseV1 parses the line of section 2.1. It waits for the end of the line before it looks at the
// content, so that the fault it reports does not depend on how much was there.
func (h *Header) parseV1(buf []byte) (int, Status) {
	if !hasPrefix(buf, prefixV1) {
		return 0, ErrSignature.failed()
	}
	end := bytes.IndexByte(buf[:min(len(buf), MaxV1)], '\n')
	if end < 0 {
		if len(buf) >= MaxV1 {
			return 0, ErrLineTooLong.failed()
		}
		return 0, Incomplete
	}
	if buf[end-1] != '\r' {
		return 0, ErrLineEnd.failed()
	}
	line := buf[len(prefixV1) : end-1]
	if bytes.IndexByte(line, '\r') >= 0 {
		return 0, ErrLineEnd.failed() // another parser may end the line there
	}
	h.Version = 1
	if err := h.parseLine(line); err != ErrNone {
		return 0, err.failed()
	}
	return end + 1, Done
}

// parseLine parses the text between "PROXY " and CR LF.
func (h *Header) parseLine(line []byte) Error {
	protocol, rest, more := bytes.Cut(line, space)
	ipv6 := false
	switch string(protocol) {
	case "UNKNOWN": // the rest is to be ignored
		h.Local = true
		return ErrNone
	case "TCP4":
	case "TCP6":
		ipv6 = true
	default:
		return ErrProtocol
	}
	// Exactly four parts, none empty: an empty one is no address and no port.
	var part [4][]byte
	for i := range part {
		if !more {
			return ErrLine
		}
		part[i], rest, more = bytes.Cut(rest, space)
	}
	if more {
		return ErrLine
	}
	source, ok1 := parseAddr(part[0], ipv6)
	destination, ok2 := parseAddr(part[1], ipv6)
	if !ok1 || !ok2 {
		return ErrAddress
	}
	sourcePort, ok1 := parsePort(part[2])
	destinationPort, ok2 := parsePort(part[3])
	if !ok1 || !ok2 {
		return ErrPort
	}
	h.Source = netip.AddrPortFrom(source, sourcePort)
	h.Destination = netip.AddrPortFrom(destination, destinationPort)
	return ErrNone
}

var space = []byte{' '}

// parseAddr parses an address of one family. Senders that listen on both families through one socket
// announce IPv4 clients as "TCP6 ::ffff:192.0.2.1"; such an address is unmapped.
func parseAddr(b []byte, ipv6 bool) (netip.Addr, bool) {
	// The longest text is that of an IPv4-mapped address written out; netip knows zones, the protocol
	// does not.
	if len(b) == 0 || len(b) > len("0000:0000:0000:0000:0000:ffff:255.255.255.255") || bytes.IndexByte(b, '%') >= 0 {
		return netip.Addr{}, false
	}
	// The string lives as long as this call: an Addr without zone holds no text, and the error, which
	// does, is dropped.
	a, err := netip.ParseAddr(unsafe.String(unsafe.SliceData(b), len(b)))
	if err != nil || a.Is4() == ipv6 {
		return netip.Addr{}, false
	}
	return a.Unmap(), true
}

// parsePort parses a decimal number from 0 to 65535 without leading zeros.
func parsePort(b []byte) (uint16, bool) {
	if len(b) == 0 || len(b) > 5 || b[0] == '0' && len(b) > 1 {
		return 0, false
	}
	n := 0
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	return uint16(n), n <= 0xffff
}
