package source

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"reflect"
	"strings"
	"syscall"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation"
)

// maxManifest bounds one file, because it is read into memory as a whole, and takes some twenty times its
// size while it is read: 10,000 Ingresses as kubectl prints them are 30 MiB.
const maxManifest = 64 << 20

// manifestKinds are the kinds that a directory may hold, with the one version of each. Objects of
// the kinds that no Snapshot is made of yet are still checked.
var manifestKinds = map[string]string{
	"Ingress":       networkingv1.SchemeGroupVersion.String(),
	"IngressClass":  networkingv1.SchemeGroupVersion.String(),
	"Service":       corev1.SchemeGroupVersion.String(),
	"EndpointSlice": discoveryv1.SchemeGroupVersion.String(),
	"Secret":        corev1.SchemeGroupVersion.String(),
	"ConfigMap":     corev1.SchemeGroupVersion.String(),
	"Namespace":     corev1.SchemeGroupVersion.String(),
}

// kindTypes are the Go types of manifestKinds.
var kindTypes = map[string]reflect.Type{
	"Ingress":       reflect.TypeFor[networkingv1.Ingress](),
	"IngressClass":  reflect.TypeFor[networkingv1.IngressClass](),
	"Service":       reflect.TypeFor[corev1.Service](),
	"EndpointSlice": reflect.TypeFor[discoveryv1.EndpointSlice](),
	"Secret":        reflect.TypeFor[corev1.Secret](),
	"ConfigMap":     reflect.TypeFor[corev1.ConfigMap](),
	"Namespace":     reflect.TypeFor[corev1.Namespace](),
}

// strictDecoder knows exactly manifestKinds, and refuses unknown and repeated fields.
var strictDecoder = func() runtime.Decoder {
	scheme := runtime.NewScheme()
	scheme.AddKnownTypes(networkingv1.SchemeGroupVersion, &networkingv1.Ingress{}, &networkingv1.IngressClass{})
	scheme.AddKnownTypes(discoveryv1.SchemeGroupVersion, &discoveryv1.EndpointSlice{})
	scheme.AddKnownTypes(corev1.SchemeGroupVersion, &corev1.Service{}, &corev1.Secret{}, &corev1.ConfigMap{}, &corev1.Namespace{})
	return serializer.NewCodecFactory(scheme, serializer.EnableStrict).UniversalDeserializer()
}()

// decodeFile reads the objects of a manifest file.
func decodeFile(path string) (events []Event, skipped []Skipped, err error) {
	// Without O_NONBLOCK the opening of a FIFO that took the file's place would wait for a writer.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, nil, plainPathError(err)
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, nil, plainPathError(err)
	case !info.Mode().IsRegular():
		return nil, nil, errors.New(irregular(info.Mode()))
	case info.Size() > maxManifest:
		return nil, nil, errTooLarge
	}
	text, err := io.ReadAll(io.LimitReader(f, maxManifest+1))
	if err != nil {
		return nil, nil, plainPathError(err)
	}
	if len(text) > maxManifest {
		return nil, nil, errTooLarge
	}
	return Decode(text)
}

var errTooLarge = fmt.Errorf("the file is larger than %d MiB; split it", maxManifest>>20)

// plainPathError drops the path, which the Fault has already.
func plainPathError(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		err = p.Err
	}
	return fmt.Errorf("it cannot be read: %w", err)
}

// Decode reads all objects of a manifest: several documents, and Lists of objects. skipped has the
// objects of other kinds. It fails as a whole, so that a file never takes effect in part.
func Decode(raw []byte) (events []Event, skipped []Skipped, err error) {
	text, err := plainText(raw)
	if err != nil {
		return nil, nil, err
	}
	var d decoder
	n := 0
	err = documents(text, func(doc document) error {
		n++
		d.place = fmt.Sprintf("document %d", n)
		if err := d.document(doc); err != nil {
			return fmt.Errorf("%s: %w", d.place, err)
		}
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	return d.events, d.skipped, nil
}

// maxListDepth bounds Lists in Lists.
const maxListDepth = 4

// decoder gathers the objects of a file.
type decoder struct {
	events  []Event
	skipped []Skipped
	// place is the present object's position in the file.
	place string
}

func (d *decoder) document(doc document) error {
	if len(doc.repeated) > 0 {
		return repeatedFault(doc)
	}
	return d.object(doc.tree, typeMeta{}, 0)
}

// typeMeta is an object's own apiVersion and kind.
type typeMeta struct{ apiVersion, kind string }

// object reads one object, or the List that it is. assumed is the type of a typed List's element that
// does not have its own.
func (d *decoder) object(tree any, assumed typeMeta, depth int) error {
	if tree == nil {
		return nil
	}
	object, ok := tree.(map[string]any)
	if !ok {
		return errors.New("not an object: want a mapping with apiVersion and kind, not " + nameOf(tree))
	}
	typ, err := typeOf(object, assumed)
	if err != nil {
		return err
	}
	if item, ok := listItem(typ); ok {
		return d.list(object, typ, item, depth)
	}
	want, ours := manifestKinds[typ.kind]
	if !ours || typ.apiVersion != want {
		if ours && sameGroupKind(typ.kind, typ.apiVersion) {
			return fmt.Errorf("%s of apiVersion %s is not supported: want %s", describe(typ.kind, object), typ.apiVersion, want)
		}
		d.skip(object, typ)
		return nil
	}
	return d.known(object, typ)
}

// typeOf reads apiVersion and kind, and sets them where they are assumed.
func typeOf(object map[string]any, assumed typeMeta) (typ typeMeta, err error) {
	for _, f := range []struct {
		name    string
		to      *string
		assumed string
	}{{"apiVersion", &typ.apiVersion, assumed.apiVersion}, {"kind", &typ.kind, assumed.kind}} {
		value, there := object[f.name]
		if (!there || value == nil) && f.assumed != "" {
			value = f.assumed
			object[f.name] = value
		}
		text, ok := value.(string)
		if !ok || text == "" {
			return typ, errors.New("kind and apiVersion are required, as text")
		}
		if !plainName.MatchString(text) {
			return typ, errors.New(f.name + " is no name; see whether the lines below it are indented as they should be")
		}
		*f.to = text
	}
	return typ, nil
}

// listItem recognises Lists: List itself, and those of one kind that the API server returns, whose
// elements need not have a kind.
func listItem(typ typeMeta) (item typeMeta, ok bool) {
	kind, isList := strings.CutSuffix(typ.kind, "List")
	switch {
	case !isList:
		return typeMeta{}, false
	case kind == "":
		return typeMeta{}, typ.apiVersion == "v1"
	}
	want, ours := manifestKinds[kind]
	if !ours || want != typ.apiVersion && !sameGroupKind(kind, typ.apiVersion) {
		return typeMeta{}, false
	}
	return typeMeta{typ.apiVersion, kind}, true
}

func (d *decoder) list(object map[string]any, typ, item typeMeta, depth int) error {
	if depth == maxListDepth {
		return fmt.Errorf("more than %d Lists within each other", maxListDepth)
	}
	var s shape
	s.check(reflect.TypeFor[struct {
		metav1.TypeMeta
		Metadata metav1.ListMeta `json:"metadata"`
		Items    []any           `json:"items"`
	}](), object, "")
	if fault := s.text(); fault != "" {
		return fmt.Errorf("%s: %s", typ.kind, fault)
	}
	items, _ := object["items"].([]any)
	place := d.place
	for i, element := range items {
		d.place = fmt.Sprintf("%s, items[%d]", place, i)
		if err := d.object(element, item, depth+1); err != nil {
			return err
		}
		items[i] = nil
	}
	d.place = place
	return nil
}

// known reads an object of one of our kinds.
func (d *decoder) known(object map[string]any, typ typeMeta) error {
	named := describe(typ.kind, object)
	// In the form that the event will have.
	if kind, name, ok := strings.Cut(named, " "); ok && !strings.Contains(name, "/") && kind != "IngressClass" && kind != "Namespace" {
		named = kind + " " + metav1.NamespaceDefault + "/" + name
	}
	s := shape{secret: typ.kind == "Secret"}
	s.check(kindTypes[typ.kind], object, "")
	if fault := s.text(); fault != "" {
		return fmt.Errorf("%s: %s", named, fault)
	}
	text, err := json.Marshal(object)
	if err != nil {
		return fmt.Errorf("%s: it cannot be written as JSON", named)
	}
	decoded, _, err := strictDecoder.Decode(text, nil, nil)
	if err != nil {
		// An error that shape has not found; the decoder's own text may repeat the input.
		return fmt.Errorf("%s: it is no %s of %s", named, typ.kind, typ.apiVersion)
	}
	e, err := manifestEvent(decoded)
	if err != nil {
		return fmt.Errorf("%s: %w", named, err)
	}
	if e.Object != nil {
		d.events = append(d.events, e)
	}
	return nil
}

// describe names an object for a message, as far as it has a name.
func describe(kind string, object map[string]any) string {
	o := Object{Kind: kind}
	if meta, ok := object["metadata"].(map[string]any); ok {
		if name, _ := meta["name"].(string); plainName.MatchString(name) {
			o.Name = name
			if namespace, _ := meta["namespace"].(string); plainName.MatchString(namespace) {
				o.Namespace = namespace
			}
		}
	}
	return strings.TrimSuffix(o.String(), " ")
}

// sameGroupKind tells an old version of our kinds from a foreign kind of the same name, such as
// Knative's Service.
func sameGroupKind(kind, apiVersion string) bool {
	switch apiVersion {
	case "extensions/v1beta1", "networking.k8s.io/v1beta1":
		return kind == "Ingress" || kind == "IngressClass"
	case "discovery.k8s.io/v1beta1":
		return kind == "EndpointSlice"
	}
	return false
}

// manifestEvent names an object as the API server would: without a namespace it is in "default". The
// event's object is nil for kinds that no Snapshot is made of.
func manifestEvent(object runtime.Object) (Event, error) {
	meta := object.(metav1.Object)
	switch name, namespace := meta.GetName(), meta.GetNamespace(); {
	case name == "":
		return Event{}, errors.New("metadata.name is required")
	case len(validation.IsDNS1123Subdomain(name)) > 0:
		return Event{}, errors.New("metadata.name: want lower-case letters, digits, \"-\" and \".\", as the API server does")
	case namespace != "" && len(validation.IsDNS1123Label(namespace)) > 0:
		return Event{}, errors.New("metadata.namespace: want lower-case letters, digits and \"-\", as the API server does")
	}
	name := types.NamespacedName{Namespace: meta.GetNamespace(), Name: meta.GetName()}
	if name.Namespace == "" {
		name.Namespace = metav1.NamespaceDefault
	}
	meta.SetManagedFields(nil)
	switch o := object.(type) {
	case *networkingv1.Ingress:
		o.Namespace = name.Namespace
		return Event{Key{Ingress, name}, o}, nil
	case *networkingv1.IngressClass:
		return Event{Key{Class, types.NamespacedName{Name: name.Name}}, o}, nil
	case *corev1.Service:
		o.Namespace = name.Namespace
		return Event{Key{Service, name}, o}, nil
	case *discoveryv1.EndpointSlice:
		o.Namespace = name.Namespace
		return Event{Key{Slice, name}, o}, nil
	case *corev1.Secret:
		o.Namespace = name.Namespace
		// The API server merges these on a write.
		for key, value := range o.StringData {
			if o.Data == nil {
				o.Data = make(map[string][]byte)
			}
			o.Data[key] = []byte(value)
		}
		o.StringData = nil
		return Event{Key{Secret, name}, o}, nil
	case *corev1.ConfigMap:
		o.Namespace = name.Namespace
		return Event{Key{ConfigMap, name}, o}, nil
	}
	return Event{}, nil
}
