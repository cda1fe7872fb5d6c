package upstream

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

const (
	// maxDatagram is the size that answers over UDP may have, in bytes: it passes every usual link
	// unfragmented.
	maxDatagram = 1232
	// minTTL and maxTTL bound how long a list of addresses is used: minTTL keeps a TTL of zero from
	// a storm of queries, maxTTL a mistake in a zone from lasting.
	minTTL, maxTTL = time.Second, 300 * time.Second
)

// finding is the result of a lookup for one address family of a name: addresses, none, or an error,
// and for how long.
type finding struct {
	addresses []netip.Addr
	ttl       time.Duration // within minTTL and maxTTL; 0 with an error
	err       error
}

// dnsClient looks names up with the nameservers of a resolv.conf. It exists for the TTL, which
// net.Resolver does not give. It has no state and does not read the hosts file.
type dnsClient struct {
	path string // of resolv.conf
	// reachable reports whether the host has a route to an address.
	reachable func(netip.Addr) bool
}

// lookup returns the IPv4 and the IPv6 addresses of name. An IP address is its own answer.
func (c *dnsClient) lookup(ctx context.Context, name string) (v4, v6 finding) {
	if ip, err := netip.ParseAddr(name); err == nil {
		if ip = ip.Unmap(); ip.Is4() {
			return finding{addresses: []netip.Addr{ip}, ttl: maxTTL}, finding{ttl: maxTTL}
		}
		return finding{ttl: maxTTL}, finding{addresses: []netip.Addr{ip}, ttl: maxTTL}
	}
	conf, err := readResolvConf(c.path)
	if err != nil {
		return finding{err: err}, finding{err: err}
	}
	for _, candidate := range conf.candidates(name) {
		other := make(chan finding, 1)
		go func() { other <- conf.find(ctx, candidate, dnsmessage.TypeAAAA) }()
		v4 = conf.find(ctx, candidate, dnsmessage.TypeA)
		v6 = <-other
		// After an error the next candidate, which may mean another host, is not tried.
		if len(v4.addresses)+len(v6.addresses) > 0 || v4.err != nil || v6.err != nil {
			break
		}
	}
	c.dropUnreachable(&v4, &v6)
	return v4, v6
}

// dropUnreachable leaves out addresses that the host has no route to, typically all of IPv6, unless
// that would leave none.
func (c *dnsClient) dropUnreachable(v4, v6 *finding) {
	isNot := func(ip netip.Addr) bool { return !c.reachable(ip) }
	a := slices.DeleteFunc(slices.Clone(v4.addresses), isNot)
	b := slices.DeleteFunc(slices.Clone(v6.addresses), isNot)
	if len(a)+len(b) > 0 {
		v4.addresses, v6.addresses = a, b
	}
}

// hasRoute asks the kernel for the way to an address; connecting a UDP socket sends nothing.
func hasRoute(ip netip.Addr) bool {
	conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(netip.AddrPortFrom(ip, 9)))
	if err != nil {
		return false
	}
	conn.Close()
	return true
}

// find returns the addresses of one kind for an absolute name, following aliases.
func (conf *resolvConf) find(ctx context.Context, name string, kind dnsmessage.Type) finding {
	ttl := maxTTL
	for range maxAliases {
		a, err := conf.ask(ctx, name, kind)
		if err != nil {
			return finding{err: fmt.Errorf("look up %s %s: %w", kindName(kind), name, err)}
		}
		ttl = min(ttl, a.ttl)
		if a.alias == "" || len(a.addresses) > 0 {
			return finding{addresses: a.addresses, ttl: max(ttl, minTTL)}
		}
		name = a.alias
	}
	return finding{err: fmt.Errorf("look up %s %s: %w", kindName(kind), name, errAliasLoop)}
}

// kindName returns the name of a record type, as in a zone file.
func kindName(kind dnsmessage.Type) string {
	if kind == dnsmessage.TypeAAAA {
		return "AAAA"
	}
	return "A"
}

// ask sends one query to the servers in turn until one of them answers.
func (conf *resolvConf) ask(ctx context.Context, name string, kind dnsmessage.Type) (answer, error) {
	id := uint16(rand.Uint32()) // unpredictable, as is the source port
	query, question, err := packQuery(id, name, kind)
	if err != nil {
		return answer{}, err
	}
	var failures []error
	for range conf.attempts {
		for _, server := range conf.servers {
			a, err := conf.exchange(ctx, "udp", server, query, id, question)
			if errors.Is(err, errTruncated) {
				a, err = conf.exchange(ctx, "tcp", server, query, id, question)
			}
			if err == nil {
				return a, nil
			}
			if ctx.Err() != nil {
				return answer{}, ctx.Err()
			}
			failures = append(failures, fmt.Errorf("ask %v: %w", server, err))
		}
	}
	return answer{}, errors.Join(failures...)
}

// exchange sends one query to one server and reads the answer.
func (conf *resolvConf) exchange(ctx context.Context, network string, server netip.AddrPort, query []byte, id uint16, question dnsmessage.Question) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, conf.timeout)
	defer cancel()
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, network, server.String())
	if err != nil {
		return answer{}, err
	}
	defer conn.Close()
	// Ending the context ends the read.
	defer context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })()
	if network == "tcp" {
		return exchangeStream(conn, query, id, question)
	}
	if _, err := conn.Write(query); err != nil {
		return answer{}, err
	}
	buffer := make([]byte, maxDatagram)
	for {
		n, err := conn.Read(buffer)
		if err != nil {
			return answer{}, err
		}
		// A forged or late datagram must not keep the true answer from being read.
		if a, err := parseAnswer(buffer[:n], id, question); err != errOtherMessage {
			return a, err
		}
	}
}

// exchangeStream is exchange over TCP, where a length goes before each message.
func exchangeStream(conn net.Conn, query []byte, id uint16, question dnsmessage.Question) (answer, error) {
	framed := binary.BigEndian.AppendUint16(make([]byte, 0, 2+len(query)), uint16(len(query)))
	if _, err := conn.Write(append(framed, query...)); err != nil {
		return answer{}, err
	}
	var length [2]byte
	if _, err := io.ReadFull(conn, length[:]); err != nil {
		return answer{}, err
	}
	message := make([]byte, binary.BigEndian.Uint16(length[:]))
	if _, err := io.ReadFull(conn, message); err != nil {
		return answer{}, err
	}
	return parseAnswer(message, id, question)
}
