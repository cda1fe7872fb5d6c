package upstream

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

// dnsServer is a name server on loopback, UDP and TCP on one port. handle returns the messages to
// send in answer to a query: none to stay silent, more than one to forge some first.
type dnsServer struct {
	addr   string
	handle func(query dnsmessage.Message, network string) []dnsmessage.Message

	mu      sync.Mutex
	queries []string // guarded by mu: "udp A example.com."
}

// serveDNS starts a server; it ends with the test.
func serveDNS(t *testing.T, handle func(query dnsmessage.Message, network string) []dnsmessage.Message) *dnsServer {
	t.Helper()
	stream, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	datagrams, err := net.ListenPacket("udp", stream.Addr().String())
	if err != nil {
		t.Skipf("the port is taken for UDP: %v", err)
	}
	server := &dnsServer{addr: stream.Addr().String(), handle: handle}
	var running sync.WaitGroup
	running.Go(func() {
		buffer := make([]byte, 4096)
		for {
			n, from, err := datagrams.ReadFrom(buffer)
			if err != nil {
				return
			}
			for _, packed := range server.answer(t, buffer[:n], "udp") {
				datagrams.WriteTo(packed, from)
			}
		}
	})
	running.Go(func() {
		for {
			conn, err := stream.Accept()
			if err != nil {
				return
			}
			var length [2]byte
			io.ReadFull(conn, length[:])
			message := make([]byte, binary.BigEndian.Uint16(length[:]))
			io.ReadFull(conn, message)
			for _, packed := range server.answer(t, message, "tcp") {
				conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(packed))), packed...))
			}
			conn.Close()
		}
	})
	t.Cleanup(func() {
		stream.Close()
		datagrams.Close()
		running.Wait()
	})
	return server
}

// answer notes a query and returns the packed messages in answer to it.
func (s *dnsServer) answer(t *testing.T, packed []byte, network string) [][]byte {
	var query dnsmessage.Message
	if err := query.Unpack(packed); err != nil || len(query.Questions) != 1 {
		t.Errorf("query does not parse: %v", err)
		return nil
	}
	q := query.Questions[0]
	s.mu.Lock()
	s.queries = append(s.queries, fmt.Sprintf("%s %s %s", network, kindName(q.Type), q.Name))
	s.mu.Unlock()
	var all [][]byte
	for _, message := range s.handle(query, network) {
		p, err := message.Pack()
		if err != nil {
			t.Errorf("answer does not pack: %v", err)
		}
		all = append(all, p)
	}
	return all
}

// asked returns the queries so far that contain a text.
func (s *dnsServer) asked(text string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, q := range s.queries {
		if strings.Contains(q, text) {
			n++
		}
	}
	return n
}

// replyTo returns an empty successful answer to a query.
func replyTo(query dnsmessage.Message) dnsmessage.Message {
	return dnsmessage.Message{
		Header:    dnsmessage.Header{ID: query.ID, Response: true, RecursionAvailable: true},
		Questions: query.Questions,
	}
}

// zone answers from lines "NAME TTL TYPE VALUE"; SOA's value is its minimum. The SOA of a zone "."
// goes with every negative answer, which is NXDOMAIN when the name has no line.
func zone(text string) func(dnsmessage.Message, string) []dnsmessage.Message {
	type line struct {
		name, kind, value string
		ttl               uint32
	}
	var lines []line
	for row := range strings.Lines(text) {
		var l line
		if _, err := fmt.Sscan(row, &l.name, &l.ttl, &l.kind, &l.value); err == nil {
			lines = append(lines, l)
		}
	}
	return func(query dnsmessage.Message, _ string) []dnsmessage.Message {
		reply := replyTo(query)
		name, known := strings.ToLower(query.Questions[0].Name.String()), false
		for _, l := range lines {
			if l.name != name {
				continue
			}
			known = true
			h := dnsmessage.ResourceHeader{Name: dnsmessage.MustNewName(l.name), Class: dnsmessage.ClassINET, TTL: l.ttl}
			switch {
			case l.kind == "CNAME":
				h.Type, name = dnsmessage.TypeCNAME, l.value
				reply.Answers = append(reply.Answers, dnsmessage.Resource{Header: h, Body: &dnsmessage.CNAMEResource{CNAME: dnsmessage.MustNewName(l.value)}})
			case l.kind == "A" && query.Questions[0].Type == dnsmessage.TypeA:
				h.Type = dnsmessage.TypeA
				reply.Answers = append(reply.Answers, dnsmessage.Resource{Header: h, Body: &dnsmessage.AResource{A: netip.MustParseAddr(l.value).As4()}})
			case l.kind == "AAAA" && query.Questions[0].Type == dnsmessage.TypeAAAA:
				h.Type = dnsmessage.TypeAAAA
				reply.Answers = append(reply.Answers, dnsmessage.Resource{Header: h, Body: &dnsmessage.AAAAResource{AAAA: netip.MustParseAddr(l.value).As16()}})
			}
		}
		if !known {
			reply.RCode = dnsmessage.RCodeNameError
		}
		if len(reply.Answers) == 0 {
			for _, l := range lines {
				if l.kind != "SOA" {
					continue
				}
				var minimum uint32
				fmt.Sscan(l.value, &minimum)
				root := dnsmessage.MustNewName(".")
				reply.Authorities = []dnsmessage.Resource{{
					Header: dnsmessage.ResourceHeader{Name: root, Type: dnsmessage.TypeSOA, Class: dnsmessage.ClassINET, TTL: l.ttl},
					Body:   &dnsmessage.SOAResource{NS: root, MBox: root, MinTTL: minimum},
				}}
			}
		}
		return []dnsmessage.Message{reply}
	}
}

// writeResolvConf writes a resolv.conf and returns its path.
func writeResolvConf(t *testing.T, text string, servers ...*dnsServer) string {
	t.Helper()
	for _, s := range servers {
		text += "\nnameserver " + s.addr
	}
	path := filepath.Join(t.TempDir(), "resolv.conf")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
