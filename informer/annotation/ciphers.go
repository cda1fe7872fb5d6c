package annotation

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/sluice-gateway/sluice/routing"
)

// Ciphers is a list of cipher suites in OpenSSL's form, with colons between, checked when it was read. It is kept as
// text, so that it can be compared.
type Ciphers string

// IDs returns the suites as crypto/tls numbers them, each once; nil for "".
func (c Ciphers) IDs() []uint16 {
	ids, _ := parseCiphers(string(c))
	return ids
}

// ciphers makes the Set of a Row whose values are lists of cipher suites.
func ciphers(field func(*Settings) *Ciphers) func(*Settings, string) error {
	return func(s *Settings, value string) error {
		suites, err := parseCiphers(value)
		if suites != nil {
			*field(s) = Ciphers(value)
		}
		return err
	}
}

// maxUnknown is how many parts of a list a reason names.
const maxUnknown = 5

// parseCiphers reads a list in OpenSSL's form. nil stands for crypto/tls's default. The error names the parts left
// out: groups (HIGH, !aNULL), and suites that crypto/tls does not have.
func parseCiphers(value string) (suites []uint16, err error) {
	if value == "DEFAULT" {
		return nil, nil
	}
	var unknown []string
	for name := range strings.FieldsFuncSeq(value, func(r rune) bool { return strings.ContainsRune(":, ", r) }) {
		if id, ok := routing.CipherSuite(name); ok {
			// Each once: the list is looked through for each request on a connection of TLS 1.2.
			if !slices.Contains(suites, id) {
				suites = append(suites, id)
			}
		} else if len(unknown) > maxUnknown {
			continue
		} else if !strings.HasPrefix(name, "TLS_") {
			// The suites of TLS 1.3 are always offered and not chosen from.
			unknown = append(unknown, brief(name))
		}
	}
	switch {
	case len(suites) == 0:
		return nil, errors.New("want names of cipher suites, such as ECDHE-RSA-AES128-GCM-SHA256, separated by colons; the default is used")
	case len(unknown) > maxUnknown:
		unknown[maxUnknown] = "and others"
		fallthrough
	case len(unknown) > 0:
		return suites, fmt.Errorf("%s: not supported and left out", strings.Join(unknown, ", "))
	}
	return suites, nil
}
