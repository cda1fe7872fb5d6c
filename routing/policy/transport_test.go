package policy

import "testing"

func TestTransport(t *testing.T) {
	for want, given := range map[string]Transport{
		DefaultTransport: {MaxAge: 31536000, SubDomains: true},
		"max-age=0":      {},
		"max-age=600; includeSubDomains; preload": {600, true, true},
	} {
		if got := given.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
