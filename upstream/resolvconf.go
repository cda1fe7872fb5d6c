package upstream

import (
	"bufio"
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"time"
)

// resolvConf is a stub resolver's configuration as of resolv.conf(5). Immutable after parsing.
type resolvConf struct {
	servers  []netip.AddrPort
	search   []string // without dots at the ends
	ndots    int
	timeout  time.Duration // for one query to one server
	attempts int           // rounds over all servers
}

// maxServers is the number of nameservers that are used, as in the C library.
const maxServers = 3

// readResolvConf reads the file at path. It is read for each lookup, so that a change needs no
// notice; a lookup costs far more.
func readResolvConf(path string) (*resolvConf, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read resolver configuration: %w", err)
	}
	return parseResolvConf(text), nil
}

// parseResolvConf parses resolv.conf(5). Invalid lines and values are skipped, as by every other
// reader of this file.
func parseResolvConf(text []byte) *resolvConf {
	c := &resolvConf{ndots: 1, timeout: 5 * time.Second, attempts: 2}
	lines := bufio.NewScanner(bytes.NewReader(text))
	for lines.Scan() {
		line, _, _ := strings.Cut(lines.Text(), "#")
		line, _, _ = strings.Cut(line, ";")
		fields := strings.Fields(line)
		if len(fields) < 2 {
			continue
		}
		switch fields[0] {
		case "nameserver":
			c.addServer(fields[1])
		case "domain", "search": // the last one counts
			c.search = nil
			for _, domain := range fields[1:] {
				if domain = strings.Trim(domain, "."); domain != "" {
					c.search = append(c.search, domain)
				}
			}
		case "options":
			for _, option := range fields[1:] {
				c.setOption(option)
			}
		}
	}
	if len(c.servers) == 0 {
		c.addServer("127.0.0.1")
	}
	return c
}

// addServer adds the nameserver at an address, port 53 unless it names one ("127.0.0.1:5353").
func (c *resolvConf) addServer(text string) {
	if len(c.servers) == maxServers {
		return
	}
	if server, err := netip.ParseAddrPort(text); err == nil {
		c.servers = append(c.servers, server)
	} else if ip, err := netip.ParseAddr(text); err == nil {
		c.servers = append(c.servers, netip.AddrPortFrom(ip, 53))
	}
}

// setOption takes one word of an options line.
func (c *resolvConf) setOption(option string) {
	key, value, _ := strings.Cut(option, ":")
	n, err := strconv.Atoi(value)
	if err != nil || n < 0 {
		return
	}
	switch key {
	case "ndots":
		c.ndots = min(n, 15)
	case "timeout":
		c.timeout = time.Duration(max(1, min(n, 30))) * time.Second
	case "attempts":
		c.attempts = max(1, min(n, 5))
	}
}

// candidates returns the absolute names to try for name, in order. An ExternalName is a CNAME's
// target, hence absolute, so it is tried as it stands first, whatever ndots is: with the usual ndots
// of 5, "api.example.com" would otherwise be looked for inside the cluster first, where another
// tenant's Service could answer to it. ndots decides whether the search list is tried at all.
func (c *resolvConf) candidates(name string) []string {
	if absolute, ok := strings.CutSuffix(name, "."); ok {
		return []string{absolute + "."}
	}
	names := []string{name + "."}
	if strings.Count(name, ".") < c.ndots {
		for _, domain := range c.search {
			names = append(names, name+"."+domain+".")
		}
	}
	return names
}
