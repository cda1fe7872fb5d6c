package filter

import (
	"net/http"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/routing/policy"
)

// TestBlock: who is not served, whatever else the object asks for.
func TestBlock(t *testing.T) {
	t.Parallel()
	g := newGateway(t, with(&policy.Block{
		UserAgents: []policy.TextPattern{{Text: "BadBot/1.0"}, {Text: "(?i)scanner", Regular: true}},
		Referers:   []policy.TextPattern{{Text: "^http://spam", Regular: true}},
	}, &policy.Redirect{Code: 301, To: "http://b.test/"}), func(http.ResponseWriter, *http.Request) {})
	for _, row := range []struct {
		name, value string
		want        int
	}{
		{"User-Agent", "BadBot/1.0", 403},
		{"User-Agent", "badbot/1.0", 403},
		{"User-Agent", "BadBot/1.0b", 301},
		{"User-Agent", "my SCANNER 3", 403},
		{"User-Agent", strings.Repeat("x", 600) + "scanner", 301}, // beyond what is looked at
		{"Referer", "http://spam.test/x", 403},
		{"Referer", "http://fine.test/?http://spam", 301},
		{"X-Other", "BadBot/1.0", 301},
	} {
		for _, two := range []bool{false, true} {
			for _, method := range []string{"GET", "HEAD", "OPTIONS"} {
				if resp, _ := g.over(two, method, "a.test", "/x", row.name, row.value); resp.StatusCode != row.want {
					t.Errorf("%s with %s: %q, HTTP/2 %v: %d, want %d", method, row.name, row.value, two, resp.StatusCode, row.want)
				}
			}
		}
	}
}
