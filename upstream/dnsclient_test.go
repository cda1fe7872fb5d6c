package upstream

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// lookUp returns the two findings as text: "[addresses] TTL, [addresses] TTL".
func lookUp(path, name string) string {
	c := &dnsClient{path: path, reachable: func(netip.Addr) bool { return true }}
	v4, v6 := c.lookup(context.Background(), name)
	text := func(f finding) string {
		if f.err != nil {
			return "error"
		}
		return fmt.Sprintf("%v %v", f.addresses, f.ttl)
	}
	return text(v4) + ", " + text(v6)
}

const testZone = `
.                     60   SOA   7
two.example.          30   A     192.0.2.1
two.example.          20   A     192.0.2.2
two.example.          40   AAAA  2001:db8::1
v4.example.           30   A     192.0.2.1
short.example.        0    A     192.0.2.1
long.example.         9999 A     192.0.2.1
alias.example.        9    CNAME target.example.
target.example.       90   A     192.0.2.9
dangling.example.     8    CNAME elsewhere.example.
elsewhere.example2.   90   A     192.0.2.8
loop.example.         30   CNAME pool.example.
pool.example.         30   CNAME loop.example.
host.search.example.  30   A     192.0.2.7
`

func TestLookup(t *testing.T) {
	server := serveDNS(t, zone(testZone))
	path := writeResolvConf(t, "search search.example\noptions ndots:2 timeout:30 attempts:1", server)
	for _, tt := range []struct{ name, want string }{
		{"two.example", "[192.0.2.1 192.0.2.2] 20s, [2001:db8::1] 40s"},
		{"two.example.", "[192.0.2.1 192.0.2.2] 20s, [2001:db8::1] 40s"},
		{"v4.example", "[192.0.2.1] 30s, [] 7s"},    // NODATA lasts for the SOA's minimum
		{"short.example", "[192.0.2.1] 1s, [] 7s"},  // a zero would be a storm
		{"long.example", "[192.0.2.1] 5m0s, [] 7s"}, // bounded
		{"host", "[192.0.2.7] 30s, [] 7s"},          // by the search list
		{"no.such.name.example", "[] 7s, [] 7s"},
		{"loop.example.", "error, error"},
		{"192.0.2.5", "[192.0.2.5] 5m0s, [] 5m0s"},
		{"::ffff:192.0.2.5", "[192.0.2.5] 5m0s, [] 5m0s"},
		{"2001:db8::5", "[] 5m0s, [2001:db8::5] 5m0s"},
		{strings.Repeat("x", 300), "error, error"},
	} {
		if got := lookUp(path, tt.name); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
	if server.asked("two.example.search") != 0 {
		t.Error("a name that was found was searched on")
	}
	if got := lookUp("/nonexistent/resolv.conf", "two.example"); got != "error, error" {
		t.Errorf("without a configuration: %s", got)
	}
}

func TestLookupFollowsAliases(t *testing.T) {
	// One server gives the alias and its target in one message, another the alias alone.
	whole := serveDNS(t, func(query dnsmessage.Message, network string) []dnsmessage.Message {
		reply := zone(testZone)(query, network)[0]
		if len(reply.Answers) == 1 && reply.Answers[0].Header.Type == dnsmessage.TypeCNAME && query.Questions[0].Type == dnsmessage.TypeA {
			next := query
			next.Questions = []dnsmessage.Question{{Name: dnsmessage.MustNewName("target.example."), Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET}}
			reply.Answers = append(zone(testZone)(next, network)[0].Answers, reply.Answers...) // in any order
		}
		return []dnsmessage.Message{reply}
	})
	apart := serveDNS(t, zone(testZone))
	for name, server := range map[string]*dnsServer{"whole": whole, "apart": apart} {
		if got := lookUp(writeResolvConf(t, "", server), "alias.example"); got != "[192.0.2.9] 9s, [] 7s" {
			t.Errorf("%s: %s", name, got)
		}
	}
	if whole.asked("A target.example.") != 1 { // for AAAA only
		t.Errorf("asked again for what was answered: %v", whole.queries)
	}
}

func TestLookupAsksTheNextServer(t *testing.T) {
	with := func(change func(*dnsmessage.Message)) func(dnsmessage.Message, string) []dnsmessage.Message {
		return func(query dnsmessage.Message, _ string) []dnsmessage.Message {
			reply := replyTo(query)
			change(&reply)
			return []dnsmessage.Message{reply}
		}
	}
	good := serveDNS(t, zone(testZone))
	for name, handle := range map[string]func(dnsmessage.Message, string) []dnsmessage.Message{
		"silent":  func(dnsmessage.Message, string) []dnsmessage.Message { return nil },
		"failing": with(func(m *dnsmessage.Message) { m.RCode = dnsmessage.RCodeServerFailure }),
		"refused": with(func(m *dnsmessage.Message) { m.RCode = dnsmessage.RCodeRefused }),
		"lame":    with(func(m *dnsmessage.Message) { m.RecursionAvailable = false }),
	} {
		bad := serveDNS(t, handle)
		got, want := "", "[192.0.2.1 192.0.2.2] 20s, [2001:db8::1] 40s"
		// The silent one is waited for; within that time the other has to answer.
		for seconds := 1; got != want && seconds <= 16; seconds *= 4 {
			got = lookUp(writeResolvConf(t, fmt.Sprintf("options timeout:%d attempts:1", seconds), bad, good), "two.example.")
		}
		if got != want {
			t.Errorf("%s: %s", name, got)
		}
		if name == "silent" {
			continue // once is enough to wait
		}
		asked := bad.asked(" A ")
		if got := lookUp(writeResolvConf(t, "options timeout:30", bad), "two.example."); got != "error, error" || bad.asked(" A ")-asked != 2 {
			t.Errorf("%s alone: %s after %d queries", name, got, bad.asked(" A ")-asked)
		}
	}
}

func TestLookupTakesTruncatedAnswersOverTCP(t *testing.T) {
	server := serveDNS(t, func(query dnsmessage.Message, network string) []dnsmessage.Message {
		reply := zone(testZone)(query, network)[0]
		if network == "udp" {
			reply.Truncated, reply.Answers = true, nil
		}
		return []dnsmessage.Message{reply}
	})
	if got := lookUp(writeResolvConf(t, "", server), "v4.example"); got != "[192.0.2.1] 30s, [] 7s" || server.asked("tcp") != 2 {
		t.Errorf("%s; %v", got, server.queries)
	}
}

func TestLookupIgnoresForgeries(t *testing.T) {
	server := serveDNS(t, func(query dnsmessage.Message, network string) []dnsmessage.Message {
		forge := func(change func(*dnsmessage.Message)) dnsmessage.Message {
			m := replyTo(query)
			m.Questions = append([]dnsmessage.Question(nil), query.Questions...)
			m.Answers = []dnsmessage.Resource{{
				Header: dnsmessage.ResourceHeader{Name: query.Questions[0].Name, Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET, TTL: 300},
				Body:   &dnsmessage.AResource{A: [4]byte{203, 0, 113, 66}},
			}}
			change(&m)
			return m
		}
		return []dnsmessage.Message{
			forge(func(m *dnsmessage.Message) { m.ID++ }),
			forge(func(m *dnsmessage.Message) { m.Response = false }),
			forge(func(m *dnsmessage.Message) { m.Questions[0].Name = dnsmessage.MustNewName("other.example.") }),
			forge(func(m *dnsmessage.Message) { m.Questions[0].Type = dnsmessage.TypeMX }),
			forge(func(m *dnsmessage.Message) { m.Questions = nil }),
			zone(testZone)(query, network)[0],
		}
	})
	if got := lookUp(writeResolvConf(t, "", server), "v4.example"); got != "[192.0.2.1] 30s, [] 7s" {
		t.Error(got)
	}
}

func TestLookupIgnoresRecordsOfOtherNames(t *testing.T) {
	server := serveDNS(t, func(query dnsmessage.Message, network string) []dnsmessage.Message {
		reply := zone(testZone)(query, network)[0]
		reply.Answers = append(reply.Answers, dnsmessage.Resource{
			Header: dnsmessage.ResourceHeader{Name: dnsmessage.MustNewName("other.example."), Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET, TTL: 300},
			Body:   &dnsmessage.AResource{A: [4]byte{203, 0, 113, 66}},
		})
		return []dnsmessage.Message{reply}
	})
	if got := lookUp(writeResolvConf(t, "", server), "v4.example"); got != "[192.0.2.1] 30s, [] 7s" {
		t.Error(got)
	}
}

func TestUnreachableFamilyIsLeftOut(t *testing.T) {
	server := serveDNS(t, zone(testZone))
	path := writeResolvConf(t, "", server)
	for _, tt := range []struct {
		reachable func(netip.Addr) bool
		want      string
	}{
		{netip.Addr.Is4, "[192.0.2.1 192.0.2.2] []"},
		{netip.Addr.Is6, "[] [2001:db8::1]"},
		{func(netip.Addr) bool { return false }, "[192.0.2.1 192.0.2.2] [2001:db8::1]"}, // better than none
	} {
		c := &dnsClient{path: path, reachable: tt.reachable}
		v4, v6 := c.lookup(context.Background(), "two.example")
		if got := fmt.Sprint(v4.addresses, " ", v6.addresses); got != tt.want {
			t.Errorf("%s, want %s", got, tt.want)
		}
	}
	if !hasRoute(netip.MustParseAddr("127.0.0.1")) {
		t.Error("no route to loopback")
	}
}

func TestLookupEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	silent := serveDNS(t, func(dnsmessage.Message, string) []dnsmessage.Message { cancel(); return nil })
	c := &dnsClient{path: writeResolvConf(t, "options timeout:30 attempts:5", silent), reachable: hasRoute}
	began := time.Now()
	v4, v6 := c.lookup(ctx, "two.example")
	if v4.err == nil || v6.err == nil || time.Since(began) > 25*time.Second {
		t.Errorf("%v, %v after %v", v4.err, v6.err, time.Since(began))
	}
}

func FuzzParseAnswer(f *testing.F) {
	packed, question, err := packQuery(7, "alias.example.", dnsmessage.TypeA)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(packed)
	var query dnsmessage.Message
	if err := query.Unpack(packed); err != nil {
		f.Fatal(err)
	}
	for _, message := range zone(testZone)(query, "udp") {
		p, err := message.Pack()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(p)
	}
	f.Fuzz(func(t *testing.T, message []byte) {
		a, err := parseAnswer(message, 7, question)
		if err == nil && (a.ttl < 0 || len(a.addresses) > 0 && a.ttl > maxTTL) {
			t.Errorf("TTL %v", a.ttl)
		}
	})
}
