package interop

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/summerwind/h2spec/config"
	"github.com/summerwind/h2spec/generic"
	"github.com/summerwind/h2spec/hpack"
	"github.com/summerwind/h2spec/http2"
	"github.com/summerwind/h2spec/spec"
)

// h2specExceptions are the cases that the gateway is right to fail: protocol of the client and h2spec's identifier
// -> why, with the section of RFC 9113 that supersedes RFC 7540. One that passes has no business here.
var h2specExceptions = map[string]string{
	"h2c http2/3.5/2": "The plain listener serves HTTP/1.1 too (RFC 9113, 3.3: prior knowledge), so that bytes which are not the preface are a request " +
		"of HTTP/1.1: it answers a malformed one with 400 and closes. h2spec reads that answer as frames and does not see the close behind it. " +
		"RFC 9113, 3.4 lets GOAWAY be omitted because such a peer is not using HTTP/2.",
}

// h2specCases is how many cases there are, so that a run that silently leaves some out does not pass.
const h2specCases = 146

// TestH2Spec runs every case of h2spec, the strict ones too.
func TestH2Spec(t *testing.T) {
	b := startBackend(t, ups[0], nil)
	g := start(t, "", service{endpoints: []string{b.addr}})
	for _, d := range downs {
		if !d.http2 {
			continue
		}
		t.Run(d.name, func(t *testing.T) {
			host, port, _ := net.SplitHostPort(g.addr(d))
			c := &config.Config{Host: host, Path: "/bytes?n=100", Timeout: 2 * time.Second, MaxHeaderLen: 4000, Strict: true, TLS: d.tls, Insecure: true}
			c.Port, _ = strconv.Atoi(port)
			ran := 0
			for _, group := range []*spec.TestGroup{generic.Spec(), http2.Spec(), hpack.Spec()} {
				quietly(t, func() { ran += h2specGroup(t, d, c, group) })
			}
			t.Logf("%d cases ran", ran)
			if ran != h2specCases {
				t.Errorf("%d cases ran, want %d", ran, h2specCases)
			}
		})
	}
}

// h2specGroup runs a group, compares the results with the exceptions, and counts them. It does not leave
// that to TestGroup.Test, which ends the process where it cannot connect.
func h2specGroup(t *testing.T, d down, c *config.Config, group *spec.TestGroup) (ran int) {
	for i, tc := range append(group.Tests[:len(group.Tests):len(group.Tests)], group.StrictTests...) {
		id := fmt.Sprintf("%s/%d", group.ID(), i+1)
		if err := tc.Test(c, i+1); err != nil {
			t.Fatalf("%s: %s: %v", id, tc.Desc, err)
		}
		ran++
		_, excepted := h2specExceptions[d.name+" "+id]
		if tc.Result.Failed && !excepted { // once more, with patience: it may be the machine that was slow
			patient := *c
			patient.Timeout = patience
			if err := tc.Test(&patient, i+1); err != nil {
				t.Fatalf("%s: %s: %v", id, tc.Desc, err)
			}
		}
		r := tc.Result
		switch {
		case r.Skipped:
			t.Errorf("%s was skipped: %s", id, tc.Desc)
		case r.Failed && !excepted:
			t.Errorf("%s failed: %s: %s\n%v", id, tc.Desc, tc.Requirement, r.Error)
		case !r.Failed && excepted:
			t.Errorf("%s passes: it is no exception", id)
		}
	}
	for _, inner := range group.Groups {
		ran += h2specGroup(t, d, c, inner)
	}
	return ran
}

// quietly runs f without what h2spec prints as it goes.
func quietly(t *testing.T, f func()) {
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	stdout := os.Stdout
	os.Stdout = null
	defer func() { os.Stdout = stdout }()
	f()
}
