package secret

import (
	"bytes"
	"fmt"

	corev1 "k8s.io/api/core/v1"

	"github.com/sluice-gateway/sluice/routing/policy"
)

// minSessionKey bounds a key that sessions are sealed with from below, in bytes.
const minSessionKey = 32

// sessionKeys reads the keys that sessions are sealed with, and what the gateway is known by.
func (m *Material) sessionKeys(secret *corev1.Secret) {
	// Line breaks at the end come of how the Secret was written.
	trimmed := func(key string) []byte { return bytes.TrimRight(secret.Data[key], "\r\n") }
	m.ClientSecret = policy.Seal(trimmed(ClientSecretKey))
	for key, to := range map[string]*policy.Sealed{SessionKey: &m.SessionKey, OldSessionKey: &m.OldSessionKey} {
		text := trimmed(key)
		if len(text) > 0 && len(text) < minSessionKey {
			m.SessionFault = fmt.Sprintf("the Secret's key %s has less than %d bytes", key, minSessionKey)
		}
		*to = policy.Seal(text)
	}
}
