package configmap

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/sluice-gateway/sluice/informer/annotation"
	"github.com/sluice-gateway/sluice/routing"
)

// Settings are what a ConfigMap asks for. The zero value asks for nothing. Immutable once read.
type Settings struct {
	// Objects are for the objects that are taken over from ingress-nginx.
	Objects annotation.Defaults
	// Gateway are values of keys of the gateway's configuration, as its option --set has them.
	Gateway map[string]string
	// Named are the ConfigMaps that values name, by the key that does.
	Named map[string]routing.ObjectName
}

// Equal reports whether s and o ask for the same.
func (s *Settings) Equal(o *Settings) bool { return reflect.DeepEqual(s, o) }

// Check reports why the gateway's configuration does not take a value of one of its keys, nil where it does.
type Check func(setting, value string) error

// reading is what is known while a ConfigMap is read.
type reading struct {
	Settings
	data  map[string]string
	check Check
}

// Read reads the data of a ConfigMap, and calls reject with key, value and reason for each that cannot be kept as it is.
func Read(data map[string]string, check Check, reject func(key, value, reason string)) *Settings {
	r := &reading{data: data, check: check, Settings: Settings{
		Objects: annotation.Defaults{Values: make(map[string]string), GlobalAuth: make(map[string]string)},
		Gateway: make(map[string]string), Named: make(map[string]routing.ObjectName),
	}}
	for _, key := range slices.Sorted(maps.Keys(data)) {
		row := find(key)
		if row == nil {
			reject(key, data[key], "no such key is known; it has no effect")
			continue
		}
		if err := row.Set(r, data[key]); err != nil {
			reject(key, data[key], err.Error())
		}
	}
	r.trust(reject)
	r.compress(reject)
	if r.Objects.GlobalAuth["auth-url"] == "" {
		clear(r.Objects.GlobalAuth)
	}
	return &r.Settings
}

// close makes every Route of every object answer 503, and returns the reason as an error. The first of several reasons is kept.
func (r *reading) close(reason string) error {
	if r.Objects.Closed == "" {
		r.Objects.Closed = reason
	}
	return errors.New(reason)
}

// closed ends the reasons of what closes all objects.
const closed = "; every path of every object of ingress-nginx's classes answers 503"

// asDefault makes the Row of a key that is the default of an annotation: of the same key, where name is "".
func asDefault(key, name, value, standard, doc string) Row {
	if name == "" {
		name = key
	}
	row := Row{Key: key, Effect: EffectAnnotation, Annotation: name, Value: value, Default: standard, Doc: doc}
	row.Set = func(r *reading, value string) error { return r.setDefault(&row, r.Objects.Values, value) }
	return row
}

// guarding is asDefault of a key that guards.
func guarding(key, name, value, standard, doc string) Row {
	row := asDefault(key, name, value, standard, doc)
	row.Guards = true
	row.Set = func(r *reading, value string) error { return r.setDefault(&row, r.Objects.Values, value) }
	return row
}

// setDefault puts the default of an annotation into values.
func (r *reading) setDefault(row *Row, values map[string]string, value string) error {
	known, closes, err := annotation.Check(row.Annotation, value)
	switch {
	case value == row.Default && (!known || err != nil), value == "":
		return nil // nothing is asked for
	case !known && row.Guards:
		return r.close("the annotation " + row.Annotation + " is not carried out yet, and this guards pages" + closed)
	case !known:
		return errors.New("the annotation " + row.Annotation + " is not carried out yet; it has no effect")
	case closes:
		// Every object that has this default closes itself, as by a value of its own.
		values[row.Annotation] = value
		return fmt.Errorf("%w; so it is for every object of ingress-nginx's classes without a value of its own", err)
	case err != nil && row.Guards:
		return r.close(err.Error() + closed)
	case err != nil:
		return fmt.Errorf("%w, also where an object says nothing", err)
	}
	values[row.Annotation] = value
	return nil
}

// setting makes the Row of a key that is one of the gateway's configuration. convert returns the value as that has it.
func setting(key, path, value, standard string, convert func(string) (string, error), doc string) Row {
	return Row{Key: key, Effect: EffectGateway, Setting: path, Value: value, Default: standard, Doc: doc,
		Set: func(r *reading, value string) error {
			text, err := convert(value)
			if err == nil {
				err = r.set(path, text)
			}
			if value == standard {
				return nil // what nginx does without the key: an unlike default of the gateway's is told nowhere either
			}
			return err
		}}
}

// set puts a value of the gateway's configuration in force, unless that refuses it.
func (r *reading) set(path, value string) error {
	if err := r.check(path, value); err != nil {
		return fmt.Errorf("%w; the gateway's own value is kept", err)
	}
	r.Gateway[path] = value
	return nil
}

// without makes the Row of a key that has no effect, for the reason why.
func without(key, standard, why string) Row {
	return Row{Key: key, Effect: EffectNone, Value: "anything", Default: standard, Doc: strings.ToUpper(why[:1]) + why[1:] + ".",
		Set: func(_ *reading, value string) error {
			if value == standard || value == "" {
				return nil
			}
			return errors.New(why + "; it has no effect")
		}}
}
