package clienthello_test

import "regexp"

var hostName = regexp.MustCompile(`^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*$`)

// isHostName is the promise of ServerName, said in another way.
func isHostName(s string) bool { return s == "" || len(s) <= 253 && hostName.MatchString(s) }
