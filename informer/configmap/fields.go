package configmap

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/sluice-gateway/sluice/informer/annotation"
	"github.com/sluice-gateway/sluice/routing"
	"github.com/sluice-gateway/sluice/routing/policy"
)

// setHeaders is the key that names the ConfigMap of RequestFields.
const setHeaders = "proxy-set-headers"

// addHeaders is the key that names the ConfigMap of fields for responses, which are the default of the annotation setOfResponses.
const (
	addHeaders     = "add-headers"
	setOfResponses = "response-headers-set"
)

// Fields that ConfigMaps of their own have.
var _ = add(
	Row{
		Key: addHeaders, Effect: EffectAnnotation, Annotation: setOfResponses, Value: "namespace/name of a ConfigMap",
		Set: func(r *reading, value string) error {
			if known, _, _ := annotation.Check(setOfResponses, ""); !known && value != "" {
				return errors.New("the annotation " + setOfResponses + " is not carried out yet; no field is set")
			}
			return named(addHeaders, "no field is set")(r, value)
		},
		Doc: "Fields of every response, instead of a Backend's of the same names: the keys of that ConfigMap. Variables are not supported: a field with one is not set. " +
			"Fields that frame a message are refused.",
	},
	Row{
		Key: "global-allowed-response-headers", Effect: EffectObjects, Value: "names of fields, with commas between",
		Set: func(_ *reading, value string) error {
			if value == "" {
				return nil
			}
			return errors.New("the annotation custom-headers, which it is about, is not carried out yet; objects with that answer 503")
		},
		Doc: "The fields that custom-headers may add. That annotation is not carried out yet, and closes its object.",
	},
	Row{
		Key: setHeaders, Effect: EffectObjects, Value: "namespace/name of a ConfigMap",
		Set: named(setHeaders, "no field is set"),
		Doc: "Fields that Backends are sent, instead of a client's of the same names: the keys of that ConfigMap, with nginx's variables in the values (" +
			strings.Join(shown(policy.FieldVariables), ", ") + "). A field with the value \"\" is sent to no Backend. " +
			"Fields that frame a message, or that say who the client is, are refused.",
	},
)

// shown are variables as they are written.
func shown(list policy.Variables) (names []string) {
	for _, v := range list {
		if strings.HasSuffix(v, "_") {
			v += "NAME"
		}
		names = append(names, "$"+v)
	}
	slices.Sort(names)
	return names
}

// named makes the Set of a Row whose value is the name of a ConfigMap.
func named(key, otherwise string) func(*reading, string) error {
	return func(r *reading, value string) error {
		if value == "" {
			return nil
		}
		namespace, name, ok := strings.Cut(value, "/")
		if !ok || namespace == "" || name == "" || strings.Contains(name, "/") {
			return errors.New("want namespace/name of a ConfigMap; " + otherwise)
		}
		r.Named[key] = routing.ObjectName{Namespace: namespace, Name: name}
		return nil
	}
}

// Named reads the data of the ConfigMap that a key names into the defaults of objects, and calls reject with key, value and reason
// for each field that is not set.
func Named(key string, data map[string]string, into *annotation.Defaults, reject func(key, value, reason string)) {
	if key == setHeaders {
		into.RequestFields = RequestFields(data, reject)
		return
	}
	var lines []string
	for _, name := range slices.Sorted(maps.Keys(data)) {
		line := name + ": " + data[name]
		_, _, err := annotation.Check(setOfResponses, line)
		switch {
		case strings.ContainsAny(line, "\r\n"):
			reject(name, data[name], "want one line; the field is not set")
		case strings.Contains(data[name], "$"):
			reject(name, data[name], "variables are not supported; the field is not set")
		case err != nil:
			reject(name, data[name], err.Error())
		case len(lines) == maxFields:
			reject(name, data[name], fmt.Sprintf("%d fields at most are set; the field is not set", maxFields))
		default:
			lines = append(lines, line)
		}
	}
	if len(lines) > 0 {
		into.Values[setOfResponses] = strings.Join(lines, "\n")
	}
}

// maxFields bounds the fields that a ConfigMap sets, and maxValue the length of one's text.
const (
	maxFields = 64
	maxValue  = 4096
)

// RequestFields reads the data of the ConfigMap that proxy-set-headers names, and calls reject with key, value and reason for each
// field that is not set. nil is none.
func RequestFields(data map[string]string, reject func(key, value, reason string)) *policy.RequestFields {
	var list []policy.FieldTemplate
	seen := make(map[string]bool)
	for _, name := range slices.Sorted(maps.Keys(data)) {
		value := data[name]
		err := policy.ValidField(name, value)
		if err == nil {
			_, err = policy.ParseTemplate(value, policy.FieldVariables)
		}
		switch lower := strings.ToLower(name); {
		case err != nil:
		case len(value) > maxValue:
			err = fmt.Errorf("it is longer than %d bytes", maxValue)
		case seen[lower]:
			err = errors.New("the name stands here twice, in other spellings")
		case len(list) == maxFields:
			err = fmt.Errorf("%d fields at most are set", maxFields)
		default:
			seen[lower] = true
			list = append(list, policy.FieldTemplate{Name: name, Value: value})
		}
		if err != nil {
			reject(name, value, err.Error()+"; the field is not set")
		}
	}
	if len(list) == 0 {
		return nil
	}
	return &policy.RequestFields{Fields: list}
}
