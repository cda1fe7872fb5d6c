package secret

import (
	"github.com/sluice-gateway/sluice/routing/jwt"
	"github.com/sluice-gateway/sluice/routing/policy"
)

// parseKeySet reads the keys that tokens are verified with.
func parseKeySet(text []byte) (keys policy.Sealed, unusable int, fault string) {
	_, unusable, err := jwt.ParseKeys(text)
	if err != nil {
		return keys, unusable, "the Secret's key " + KeySetKey + " cannot be used: " + err.Error()
	}
	return policy.Seal(text), unusable, ""
}
