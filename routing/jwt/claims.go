package jwt

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Claims are what a token says. Immutable.
type Claims struct {
	all map[string]any
	// Until is when the token ceases to be taken.
	Until time.Time
}

// maxTime bounds times, so that they can be computed with: the year 9999.
const maxTime = 253402300799

// time returns a claim that is a time; ok is false where it is something else.
func (c *Claims) time(name string) (t time.Time, there, ok bool) {
	value, there := c.all[name]
	if !there {
		return t, false, true
	}
	seconds, ok := value.(float64)
	if !ok || math.IsNaN(seconds) || seconds < 0 || seconds > maxTime {
		return t, true, false
	}
	return time.Unix(int64(seconds), 0), true, true
}

// isFor reports whether the token is for one of the audiences.
func (c *Claims) isFor(audiences []string) bool {
	switch aud := c.all["aud"].(type) {
	case string:
		return slices.Contains(audiences, aud)
	case []any:
		return slices.ContainsFunc(aud, func(one any) bool {
			name, ok := one.(string)
			return ok && slices.Contains(audiences, name)
		})
	}
	return false
}

// find returns a claim by its name, or, where there is none of that name, by the names on the way to it with dots between.
func (c *Claims) find(path string) any {
	if value, there := c.all[path]; there {
		return value
	}
	within := c.all
	for {
		name, rest, more := strings.Cut(path, ".")
		value := within[name]
		if !more {
			return value
		}
		next, ok := value.(map[string]any)
		if !ok {
			return nil
		}
		within, path = next, rest
	}
}

// Has reports whether a claim is a value, or a list with it. Lists of words, which scope and scp are, are lists.
func (c *Claims) Has(path, value string) bool {
	if list, ok := c.find(path).([]any); ok {
		return slices.ContainsFunc(list, func(one any) bool {
			text, ok := textOf(one)
			return ok && text == value
		})
	}
	text, ok := textOf(c.find(path))
	if ok && (path == "scope" || path == "scp") {
		return slices.Contains(strings.Fields(text), value)
	}
	return ok && text == value
}

// Text returns a claim as the value of a field; ok is false where it has none. Elements of a list have commas between: a list with
// a comma in an element has no text, because the element would be read as two. Text that no field can have is none either.
func (c *Claims) Text(path string) (text string, ok bool) {
	list, isList := c.find(path).([]any)
	if !isList {
		text, ok = textOf(c.find(path))
		return text, ok && sendable(text)
	}
	parts := make([]string, len(list))
	for i, one := range list {
		if parts[i], ok = textOf(one); !ok || strings.Contains(parts[i], ",") || !sendable(parts[i]) {
			return "", false
		}
	}
	return strings.Join(parts, ","), true
}

// textOf returns a text, a number or a truth value as text.
func textOf(value any) (string, bool) {
	switch v := value.(type) {
	case string:
		return v, true
	case bool:
		return strconv.FormatBool(v), true
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64), true
	}
	return "", false
}

// sendable reports whether text can be the value of a field, or a part of one.
func sendable(text string) bool {
	return strings.TrimSpace(text) == text && !strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f })
}
