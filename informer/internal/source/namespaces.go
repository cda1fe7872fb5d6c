package source

import "slices"

// Namespaces are those that a source delivers objects of; none are all.
type Namespaces []string

// Has reports whether objects of a namespace are delivered.
func (n Namespaces) Has(namespace string) bool {
	return len(n) == 0 || slices.Contains(n, namespace)
}
