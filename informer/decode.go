package informer

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"

	"github.com/sluice-gateway/sluice/routing"
)

// maxManifest bounds one file, because it is read into memory as a whole.
const maxManifest = 256 << 20

// manifestKinds are the kinds that a directory may hold, with the one version of each. The object
// kinds that no Snapshot is made of yet are checked all the same.
var manifestKinds = map[string]string{
	"Ingress":       networkingv1.SchemeGroupVersion.String(),
	"IngressClass":  networkingv1.SchemeGroupVersion.String(),
	"Service":       corev1.SchemeGroupVersion.String(),
	"EndpointSlice": discoveryv1.SchemeGroupVersion.String(),
	"Secret":        corev1.SchemeGroupVersion.String(),
	"ConfigMap":     corev1.SchemeGroupVersion.String(),
	"Namespace":     corev1.SchemeGroupVersion.String(),
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
func decodeFile(path string) (events []event, ignored []string, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxManifest+1))
	if err != nil {
		return nil, nil, err
	}
	if len(text) > maxManifest {
		return nil, nil, fmt.Errorf("larger than %d MiB", maxManifest>>20)
	}
	return decode(text)
}

// decode reads all objects of a manifest: several documents, and Lists of objects. ignored names the
// kinds that were skipped because they are none of ours. It fails as a whole, so that a file never
// takes effect in part.
func decode(text []byte) (events []event, ignored []string, err error) {
	documents := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(text)))
	for n := 1; ; n++ {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return events, ignored, nil
		}
		if err == nil {
			events, ignored, err = decodeDocument(document, events, ignored)
		}
		if err != nil {
			return nil, nil, fmt.Errorf("document %d: %w", n, err)
		}
	}
}

func decodeDocument(document []byte, events []event, ignored []string) ([]event, []string, error) {
	text, err := yaml.YAMLToJSONStrict(document)
	if err != nil {
		return nil, nil, err
	}
	if string(text) == "null" {
		return events, ignored, nil
	}
	// Only the kind matters here: what else may not fit is the business of the strict decoder, or
	// of an object that is none of ours.
	var typ struct {
		metav1.TypeMeta
	}
	if err := json.Unmarshal(text, &typ); err != nil {
		return nil, nil, fmt.Errorf("not an object: %w", err)
	}
	if typ.Kind == "" || typ.APIVersion == "" {
		return nil, nil, errors.New("kind and apiVersion are required")
	}
	if typ.Kind == "List" && typ.APIVersion == "v1" {
		var list struct {
			Items []json.RawMessage `json:"items"`
		}
		if err := json.Unmarshal(text, &list); err != nil {
			return nil, nil, fmt.Errorf("read List: %w", err)
		}
		for i, item := range list.Items {
			if events, ignored, err = decodeDocument(item, events, ignored); err != nil {
				return nil, nil, fmt.Errorf("items[%d]: %w", i, err)
			}
		}
		return events, ignored, nil
	}
	want, ours := manifestKinds[typ.Kind]
	if !ours {
		return events, append(ignored, typ.Kind), nil
	}
	if typ.APIVersion != want {
		if sameGroupKind(typ.Kind, typ.APIVersion) {
			return nil, nil, fmt.Errorf("%s of apiVersion %s is not supported: want %s", typ.Kind, typ.APIVersion, want)
		}
		return events, append(ignored, typ.APIVersion+" "+typ.Kind), nil
	}
	object, _, err := strictDecoder.Decode(text, nil, nil)
	if err != nil {
		return nil, nil, fmt.Errorf("decode %s: %w", typ.Kind, err)
	}
	e, err := manifestEvent(object)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", typ.Kind, err)
	}
	if e.object != nil {
		events = append(events, e)
	}
	return events, ignored, nil
}

// sameGroupKind tells an old version of our kinds from somebody else's kind of the same name, such
// as Knative's Service.
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
func manifestEvent(object runtime.Object) (event, error) {
	meta := object.(metav1.Object)
	if meta.GetName() == "" {
		return event{}, errors.New("metadata.name is required")
	}
	name := routing.ObjectName{Namespace: meta.GetNamespace(), Name: meta.GetName()}
	if name.Namespace == "" {
		name.Namespace = metav1.NamespaceDefault
	}
	meta.SetManagedFields(nil)
	switch o := object.(type) {
	case *networkingv1.Ingress:
		o.Namespace = name.Namespace
		return event{objectKey{kindIngress, name}, o}, nil
	case *networkingv1.IngressClass:
		return event{objectKey{kindClass, routing.ObjectName{Name: name.Name}}, o}, nil
	case *corev1.Service:
		o.Namespace = name.Namespace
		return event{objectKey{kindService, name}, o}, nil
	case *discoveryv1.EndpointSlice:
		o.Namespace = name.Namespace
		return event{objectKey{kindSlice, name}, o}, nil
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
		return event{objectKey{kindSecret, name}, o}, nil
	}
	return event{}, nil
}
