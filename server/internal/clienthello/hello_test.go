package clienthello_test

import (
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/server/internal/clienthello"
)

var (
	label63 = strings.Repeat("a", 63)
	name253 = strings.Repeat(label63+".", 3) + strings.Repeat("b", 61)
)

// accepted are hellos in one record, each with its content.
var accepted = []struct{ message, want string }{
	// Without extensions, as TLS 1.2 and older may be.
	{message(plain), "50 0303 name="},
	{message("\x03\x01", plain[2:]), "50 0301 name="},
	{message("\x03\x04", plain[2:]), "50 0303 name="}, // TLS 1.3 is offered in supported_versions only
	{message("\x7f\xff", plain[2:]), "50 0303 name="},
	{message(head, vec8(strings.Repeat("s", 32)), suites, nocomp), "82 0303 name="},
	{message(head, session, vec16("\x00\xff\xc0\x2b\x13\x01"), "\x02\x01\x00"), "55 0303 name="},
	{hello(), "52 0303 name="},

	// server_name.
	{hello(sni("a.example")), "70 0303 name=a.example"},
	{hello(sni("WWW.Example.COM")), "76 0303 name=www.example.com"},
	{hello(sni("a.example.")), "71 0303 name=a.example"},
	{hello(sni("localhost")), "70 0303 name=localhost"},
	{hello(sni("r1---sn_x.xn--bcher-kva.example")), "92 0303 name=r1---sn_x.xn--bcher-kva.example"},
	{hello(sni("192.0.2.1")), "70 0303 name=192.0.2.1"}, // by the letters a name, and no Host's
	{hello(sni(label63 + ".b")), "126 0303 name=" + label63 + ".b"},
	{hello(sni(name253)), "314 0303 name=" + name253},
	{hello(sni(name253 + ".")), "315 0303 name=" + name253},

	// ALPN.
	{hello(alpn("h2", "http/1.1")), "70 0303 name= alpn h2 http/1.1"},
	{hello(alpn("http/1.1")), "67 0303 name= alpn http/1.1"},
	{hello(alpn("\x0a\x0a", "H2", "h2c", "http/1.0", "http/1.10")), "87 0303 name= alpn"},
	{hello(alpn("h2", "h2")), "64 0303 name= alpn h2"},

	// Versions: the newest that is known.
	{hello(versions(0x0304)), "59 0304 name="},
	{hello(versions(0x6a6a, 0x0303, 0x0304, 0x0302)), "65 0304 name="},
	{hello(versions(0x0302)), "59 0302 name="},
	{hello(versions(0x7f1c, 0x0300)), "61 0000 name="},

	// Others are skipped, ECH is noted, pre_shared_key is last.
	{hello(ext(0x0a0a), ext(10, "x"), sni("a"), ext(0xffff, "yy"), ext(0x1a1a, "\x00")), "82 0303 name=a"},
	{hello(sni("public.example"), ext(0xfe0d, "\x00rest")), "84 0303 name=public.example ech"},
	{hello(alpn("h2"), ext(41, "psk")), "68 0303 name= alpn h2"},
}

// refusedMessages are messages, each with the fault, whatever records they come in.
var refusedMessages = []struct {
	message string
	want    clienthello.Error
}{
	{"\x02" + vec24(plain), clienthello.ErrMessage},
	{"\x00\x00\x00\x00", clienthello.ErrMessage}, // HelloRequest
	{message(""), clienthello.ErrLength},
	{message(plain[:20]), clienthello.ErrLength},
	{message(plain[:len(plain)-1]), clienthello.ErrLength},
	{message(plain, "\x00"), clienthello.ErrLength},
	{message(plain, "\x00\x01"), clienthello.ErrLength},
	{message(plain, vec16(), "\x00"), clienthello.ErrLength},
	{message(plain, vec16(ext(0xffff)), "\x00"), clienthello.ErrLength},
	{message(plain, vec16("\x00\x00\x00")), clienthello.ErrLength},
	{message(plain, vec16(ext(0xffff)[:3], "\x01")), clienthello.ErrLength},
	{message(plain, "\xff\xff"), clienthello.ErrLength},
	{message("\x03\x00", plain[2:]), clienthello.ErrVersion}, // SSL 3.0
	{message("\x02\x00", plain[2:]), clienthello.ErrVersion},
	{message("\xfe\xfd", plain[2:]+"\x00"), clienthello.ErrLength}, // DTLS has a cookie there
	{message(head, vec8(strings.Repeat("s", 33)), suites, nocomp), clienthello.ErrSessionID},
	{message(head, session, vec16(), nocomp), clienthello.ErrCipherSuites},
	{message(head, session, vec16("\x13"), nocomp), clienthello.ErrCipherSuites},
	{message(head, session, vec16("\x13\x01\x13"), nocomp), clienthello.ErrCipherSuites},
	{message(head, session, suites, "\x00"), clienthello.ErrCompression},
	{message(head, session, suites, "\x01\x01"), clienthello.ErrCompression},

	{hello(sni("a"), sni("a")), clienthello.ErrExtensionTwice},
	{hello(ext(0x0a0a), sni("a"), ext(0x0a0a)), clienthello.ErrExtensionTwice},
	{hello(manyExtensions(65)), clienthello.ErrTooManyExtensions},
	{hello(ext(41, "psk"), sni("a")), clienthello.ErrPreSharedKey},

	{hello(ext(0)), clienthello.ErrServerName}, // empty is for servers
	{hello(ext(0, vec16())), clienthello.ErrServerName},
	{hello(ext(0, vec16("\x00"))), clienthello.ErrServerName},
	{hello(ext(0, vec16("\x00", vec16()))), clienthello.ErrServerName},
	{hello(ext(0, vec16("\x00", vec16("a")), "\x00")), clienthello.ErrServerName},
	{hello(ext(0, vec16("\x00", vec16("a"), "\x00"))), clienthello.ErrServerName},
	{hello(ext(0, vec16("\x00", vec16("a"), "\x00", vec16("b")))), clienthello.ErrServerName},
	{hello(ext(0, vec16("\x01", vec16("a")))), clienthello.ErrServerName},
	{hello(ext(0, vec16("\x01", vec16("a"), "\x00", vec16("b")))), clienthello.ErrServerName},
	{hello(ext(0, vec16("\x00\x00\x02a"))), clienthello.ErrServerName},
	{hello(ext(0, "\x00\x07\x00\x00\x01a"), ext(0xffff)), clienthello.ErrServerName}, // reaches into the next
	{hello(sni(".")), clienthello.ErrHostName},
	{hello(sni("a..")), clienthello.ErrHostName},
	{hello(sni(".a")), clienthello.ErrHostName},
	{hello(sni("a..b")), clienthello.ErrHostName},
	{hello(sni("-a")), clienthello.ErrHostName},
	{hello(sni("a-")), clienthello.ErrHostName},
	{hello(sni("a-.b")), clienthello.ErrHostName},
	{hello(sni("a.-b")), clienthello.ErrHostName},
	{hello(sni("a-.")), clienthello.ErrHostName},
	{hello(sni("*.example")), clienthello.ErrHostName},
	{hello(sni("a b")), clienthello.ErrHostName},
	{hello(sni("a\x00.example")), clienthello.ErrHostName},
	{hello(sni("a\r\nb: c")), clienthello.ErrHostName},
	{hello(sni("a:443")), clienthello.ErrHostName},
	{hello(sni("a/b")), clienthello.ErrHostName},
	{hello(sni("2001:db8::1")), clienthello.ErrHostName},
	{hello(sni("b\xc3\xbccher.example")), clienthello.ErrHostName},
	{hello(sni("\xe2\x84\xaa.example")), clienthello.ErrHostName}, // the Kelvin sign is not a k
	{hello(sni(label63 + "a")), clienthello.ErrHostName},
	{hello(sni(name253 + "a")), clienthello.ErrHostName},
	{hello(sni(name253 + "a.")), clienthello.ErrHostName},
	{hello(sni(strings.Repeat("a.", 4000))), clienthello.ErrHostName},

	{hello(ext(16)), clienthello.ErrALPN},
	{hello(ext(16, vec16())), clienthello.ErrALPN},
	{hello(alpn("")), clienthello.ErrALPN},
	{hello(alpn("h2", "")), clienthello.ErrALPN},
	{hello(ext(16, vec16("\x03h2"))), clienthello.ErrALPN},
	{hello(ext(16, vec16(vec8("h2")), "\x00")), clienthello.ErrALPN},
	{hello(ext(16, "\x00\x06", vec8("h2")), ext(0xffff)), clienthello.ErrALPN},

	{hello(ext(43)), clienthello.ErrSupportedVersions},
	{hello(ext(43, vec8())), clienthello.ErrSupportedVersions},
	{hello(ext(43, vec8("\x03"))), clienthello.ErrSupportedVersions},
	{hello(ext(43, vec8("\x03\x04\x03"))), clienthello.ErrSupportedVersions},
	{hello(ext(43, vec8("\x03\x04"), "\x00")), clienthello.ErrSupportedVersions},
	{hello(ext(43, "\x04\x03\x04"), ext(0xffff)), clienthello.ErrSupportedVersions},
}

func manyExtensions(n int) (s string) {
	for i := range n {
		s += ext(0x1000 + i)
	}
	return s
}

// refusedRecords are inputs that fail before the message is complete.
var refusedRecords = []struct {
	raw  string
	want clienthello.Error
}{
	{"GET / HTTP/1.1\r\n", clienthello.ErrNotTLS},
	{"PRI * HTTP/2.0\r\n", clienthello.ErrNotTLS},
	{"PROXY TCP4 ", clienthello.ErrNotTLS},
	{"SSH-2.0-x\r\n", clienthello.ErrNotTLS},
	{"\x00", clienthello.ErrNotTLS},
	{"\x80\x2e\x01\x03\x01", clienthello.ErrNotTLS},         // SSL 2.0 compatible hello
	{"\x15\x03\x01\x00\x02\x02\x28", clienthello.ErrNotTLS}, // an alert begins no connection
	{"\x17\x03\x03\x00\x01x", clienthello.ErrNotTLS},
	{"\x16\x02", clienthello.ErrNotTLS},
	{"\x16\xfe\xff\x00", clienthello.ErrNotTLS}, // DTLS
	{"\x16\x03\x01\x00\x00", clienthello.ErrRecordLength},
	{"\x16\x03\x01\x40\x01", clienthello.ErrRecordLength},
	{"\x16\x03\x01\xff\xff", clienthello.ErrRecordLength},
	{"\x16\x03\x01\x40\x00", clienthello.ErrTooLarge}, // fits no 16 KiB with its header
	{"\x16\x03\x01\x00\x04\x01\x00\x40\x00", clienthello.ErrTooLarge},
	{"\x16\x03\x01\x00\x04\x01\xff\xff\xff", clienthello.ErrTooLarge},
	{records(hello(ext(0xffff, strings.Repeat("x", 4000))), 1), clienthello.ErrTooLarge}, // its headers count
	{record(hello(ext(0xffff, strings.Repeat("x", 16330)))), clienthello.ErrTooLarge},
	{"\x16\x03\x01\x00\x06\x01\x00\x00\x01xy", clienthello.ErrTrailing},
	{record(message(plain) + message(plain)), clienthello.ErrTrailing},
	{"\x16\x03\x01" + vec16(message(plain)[:20]) + "\x14\x03\x03\x00\x01\x01", clienthello.ErrRecordType},
	{"\x16\x03\x01" + vec16(message(plain)[:20]) + "\x15\x03\x03\x00\x02\x01\x00", clienthello.ErrRecordType},
	{"\x16\x03\x01" + vec16(message(plain)[:20]) + "\x16\x04", clienthello.ErrRecordVersion},
	{"\x16\x03\x01" + vec16(message(plain)[:20]) + "\x16\x03\x03\x00\x00", clienthello.ErrRecordLength},
	{"\x16\x03\x01" + vec16(message(plain)[:20]) + "\x16\x03\x03\x00\x1b", clienthello.ErrTrailing}, // one too many is announced
}

func TestSpecification(t *testing.T) {
	for _, c := range accepted {
		raw := record(c.message)
		for _, behind := range []string{"", "\x14\x03\x03\x00\x01\x01", "anything"} {
			if got := describe(parse([]byte(raw + behind))); got != c.want {
				t.Errorf("%q with %q behind it\n got %s\nwant %s", raw, behind, got, c.want)
			}
		}
	}
	// The minor version of a record means nothing.
	raw := []byte(record(hello(sni("a"))))
	for _, minor := range []byte{0, 1, 3, 4, 0xff} {
		raw[2] = minor
		if _, st := parse(raw); st != clienthello.Done {
			t.Errorf("record version 3.%d: %v", minor, st)
		}
	}
}

func TestRefused(t *testing.T) {
	seen := map[clienthello.Error]bool{}
	check := func(raw string, want clienthello.Error) {
		t.Helper()
		seen[want] = true
		for _, behind := range []string{"", "\x16\x03\x03\x00\x01\x01"} {
			if _, st := parse([]byte(raw + behind)); st.Err() != want {
				t.Errorf("%q: got %v, want %v", raw, st, want)
			}
		}
	}
	for _, c := range refusedMessages {
		check(record(c.message), c.want)
	}
	for _, c := range refusedRecords {
		check(c.raw, c.want)
	}
	for e := clienthello.ErrNotTLS; e <= clienthello.ErrSupportedVersions; e++ {
		if !seen[e] {
			t.Errorf("no row is refused because of %v", e)
		}
		if e.Reason() == "" || e.Error() != e.Reason() || (e.Alert() == 0) != (e == clienthello.ErrNotTLS) {
			t.Errorf("Error %d: reason %q, alert %d", e, e.Reason(), e.Alert())
		}
	}
}

// TestFragments: the cut of the message into records does not change its meaning.
func TestFragments(t *testing.T) {
	for _, c := range accepted {
		whole, _ := parse([]byte(record(c.message)))
		for _, size := range []int{1, 2, 3, 5, 7, 43, 64} {
			raw := []byte(records(c.message, size))
			h, st := parse(raw)
			if st != clienthello.Done || meaning(h) != meaning(whole) || h.Len != len(raw) {
				t.Errorf("%q in records of %d: %s, want %s", c.message, size, describe(h, st), meaning(whole))
			}
			if fault := splitFault(raw, 1+len(raw)/300, clienthello.Limits{}); fault != "" {
				t.Error(fault)
			}
		}
	}
	for _, c := range refusedMessages {
		for _, size := range []int{1, 2, 3, 5, 7, 43, 64} {
			raw := records(c.message, size)
			if len(raw) > clienthello.DefaultMaxBytes {
				continue
			}
			if _, st := parse([]byte(raw)); st.Err() != c.want {
				t.Errorf("%q in records of %d: %v, want %v", c.message, size, st, c.want)
			}
		}
	}
}

// TestSplit: the split into reads changes nothing.
func TestSplit(t *testing.T) {
	check := func(raw string) {
		t.Helper()
		if fault := splitFault([]byte(raw), 1+len(raw)/1000, clienthello.Limits{}); fault != "" {
			t.Error(fault)
		}
	}
	for _, c := range accepted {
		check(record(c.message) + "\x14\x03\x03\x00\x01\x01")
	}
	for _, c := range refusedMessages {
		check(record(c.message))
	}
	for _, c := range refusedRecords {
		check(c.raw)
	}
}

// TestMutations changes every byte of every accepted hello to values that mean something somewhere:
// whatever comes of it must be the same however it is split, and within bounds.
func TestMutations(t *testing.T) {
	for _, c := range accepted {
		if len(c.message) > 128 {
			continue
		}
		for _, message := range []string{record(c.message), records(c.message, 40)} {
			for i := range len(message) {
				for _, b := range []byte("\x00\x01\x03\x10\x16\x20\x7f\xff.-A") {
					raw := []byte(message)
					raw[i] = b
					if fault := splitFault(raw, 7, clienthello.Limits{}); fault != "" {
						t.Fatal(fault)
					}
				}
			}
		}
	}
}

func TestLimits(t *testing.T) {
	for _, c := range []struct {
		size, limit int // of the wire, and of Limits
		fits        bool
	}{
		{512, 0, true},
		{512, 1, true}, // at least MinMaxBytes
		{513, 1, false},
		{2000, 2000, true},
		{2001, 2000, false},
		{16 << 10, 0, true},
		{16<<10 + 1, 0, false},
	} {
		empty := len(record(hello(ext(0xffff))))
		raw := record(hello(ext(0xffff, strings.Repeat("x", c.size-empty))))
		var h clienthello.Hello
		st := clienthello.Parse(&h, []byte(raw), clienthello.Limits{MaxBytes: c.limit})
		if len(raw) != c.size || (st == clienthello.Done) != c.fits || !c.fits && st.Err() != clienthello.ErrTooLarge {
			t.Errorf("%d bytes under %d: %v", len(raw), c.limit, st)
		}
		// A hello that is too large is refused by its announced length, not when the bytes have come.
		var early clienthello.Hello
		if got := clienthello.Parse(&early, []byte(raw[:9]), clienthello.Limits{MaxBytes: c.limit}); (got == clienthello.Incomplete) != c.fits {
			t.Errorf("the first bytes of %d under %d: %v", len(raw), c.limit, got)
		}
		if fault := splitFault([]byte(raw), 13, clienthello.Limits{MaxBytes: c.limit}); fault != "" {
			t.Error(fault)
		}
	}
}

// TestReset uses one Hello for two connections, and shows that an outcome stays until then.
func TestReset(t *testing.T) {
	var h clienthello.Hello
	first := []byte(record(hello(sni("a.example"), alpn("h2"))))
	clienthello.Parse(&h, first, clienthello.Limits{})
	if st := clienthello.Parse(&h, []byte("GET"), clienthello.Limits{}); st != clienthello.Done || string(h.ServerName()) != "a.example" {
		t.Errorf("after Done: %v %s", st, h.ServerName())
	}
	h.Reset()
	if st := clienthello.Parse(&h, []byte("GET"), clienthello.Limits{}); st.Err() != clienthello.ErrNotTLS {
		t.Errorf("after Reset: %v", st)
	}
	if st := clienthello.Parse(&h, first, clienthello.Limits{}); st.Err() != clienthello.ErrNotTLS {
		t.Errorf("after a failure: %v", st)
	}
	h.Reset()
	if st := clienthello.Parse(&h, []byte(record(hello())), clienthello.Limits{}); st != clienthello.Done || len(h.ServerName()) != 0 || h.H2 {
		t.Errorf("after Reset: %v %s", st, meaning(&h))
	}
}
