package oracle

import (
	"net/url"
	"slices"
	"strings"

	"github.com/sluice-gateway/sluice/routing"
)

// MatchSpelled is Match for paths as Ingresses and clients spell them. Routes that no request can
// match are skipped. refused is true for a request that has no path.
func MatchSpelled(routes []routing.Route, host, path string) (best int, refused bool) {
	request, ok := Decode(path)
	if !ok {
		return -1, true
	}
	var meant []routing.Route
	var positions []int
	for i, r := range routes {
		if !r.Default {
			if r.Path, ok = DecodeRoute(r.Path); !ok {
				continue
			}
		}
		meant, positions = append(meant, r), append(positions, i)
	}
	if best = Match(meant, host, request); best >= 0 {
		best = positions[best]
	}
	return best, false
}

// DecodeRoute is Decode for the path of an Ingress, where a space may stand for itself.
func DecodeRoute(spelled string) (path string, ok bool) {
	return Decode(strings.ReplaceAll(spelled, " ", "%20"))
}

// Decode returns what all spellings of a URL path have in common: RFC 3986, section 6.2.2.2 (escapes)
// and 6.2.2.3 (dot segments). Ours, and nginx': an escaped slash separates, and empty segments count
// for nothing.
func Decode(spelled string) (path string, ok bool) {
	if spelled == "" {
		return "/", true
	}
	// "The path component [...] is terminated by the first question mark or number sign character, or by
	// the end of the URI" (section 3.3), and holds neither spaces nor control characters.
	end := strings.IndexFunc(spelled, func(r rune) bool { return r <= ' ' || r == 0x7f || r == '?' || r == '#' })
	if spelled[0] != '/' || end >= 0 {
		return "", false
	}
	decoded, err := url.PathUnescape(spelled)
	if err != nil || strings.Contains(decoded, "\x00") {
		return "", false
	}
	segments := strings.Split(decoded, "/")
	last := segments[len(segments)-1]
	var kept []string
	for _, s := range segments {
		switch s {
		case "", ".":
		case "..":
			if len(kept) == 0 {
				return "", false
			}
			kept = kept[:len(kept)-1]
		default:
			kept = append(kept, s)
		}
	}
	path = "/" + strings.Join(kept, "/")
	if len(kept) > 0 && slices.Contains([]string{"", ".", ".."}, last) {
		path += "/"
	}
	return path, true
}
