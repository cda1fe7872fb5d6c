package upstream

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestParseResolvConf(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"", "[127.0.0.1:53] [] 1 5s 2"},
		{"nameserver 10.96.0.10\nsearch ns.svc.cluster.local svc.cluster.local\noptions ndots:5",
			"[10.96.0.10:53] [ns.svc.cluster.local svc.cluster.local] 5 5s 2"},
		{"nameserver 1.1.1.1 # one\n; nameserver 2.2.2.2\nnameserver ::1\nnameserver 127.0.0.1:5353", "[1.1.1.1:53 [::1]:53 127.0.0.1:5353] [] 1 5s 2"},
		{"nameserver 1.1.1.1\nnameserver 2.2.2.2\nnameserver 3.3.3.3\nnameserver 4.4.4.4", "[1.1.1.1:53 2.2.2.2:53 3.3.3.3:53] [] 1 5s 2"},
		{"nameserver\nnameserver what\nsearch\nnonsense 1", "[127.0.0.1:53] [] 1 5s 2"},
		{"domain a.example\nsearch b.example. .", "[127.0.0.1:53] [b.example] 1 5s 2"},
		{"options timeout:2 attempts:3 rotate ndots:99", "[127.0.0.1:53] [] 15 2s 3"},
		{"options timeout:0 attempts:99 ndots:-1 ndots:x", "[127.0.0.1:53] [] 1 1s 5"},
	} {
		c := parseResolvConf([]byte(tt.text))
		if got := fmt.Sprint(c.servers, c.search, c.ndots, c.timeout, c.attempts); got != tt.want {
			t.Errorf("%q:\n got %s\nwant %s", tt.text, got, tt.want)
		}
	}
}

func TestCandidates(t *testing.T) {
	c := parseResolvConf([]byte("search ns.svc.cluster.local example.org\noptions ndots:3"))
	for _, tt := range []struct{ name, want string }{
		{"api.example.com.", "api.example.com."},
		{"api", "api. api.ns.svc.cluster.local. api.example.org."},
		{"api.example.com", "api.example.com. api.example.com.ns.svc.cluster.local. api.example.com.example.org."},
		{"a.b.c.d", "a.b.c.d."}, // has ndots dots
	} {
		if got := c.candidates(tt.name); !slices.Equal(got, strings.Fields(tt.want)) {
			t.Errorf("%s: %v, want %s", tt.name, got, tt.want)
		}
	}
}
