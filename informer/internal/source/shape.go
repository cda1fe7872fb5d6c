package source

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// maxFaults bounds the faults reported of one object.
const maxFaults = 5

// shape compares a tree with a type, and reports the differences: the field as kubectl explain spells
// it, with positions and keys, and its expected form, in words of YAML rather than Go. It never repeats
// a value, because it may be a Secret's.
type shape struct {
	// secret hides keys without a value, too: in a Secret that is torn they are pieces of values.
	secret bool

	faults []string
	more   int
}

// check adds the faults of value, at path, as a t.
func (s *shape) check(t reflect.Type, value any, path string) {
	if value == nil {
		// A null field is not set.
		return
	}
	if t.Kind() == reflect.Pointer {
		s.check(t.Elem(), value, path)
		return
	}
	switch {
	case s.checkOwn(t, value, path):
	case t.Kind() == reflect.Struct:
		s.checkStruct(t, value, path)
	case t.Kind() == reflect.Map:
		s.checkMap(t, value, path)
	case t.Kind() == reflect.Slice:
		s.checkList(t, value, path)
	default:
		s.checkScalar(t, value, path)
	}
}

// checkOwn checks a type that reads JSON in its own way, and reports whether t is one.
func (s *shape) checkOwn(t reflect.Type, value any, path string) bool {
	switch t {
	case reflect.TypeFor[metav1.Time](), reflect.TypeFor[metav1.MicroTime]():
		text, ok := value.(string)
		if _, err := time.Parse(time.RFC3339, text); !ok || err != nil {
			s.fault(path, "want a time such as 2006-01-02T15:04:05Z")
		}
		return true
	case reflect.TypeFor[intstr.IntOrString]():
		if _, text := value.(string); !text && !wholeNumber(value, 32) {
			s.fault(path, "want a name, or a whole number"+ofBits(value, 32))
		}
		return true
	}
	return reflect.PointerTo(t).Implements(reflect.TypeFor[json.Unmarshaler]())
}

func (s *shape) checkMap(t reflect.Type, value any, path string) {
	object, ok := value.(map[string]any)
	if !ok {
		s.fault(path, "want a mapping, not "+nameOf(value))
		return
	}
	for _, key := range slices.Sorted(maps.Keys(object)) {
		s.check(t.Elem(), object[key], path+"["+shownKey(key)+"]")
	}
}

func (s *shape) checkList(t reflect.Type, value any, path string) {
	if t.Elem().Kind() == reflect.Uint8 {
		text, ok := value.(string)
		if _, err := base64.StdEncoding.DecodeString(text); !ok || err != nil {
			s.fault(path, "want base64; plain text belongs into stringData")
		}
		return
	}
	list, ok := value.([]any)
	if !ok {
		s.fault(path, "want a list, not "+nameOf(value))
		return
	}
	for i, element := range list {
		s.check(t.Elem(), element, fmt.Sprintf("%s[%d]", path, i))
	}
}

func (s *shape) checkScalar(t reflect.Type, value any, path string) {
	switch t.Kind() {
	case reflect.String:
		if _, ok := value.(string); ok {
			return
		}
		reason := "want text, not " + nameOf(value)
		switch value.(type) {
		case map[string]any, []any:
		default:
			reason += "; put it in quotes"
		}
		s.fault(path, reason)
	case reflect.Bool:
		if _, ok := value.(bool); !ok {
			s.fault(path, "want true or false, not "+nameOf(value))
		}
	case reflect.Int32, reflect.Int64:
		if !wholeNumber(value, t.Bits()) {
			s.fault(path, "want a whole number"+ofBits(value, t.Bits()))
		}
	}
}

func (s *shape) checkStruct(t reflect.Type, value any, path string) {
	object, ok := value.(map[string]any)
	if !ok {
		s.fault(path, "want a mapping, not "+nameOf(value))
		return
	}
	fields := fieldsOf(t)
	for _, key := range slices.Sorted(maps.Keys(object)) {
		at := shownKey(key)
		if path != "" {
			at = path + "." + at
		}
		field, known := fields[key]
		if !known {
			if s.secret && object[key] == nil {
				s.fault(path, "a key without a value that is no field")
				continue
			}
			reason := "no such field"
			if near := nearest(key, maps.Keys(fields)); near != "" {
				reason += "; did you mean " + near + "?"
			}
			s.fault(at, reason)
			continue
		}
		s.check(field, object[key], at)
	}
}

// typeFields has the fields of each struct met so far, by their names in JSON.
var typeFields sync.Map

func fieldsOf(t reflect.Type) map[string]reflect.Type {
	if known, ok := typeFields.Load(t); ok {
		return known.(map[string]reflect.Type)
	}
	found := make(map[string]reflect.Type)
	addFields(t, found)
	typeFields.Store(t, found)
	return found
}

// addFields adds the fields of a struct by their names in JSON.
func addFields(t reflect.Type, fields map[string]reflect.Type) {
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case name == "-":
		case name == "" && f.Anonymous:
			addFields(f.Type, fields)
		case name != "":
			fields[name] = f.Type
		}
	}
}

func (s *shape) fault(path, reason string) {
	if len(s.faults) == maxFaults {
		s.more++
		return
	}
	if path != "" {
		reason = path + ": " + reason
	}
	s.faults = append(s.faults, reason)
}

// text is all faults in a line, "" for none.
func (s *shape) text() string {
	text := strings.Join(s.faults, "; ")
	if s.more > 0 {
		text += fmt.Sprintf("; and %d more", s.more)
	}
	return text
}

// wholeNumber accepts what the decoder of JSON accepts for an integer of so many bits.
func wholeNumber(value any, bits int) bool {
	limit := math.Ldexp(1, bits-1)
	switch v := value.(type) {
	case int:
		return float64(v) >= -limit && float64(v) < limit
	case int64:
		return float64(v) >= -limit && float64(v) < limit
	case float64:
		// JSON writes numbers without a fraction up to this size.
		return v == math.Trunc(v) && v >= -limit && v < limit && math.Abs(v) < 1e21
	case json.Number:
		_, err := strconv.ParseInt(v.String(), 10, bits)
		return err == nil
	}
	return false
}

// nameOf names the kind of a value.
func nameOf(value any) string {
	switch value.(type) {
	case string:
		return "text"
	case bool:
		return "true or false"
	case map[string]any:
		return "a mapping"
	case []any:
		return "a list"
	}
	return "a number"
}

// ofBits ends "want a whole number" for a value that is none.
func ofBits(value any, bits int) string {
	if name := nameOf(value); name != "a number" {
		return ", not " + name
	}
	return fmt.Sprintf(" of at most %d bits", bits)
}

// shownKey is a key that may stand in a message, or a placeholder for one.
func shownKey(key string) string {
	if plainKey.MatchString(key) {
		return key
	}
	return "(a key)"
}
