package secret

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"

	"github.com/sluice-gateway/sluice/routing/htpasswd"
	"github.com/sluice-gateway/sluice/routing/policy"
)

// UsersOf are users, or why there are none. The zero value: none, for no reason.
type UsersOf struct {
	Users policy.Users
	// Fault is why the Secret cannot be used.
	Fault string
	// Unusable counts the users that cannot log in, because of their hashes.
	Unusable int
}

// fileOf reads the users of the key auth, as a file of htpasswd has them.
func fileOf(secret *corev1.Secret) UsersOf {
	text, there := secret.Data[UsersKey]
	if !there {
		return UsersOf{Fault: "the Secret has no key " + UsersKey}
	}
	return usersOf(htpasswd.Read(string(text)))
}

// mapOf reads the users that the Secret has a key each for.
func mapOf(secret *corev1.Secret) UsersOf {
	if secret.Type == corev1.SecretTypeTLS {
		return UsersOf{Fault: "a Secret of type " + string(secret.Type) + " has no users"}
	}
	return usersOf(htpasswd.ReadMap(secret.Data))
}

func usersOf(hashes map[string]string, unusable int, whole bool) UsersOf {
	if !whole {
		return UsersOf{Fault: fmt.Sprintf("the Secret has more than %d users", htpasswd.MaxUsers)}
	}
	return UsersOf{Users: policy.NewUsers(hashes), Unusable: unusable}
}
