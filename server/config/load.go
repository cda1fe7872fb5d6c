package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"sigs.k8s.io/yaml"
)

// Load reads a configuration file over the defaults and validates the result. All errors are
// joined.
func Load(file string) (*Config, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	c, err := Parse(text)
	if err != nil {
		return nil, fmt.Errorf("configuration %s: %w", file, err)
	}
	return c, nil
}

// Parse reads YAML over the defaults and validates the result. All errors are joined.
func Parse(text []byte) (*Config, error) {
	c := Default()
	if err := c.merge(text); err != nil {
		return nil, err
	}
	if err := c.Validate(); err != nil {
		return nil, err
	}
	return c, nil
}

// Set applies one "key.path=value", as --set gives it. A list is written "a,b" or as YAML "[a, b]".
// The caller validates after the last Set.
func (c *Config) Set(assignment string) error {
	path, value, ok := strings.Cut(assignment, "=")
	if !ok {
		return fmt.Errorf("--set %s: write key.path=value, such as listen.http=:8080", assignment)
	}
	field, ok := c.lookup(path)
	if !ok {
		return fmt.Errorf("--set %s: %w", assignment, unknownKey(path))
	}
	var tree any = value
	if field.Kind() == reflect.Slice {
		list := []any{}
		if strings.HasPrefix(strings.TrimSpace(value), "[") {
			if err := yaml.UnmarshalStrict([]byte(value), &list); err != nil {
				return fmt.Errorf("--set %s: parse list: %w", assignment, err)
			}
			if err := onlyDocument([]byte(value)); err != nil {
				return fmt.Errorf("--set %s: %w", assignment, err)
			}
		} else {
			for item := range strings.SplitSeq(value, ",") {
				if item = strings.TrimSpace(item); item != "" {
					list = append(list, item)
				}
			}
		}
		tree = list
	}
	if field.Kind() == reflect.Int {
		if _, err := strconv.Atoi(value); err != nil {
			return fmt.Errorf("--set %s: %q is not a number", path, value)
		}
		tree = json.Number(value)
	}
	if field.Kind() == reflect.Bool {
		if value != "true" && value != "false" {
			return fmt.Errorf("--set %s: %q is neither true nor false", path, value)
		}
		tree = value == "true"
	}
	if err := decodeLeaf(tree, field, path); err != nil {
		return fmt.Errorf("--set %w", err)
	}
	return nil
}

// merge decodes YAML onto c. It walks the tree itself, not with a JSON decoder, so that every
// unknown key and every value of a wrong type is reported, by its full path, and so that key names
// are compared exactly (encoding/json ignores their case).
func (c *Config) merge(text []byte) error {
	asJSON, err := yaml.YAMLToJSONStrict(text)
	if err != nil {
		return fmt.Errorf("parse YAML: %w", err)
	}
	if err := onlyDocument(text); err != nil {
		return err
	}
	decoder := json.NewDecoder(bytes.NewReader(asJSON))
	decoder.UseNumber()
	var tree any
	if err := decoder.Decode(&tree); err != nil {
		return fmt.Errorf("parse YAML: %w", err)
	}
	if tree == nil {
		return nil
	}
	return decodeInto(tree, reflect.ValueOf(c).Elem(), "")
}

// decodeInto sets v, at path, from tree. A null leaves the default.
func decodeInto(tree any, v reflect.Value, path string) error {
	if tree == nil {
		return nil
	}
	if v.Kind() != reflect.Struct {
		return decodeLeaf(tree, v, path)
	}
	object, ok := tree.(map[string]any)
	if !ok {
		where := path
		if where == "" {
			where = "the file"
		}
		return fmt.Errorf("%s: want keys below it, not %s", where, kindOf(tree))
	}
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(object)) {
		child := join(path, name)
		field, ok := fieldByName(v, name)
		if !ok {
			errs = append(errs, unknownKey(child))
			continue
		}
		errs = append(errs, decodeInto(object[name], field, child))
	}
	return errors.Join(errs...)
}

// decodeLeaf sets a value that has no keys below it.
func decodeLeaf(tree any, v reflect.Value, path string) error {
	text, err := json.Marshal(tree)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	fresh := reflect.New(v.Type())
	if err := json.Unmarshal(text, fresh.Interface()); err != nil {
		if _, mismatch := errors.AsType[*json.UnmarshalTypeError](err); mismatch {
			return fmt.Errorf("%s: want %s, not %s %s", path, typeName(v.Type()), kindOf(tree), text)
		}
		return fmt.Errorf("%s: %w", path, err)
	}
	v.Set(fresh.Elem())
	return nil
}

// lookup finds the leaf at a dotted path.
func (c *Config) lookup(path string) (reflect.Value, bool) {
	v := reflect.ValueOf(c).Elem()
	for name := range strings.SplitSeq(path, ".") {
		if v.Kind() != reflect.Struct {
			return v, false
		}
		field, ok := fieldByName(v, name)
		if !ok {
			return v, false
		}
		v = field
	}
	return v, v.Kind() != reflect.Struct
}

// fieldByName finds a struct field by its JSON name.
func fieldByName(v reflect.Value, name string) (reflect.Value, bool) {
	for i := range v.NumField() {
		if v.Type().Field(i).Tag.Get("json") == name {
			return v.Field(i), true
		}
	}
	return reflect.Value{}, false
}

// unknownKey reports that path is no key, and names the nearest one that is.
func unknownKey(path string) error {
	best, distance := "", len(path)/2+1
	for _, k := range keys {
		if d := editDistance(path, k.Path); d < distance {
			best, distance = k.Path, d
		}
	}
	if best == "" {
		return fmt.Errorf("%s: unknown key; CONFIG.md lists them all", path)
	}
	return fmt.Errorf("%s: unknown key; did you mean %s?", path, best)
}

// editDistance counts the single-byte edits from a to b.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(diagonal+cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// join extends a dotted path.
func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// typeName describes the content of a leaf in words.
func typeName(t reflect.Type) string {
	switch {
	case t == reflect.TypeFor[Size]():
		return "size"
	case t == reflect.TypeFor[Duration]():
		return "duration"
	case t.Kind() == reflect.Slice:
		return "list of text"
	case t.Kind() == reflect.Int:
		return "whole number"
	case t.Kind() == reflect.Bool:
		return "true or false"
	}
	return "text"
}

// kindOf describes the content of a tree in words.
func kindOf(tree any) string {
	switch tree.(type) {
	case map[string]any:
		return "keys"
	case []any:
		return "a list"
	case bool:
		return "a true or false"
	case json.Number:
		return "the number"
	}
	return "the text"
}
