package htpasswd

import "strings"

// MaxUsers bounds the users of one file.
const MaxUsers = 10_000

// Read returns the hashes of a file by user, and how many lines name none that can be used. whole is false where there are
// more than MaxUsers.
//
// Lines are read as nginx reads them: a hash ends at a second colon too, and a line without a colon names nobody.
func Read(text string) (users map[string]string, unusable int, whole bool) {
	users = make(map[string]string)
	for line := range strings.SplitSeq(text, "\n") {
		if line == "" || line[0] == '#' || line[0] == '\r' {
			continue
		}
		name, rest, ok := strings.Cut(line, ":")
		if _, before := users[name]; before && ok {
			continue
		}
		hash := rest
		if i := strings.IndexAny(rest, ":\r"); i >= 0 {
			hash = rest[:i]
		}
		if !ok || name == "" || !Valid(hash) {
			unusable++
			if ok && name != "" {
				users[name] = "" // the first line counts, and nobody is let in by a later one
			}
			continue
		}
		if users[name] = strings.Clone(hash); len(users) > MaxUsers {
			return nil, 0, false
		}
	}
	for name, hash := range users {
		if hash == "" {
			delete(users, name)
		}
	}
	return users, unusable, true
}

// ReadMap is Read for a map of hashes by user: each value is what stands behind the name in a file.
func ReadMap(data map[string][]byte) (users map[string]string, unusable int, whole bool) {
	if len(data) > MaxUsers {
		return nil, 0, false
	}
	users = make(map[string]string, len(data))
	for name, value := range data {
		hash := string(value)
		if i := strings.IndexAny(hash, ":\r\n"); i >= 0 {
			hash = hash[:i]
		}
		if name == "" || strings.Contains(name, ":") || !Valid(hash) {
			unusable++
			continue
		}
		users[name] = hash
	}
	return users, unusable, true
}
