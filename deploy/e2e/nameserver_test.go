package e2e

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/net/dns/dnsmessage"
)

// names are the records of the suite's DNS server; every other name does not exist.
var names = struct {
	sync.Mutex
	address map[string]netip.Addr // by name without the last dot
}{address: make(map[string]netip.Addr)}

// setName makes a name known, or changes its address.
func setName(name string, address string) {
	names.Lock()
	defer names.Unlock()
	names.address[name] = netip.MustParseAddr(address)
}

// startNameServer serves DNS on port 53 of the namespace and makes it the one of resolv.conf, for this
// process's mount namespace alone. It runs until the process ends.
func startNameServer(conf string) error {
	if err := os.WriteFile(conf, []byte("nameserver 127.0.0.1\n"), 0o644); err != nil {
		return err
	}
	if err := syscall.Mount(conf, "/etc/resolv.conf", "", syscall.MS_BIND, ""); err != nil {
		return fmt.Errorf("bind resolv.conf: %w", err)
	}
	conn, err := net.ListenPacket("udp", "127.0.0.1:53")
	if err != nil {
		return err
	}
	go func() {
		buffer := make([]byte, 512)
		for {
			n, from, err := conn.ReadFrom(buffer)
			if err != nil {
				return
			}
			if reply, err := resolve(buffer[:n]); err == nil {
				conn.WriteTo(reply, from)
			}
		}
	}()
	return nil
}

// resolve answers one query. The TTL is the least, so that a change is seen.
func resolve(query []byte) ([]byte, error) {
	var m dnsmessage.Message
	if err := m.Unpack(query); err != nil {
		return nil, err
	}
	m.Response, m.RecursionAvailable, m.Additionals = true, true, nil
	for _, q := range m.Questions {
		names.Lock()
		address, known := names.address[strings.TrimSuffix(q.Name.String(), ".")]
		names.Unlock()
		switch {
		case !known:
			m.RCode = dnsmessage.RCodeNameError
		case q.Type == dnsmessage.TypeA:
			m.Answers = append(m.Answers, dnsmessage.Resource{
				Header: dnsmessage.ResourceHeader{Name: q.Name, Class: q.Class, TTL: 1},
				Body:   &dnsmessage.AResource{A: address.As4()},
			})
		}
	}
	return m.Pack()
}
