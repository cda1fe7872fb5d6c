package secret

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// TestNothingIsPrinted: no way of printing a Set or Material shows what a Secret holds, and no Fault does.
func TestNothingIsPrinted(t *testing.T) {
	secret := pairOf(t, "a")
	secret.Data[AuthoritiesKey] = testPEM(t, "ca.crt")
	s := New(Options{Default: name("shop/pair")})
	s.Apply(name("shop/pair"), secret)
	s.Refer(name("shop/web"), References{Sections: []Section{section(0, "shop/pair", "a.test")}})
	s.Refresh(testNow, 0)
	m, _ := s.Credential(name("shop/pair"))
	if m == nil || m.Pair == nil {
		t.Fatal("no Material")
	}
	for _, printed := range []any{s, *s, m, *m, struct{ M *Material }{m}, []any{m}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
			if text := fmt.Sprintf(verb, printed); len(text) > 100 {
				t.Errorf("%s of %T is %d bytes", verb, printed, len(text))
			}
		}
	}
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "set", s, "material", m)
	if text := log.String(); !strings.Contains(text, `set=Secrets material="Material of a Secret"`) {
		t.Errorf("logged: %s", text)
	}
	text, err := json.Marshal(m)
	if err != nil || bytes.Contains(text, []byte("PrivateKey")) {
		t.Errorf("JSON: %s, error %v", text, err)
	}
}

// TestFaultsShowNothing: a fault is in words of ours, whatever is wrong with a value.
func TestFaultsShowNothing(t *testing.T) {
	const hidden = "hunter2"
	marked := "-----BEGIN " + hidden + "-----\naHVudGVyMg==\n-----END " + hidden + "-----\n"
	certificate, key := string(testPEM(t, "a.crt")), string(testPEM(t, "a.key"))
	values := []string{"", hidden, marked, certificate, key, certificate + marked, marked + key, key + hidden, certificate + "-----BEGIN " + hidden,
		"-----BEGIN CERTIFICATE-----\n" + hidden + ": x\n\naHVudGVyMg==\n-----END CERTIFICATE-----\n",
		"-----BEGIN PRIVATE KEY-----\n" + hidden + ": x\n\naHVudGVyMg==\n-----END PRIVATE KEY-----\n",
		"-----BEGIN X509 CRL-----\naHVudGVyMg==\n-----END X509 CRL-----\n"}
	for _, first := range values {
		for _, second := range values {
			secret := &corev1.Secret{Type: corev1.SecretTypeTLS, Data: map[string][]byte{
				corev1.TLSCertKey: []byte(first), corev1.TLSPrivateKeyKey: []byte(second),
				AuthoritiesKey: []byte(first), RevocationsKey: []byte(second),
			}}
			_, pair := parsePair(secret)
			m := parseMaterial(secret)
			for _, fault := range []string{pair, m.RootsFault, m.PairFault, m.RevokedFault} {
				if strings.Contains(fault, hidden) || strings.Contains(fault, "aHVudGVyMg") || strings.Contains(fault, "-----") {
					t.Errorf("the fault shows the value: %s", fault)
				}
			}
		}
	}
}

// FuzzMaterial: whatever a Secret holds, each part is there, or absent, or at fault, and a fault is one short line.
func FuzzMaterial(f *testing.F) {
	for _, seed := range [][2]string{{"a.crt", "a.key"}, {"ca.crt", "ca.crl"}, {"torn.crt", "encrypted.key"}, {"broken.crt", "encrypted-legacy.key"}} {
		f.Add(testPEM(f, seed[0]), testPEM(f, seed[1]))
	}
	f.Add([]byte("-----BEGIN "), []byte("-----END CERTIFICATE-----"))
	f.Fuzz(func(t *testing.T, first, second []byte) {
		m := parseMaterial(&corev1.Secret{Data: map[string][]byte{
			corev1.TLSCertKey: first, corev1.TLSPrivateKeyKey: second, AuthoritiesKey: first, RevocationsKey: second,
		}})
		for _, part := range []struct {
			name  string
			asked bool
			there bool
			fault string
		}{
			{"pair", len(first)+len(second) > 0, m.Pair != nil, m.PairFault},
			{"roots", len(first) > 0, m.Roots != nil, m.RootsFault},
			{"revoked", len(second) > 0, m.Revoked != nil, m.RevokedFault},
		} {
			if (part.there || part.fault != "") != part.asked || part.there && part.fault != "" {
				t.Errorf("%s: there %v, fault %q", part.name, part.there, part.fault)
			}
			if len(part.fault) > 200 || strings.ContainsAny(part.fault, "\n\r\x00") {
				t.Errorf("%s: fault %q", part.name, part.fault)
			}
		}
		if m.Pair != nil && m.Pair.Leaf == nil {
			t.Error("a pair without its leaf")
		}
	})
}
