package oracle

import "regexp"

// MatchExpressions returns the position of the first expression that matches a path as ingress-nginx has it match: from
// the start, without case, open at the end; -1 for none. "" matches everything, as a default backend does. It
// knows ASCII alone.
func MatchExpressions(texts []string, path string) int {
	for i, text := range texts {
		if text == "" || regexp.MustCompile("(?i)^"+text).MatchString(path) {
			return i
		}
	}
	return -1
}
