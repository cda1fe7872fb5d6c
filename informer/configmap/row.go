package configmap

import (
	"slices"
	"strings"

	"github.com/sluice-gateway/sluice/informer/annotation"
)

// Effect names what a key's value applies to.
type Effect string

// The Effects.
const (
	EffectAnnotation Effect = "default of the annotation" // of objects that are taken over
	EffectObjects    Effect = "objects of ingress-nginx's classes"
	EffectGateway    Effect = "the gateway"
	EffectNone       Effect = "none"
)

// Row is one key of the ConfigMap.
type Row struct {
	Key    string
	Effect Effect
	// Annotation is the key of the annotation that Effect is about, and Setting that of the gateway's configuration; "" for
	// another effect.
	Annotation, Setting string
	// Guards is true where objects are closed if a value that is not Default cannot be carried out.
	Guards bool
	// Value describes the form of values, and Default is ingress-nginx's, which asks for nothing that is not so anyway.
	Value, Default string
	// Set checks a value and puts it into r. An error is why it is refused, and what happens instead.
	Set func(r *reading, value string) error
	// Doc describes the effect, in sentences.
	Doc string
}

// rows are all Rows, one for each Key, sorted once the package is initialised.
var rows []Row

// add registers the Rows of one file, so that a new concern changes no other file.
func add(list ...Row) struct{} {
	rows = append(rows, list...)
	return struct{}{}
}

func init() {
	slices.SortFunc(rows, func(a, b Row) int { return strings.Compare(a.Key, b.Key) })
}

// find returns the Row of a key, nil where there is none.
func find(key string) *Row {
	i, ok := slices.BinarySearchFunc(rows, key, func(r Row, key string) int { return strings.Compare(r.Key, key) })
	if !ok {
		return nil
	}
	return &rows[i]
}

// missing reports that a Row's annotation has none of its own yet.
func (r *Row) missing() bool {
	if r.Annotation == "" {
		return false
	}
	known, _, _ := annotation.Check(r.Annotation, "")
	return !known
}
