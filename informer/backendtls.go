package informer

import (
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/sluice-gateway/sluice/routing"
)

// backendTLS is what the annotations proxy-ssl-* say. Comparable; the zero value is every default.
type backendTLS struct {
	verify   bool
	secret   string
	name     string
	sendName bool
	// depth is one more than proxy-ssl-verify-depth says, 0 for the default.
	depth    int
	min, max uint16
	ciphers  string
}

// defaultDepth is that of both proxy-ssl-verify-depth and auth-tls-verify-depth.
const defaultDepth = 1

// maxDepth bounds what a chain may cost to verify.
const maxDepth = 20

// variant tells apart the Backends of one Service port by these settings; "" for the defaults. What the
// Secret holds is not in it, so that a Backend outlives its renewal.
func (t backendTLS) variant() string {
	if t == (backendTLS{}) {
		return ""
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%q", []any{t.verify, t.secret, t.name, t.sendName, t.depth, t.min, t.max, t.ciphers}))
	return "tls-" + hex.EncodeToString(sum[:4])
}

// backendTLS describes TLS to the Backends of a Service, whose name it has otherwise. It returns false
// where that cannot be carried out, and the path must answer 503.
func (c *compiler) backendTLS(serverName string) (*routing.BackendTLS, bool) {
	s := c.settings.tls
	t := &routing.BackendTLS{
		Verify: s.verify, Name: serverName, SendName: s.sendName, Depth: defaultDepth,
		MinVersion: s.min, MaxVersion: s.max,
	}
	if s.name != "" {
		t.Name = s.name
	}
	if s.depth > 0 {
		t.Depth = s.depth - 1
	}
	if s.ciphers != "" {
		// What is wrong with it was said when it was read.
		t.CipherSuites, _ = parseCiphers(s.ciphers)
	}
	var sum [sha256.Size]byte
	if s.secret != "" {
		m, name, fault := c.credential(s.secret)
		switch {
		case m == nil:
		case s.verify && m.rootsFault != "":
			fault = m.rootsFault
		case s.verify && m.roots == nil:
			fault = "proxy-ssl-verify is on, and the Secret has no " + rootsKey
		case m.pairFault != "":
			fault = m.pairFault
		case m.roots == nil && m.pair == nil:
			fault = "the Secret has neither " + rootsKey + " nor a key pair"
		}
		if m == nil || fault != "" {
			if fault != "" && !c.tlsReported {
				c.reject(c.annotationName("proxy-ssl-secret"), s.secret, fault+"; every path of the object with a TLS Backend answers 503")
			}
			c.tlsReported = true
			return nil, false
		}
		t.Secret, t.Certificate, sum = name, m.pair, m.sum
		if s.verify {
			t.Roots = m.roots
		}
	}
	t.Identity = sha256.Sum256(fmt.Appendf(nil, "%q %x", []any{s.verify, t.Name, s.sendName, t.Depth, s.min, s.max, s.ciphers, s.secret}, sum))
	return t, true
}

func setOnOff(field func(*settings) *bool, otherwise string) func(*settings, string, string) error {
	return func(s *settings, _, value string) error {
		switch value {
		case "on":
			*field(s) = true
		case "off":
			*field(s) = false
		default:
			return errors.New("want on or off; " + otherwise)
		}
		return nil
	}
}

func setTLSSecret(s *settings, _, value string) error {
	s.tls.secret = value
	if value == "" {
		s.policy.Closed = "want the name of a Secret, or namespace/name; every path of the object answers 503"
		return errors.New(s.policy.Closed)
	}
	return nil
}

func setTLSName(s *settings, _, value string) error {
	if len(validation.IsDNS1123Subdomain(strings.ToLower(value))) > 0 {
		return errors.New("want a DNS name; that of the Service is used")
	}
	s.tls.name = strings.ToLower(value)
	return nil
}

func setTLSDepth(s *settings, _, value string) error {
	n, err := parseDepth(value)
	s.tls.depth = n
	return err
}

// parseDepth returns one more than the value, 0 with an error.
func parseDepth(value string) (int, error) {
	n, err := strconv.Atoi(value)
	if err != nil || n < 0 || n > maxDepth {
		return 0, fmt.Errorf("want a number from 0 to %d; %d is used", maxDepth, defaultDepth)
	}
	return n + 1, nil
}

// tlsVersions are nginx's names, in order.
var tlsVersions = []string{"TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"}

func setTLSVersions(s *settings, _, value string) error {
	var found [4]bool
	for _, name := range strings.Fields(value) {
		i := slices.Index(tlsVersions, name)
		if i < 0 {
			return fmt.Errorf("want some of %s; the default is used", strings.Join(tlsVersions, ", "))
		}
		found[i] = true
	}
	first, last, n := slices.Index(found[:], true), 0, 0
	for i, on := range found {
		if on {
			last, n = i, n+1
		}
	}
	if first < 0 || n != last-first+1 {
		return errors.New("want versions without a gap between them; the default is used")
	}
	s.tls.min, s.tls.max = tls.VersionTLS10+uint16(first), tls.VersionTLS10+uint16(last)
	return nil
}

func setTLSCiphers(s *settings, _, value string) error {
	suites, err := parseCiphers(value)
	if suites != nil {
		s.tls.ciphers = value
	}
	return err
}
