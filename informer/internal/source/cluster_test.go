package source

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// TestTrimSecret: of a Secret nothing but the pair stays in memory.
func TestTrimSecret(t *testing.T) {
	s := &corev1.Secret{Type: corev1.SecretTypeTLS}
	s.Data = map[string][]byte{corev1.TLSCertKey: []byte("chain"), corev1.TLSPrivateKeyKey: []byte("key"), "more": []byte("not kept")}
	s.Annotations = map[string]string{lastApplied: "all of it", "other": "x"}
	if _, err := trim(s); err != nil || len(s.Data) != 2 || len(s.Annotations) != 0 {
		t.Errorf("error %v; %d values, annotations %v", err, len(s.Data), s.Annotations)
	}
}
