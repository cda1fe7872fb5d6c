package policy

import (
	"fmt"
	"reflect"
	"strings"
)

// Named is the configuration of a filter of a program of others: a name, and settings of any type that is plain data. It
// spares such a program the three methods of Filter. The settings are compared by reflect.DeepEqual, and shown by their
// exported fields; one with the tag `show:"-"` is compared and not shown, because it holds what only the filter is to know.
type Named[T any] struct {
	Name Kind
	// Settings are not written to once the Filter is in a Policy.
	Settings T
	// Stage is where an object wants the filter to stand; "" for where its program has put it.
	Stage Stage
}

// Kind implements Filter.
func (n *Named[T]) Kind() Kind { return n.Name }

// MovedTo implements Mover.
func (n *Named[T]) MovedTo() Stage { return n.Stage }

// Equal implements Filter.
func (n *Named[T]) Equal(f Filter) bool {
	o, ok := f.(*Named[T])
	return ok && n.Stage == o.Stage && reflect.DeepEqual(n.Settings, o.Settings)
}

// At returns the same Filter, at the end of another Stage.
func (n *Named[T]) At(s Stage) Filter {
	moved := *n
	moved.Stage = s
	return &moved
}

// AppendText implements Filter.
func (n *Named[T]) AppendText(b []byte) []byte {
	var words []string
	if n.Stage != "" {
		words = append(words, "at", string(n.Stage))
	}
	v := reflect.ValueOf(n.Settings)
	if v.Kind() != reflect.Struct {
		words = append(words, Word(fmt.Sprint(n.Settings)))
	}
	for i := 0; v.Kind() == reflect.Struct && i < v.NumField(); i++ {
		field := v.Type().Field(i)
		if !field.IsExported() || field.Tag.Get("show") == "-" || v.Field(i).IsZero() {
			continue
		}
		words = append(words, strings.ToLower(field.Name), Word(fmt.Sprint(v.Field(i).Interface())))
	}
	return append(b, strings.Join(words, " ")...)
}
