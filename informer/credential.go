package informer

import (
	"errors"
	"slices"
	"strings"

	"github.com/sluice-gateway/sluice/informer/annotation"
	"github.com/sluice-gateway/sluice/informer/internal/plain"
	"github.com/sluice-gateway/sluice/informer/internal/secret"
	"github.com/sluice-gateway/sluice/routing"
)

// credential returns the content of an annotation's Secret, or nil and why not; the reason is "" while
// the Secret may still arrive. Only the object's own namespace is allowed, as in ingress-nginx: the
// right to write an Ingress is not the right to use the Secrets of other namespaces.
func (c *compiler) credential(reference string) (m *secret.Material, name routing.ObjectName, fault string) {
	name, err := secretName(reference, c.ing.Namespace)
	if err != nil {
		return nil, name, err.Error()
	}
	if !slices.Contains(c.references.Credentials, name) {
		c.references.Credentials = append(c.references.Credentials, name)
	}
	m, fault = c.secrets.Credential(name)
	return m, name, fault
}

// secretName reads "namespace/name" or "name".
func secretName(reference, namespace string) (routing.ObjectName, error) {
	space, name, both := strings.Cut(reference, "/")
	if !both {
		space, name = namespace, reference
	}
	switch {
	case name == "" || space == "" || strings.Contains(name, "/"):
		return routing.ObjectName{}, errors.New("want the name of a Secret, or namespace/name")
	case space != namespace:
		return routing.ObjectName{}, errors.New("the Secret must be in the namespace of the Ingress, " + namespace)
	}
	return routing.ObjectName{Namespace: space, Name: name}, nil
}

// annotationName returns the field of the annotation that set a value.
func (c *compiler) annotationName(key string) string {
	return annotationField(annotation.Name(c.ing.Annotations, key))
}

// In manifests a key may be any text.
func annotationField(name string) string {
	return "metadata.annotations[" + plain.Text(name, '?') + "]"
}
