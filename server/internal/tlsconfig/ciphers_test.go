package tlsconfig

import (
	"crypto/tls"
	"reflect"
	"slices"
	"testing"
)

func TestParseCiphers(t *testing.T) {
	tests := []struct {
		list    string
		suites  []uint16
		refused []string
	}{
		{"", DefaultCipherSuites, nil},
		{" : ", DefaultCipherSuites, nil},
		{"ECDHE-RSA-AES128-GCM-SHA256", []uint16{tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256}, nil},
		{"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, ECDHE-RSA-AES128-SHA", []uint16{tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA}, nil},
		{"TLS_AES_128_GCM_SHA256", []uint16{tls.TLS_AES_128_GCM_SHA256}, nil},
		{"ECDHE-RSA-AES256-GCM-SHA384:DHE-RSA-AES128-GCM-SHA256:!aNULL", []uint16{tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384}, []string{"DHE-RSA-AES128-GCM-SHA256", "!aNULL"}},
		{"AES128-SHA:TLS_RSA_WITH_AES_128_CBC_SHA:HIGH", nil, []string{"AES128-SHA", "TLS_RSA_WITH_AES_128_CBC_SHA", "HIGH"}},
	}
	for _, test := range tests {
		suites, refused := ParseCiphers(test.list)
		if !slices.Equal(suites, test.suites) || !slices.Equal(refused, test.refused) {
			t.Errorf("%q: %x, %q", test.list, suites, refused)
		}
	}
}

func TestParseProtocols(t *testing.T) {
	type result struct {
		low, high uint16
		refused   []string
	}
	for list, want := range map[string]result{
		"":                      {tls.VersionTLS12, tls.VersionTLS13, nil},
		"TLSv1.2 TLSv1.3":       {tls.VersionTLS12, tls.VersionTLS13, nil},
		"TLSv1.3":               {tls.VersionTLS13, tls.VersionTLS13, nil},
		"TLSv1.2":               {tls.VersionTLS12, tls.VersionTLS12, nil},
		"TLSv1 TLSv1.1,TLSv1.2": {tls.VersionTLS12, tls.VersionTLS12, []string{"TLSv1", "TLSv1.1"}},
		"SSLv3":                 {0, 0, []string{"SSLv3"}},
	} {
		var got result
		got.low, got.high, got.refused = ParseProtocols(list)
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %+v", list, got)
		}
	}
}
