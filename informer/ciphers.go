package informer

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/sluice-gateway/sluice/routing"
)

// maxUnknown is how many suites a Rejection names.
const maxUnknown = 5

// parseCiphers reads a list in OpenSSL's form. nil stands for crypto/tls's default. The error names
// what is left out: groups (HIGH, !aNULL), and suites that crypto/tls does not have.
func parseCiphers(value string) (suites []uint16, err error) {
	if value == "DEFAULT" {
		return nil, nil
	}
	var unknown []string
	for _, name := range strings.FieldsFunc(value, func(r rune) bool { return strings.ContainsRune(":, ", r) }) {
		if id, ok := routing.CipherSuite(name); ok {
			// Each once: the list is looked through for each request on a connection of TLS 1.2.
			if !slices.Contains(suites, id) {
				suites = append(suites, id)
			}
		} else if len(unknown) > maxUnknown {
			continue
		} else if !strings.HasPrefix(name, "TLS_") {
			// Those of TLS 1.3 are always offered and not chosen from.
			unknown = append(unknown, name)
		}
	}
	switch {
	case len(suites) == 0:
		return nil, fmt.Errorf("want names of cipher suites, such as ECDHE-RSA-AES128-GCM-SHA256, separated by colons; the default is used")
	case len(unknown) > maxUnknown:
		unknown[maxUnknown] = "and others"
		fallthrough
	case len(unknown) > 0:
		return suites, fmt.Errorf("%s: not supported and left out", shorten(strings.Join(unknown, ", ")))
	}
	return suites, nil
}

func setHostCiphers(s *settings, _, value string) error {
	suites, err := parseCiphers(value)
	if suites != nil {
		s.ciphers = value
	}
	return err
}

func setServerOrder(_ *settings, _, value string) error {
	if on, err := strconv.ParseBool(value); err != nil || !on {
		return errors.New("the order of cipher suites is always the gateway's")
	}
	return nil
}
