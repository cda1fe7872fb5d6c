package informer

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/sluice-gateway/sluice/routing"
	"github.com/sluice-gateway/sluice/routing/policy"
)

// maxTold bounds the fields that an authority is told, and maxToldValue the text of one.
const (
	maxTold      = 64
	maxToldValue = 4096
)

// told reads the ConfigMap of fields that the authority of e is told. What cannot be carried out closes the object.
func (c *compiler) told(e *policy.External) {
	reference := e.Told
	if reference == "" {
		return
	}
	refuse := func(fault string) {
		c.closed("the authority cannot be told what it is to be told")
		if fault != "" {
			c.reject(c.annotationName("auth-proxy-set-headers"), reference, fault+"; every path of the object answers 503")
		}
	}
	namespace, name, both := strings.Cut(reference, "/")
	if !both {
		namespace, name = c.ing.Namespace, reference
	}
	if name == "" || namespace != c.ing.Namespace {
		refuse("the ConfigMap must be in the namespace of the Ingress, " + c.ing.Namespace)
		return
	}
	of := routing.ObjectName{Namespace: namespace, Name: name}
	c.entry.configMaps[of] = struct{}{}
	e.Told = of.String()
	found := c.configs.byName[of]
	if found == nil {
		refuse(c.configs.absence(of))
		return
	}
	if len(found.Data) > maxTold {
		refuse(fmt.Sprintf("the ConfigMap has more than %d fields", maxTold))
		return
	}
	for _, field := range slices.Sorted(maps.Keys(found.Data)) {
		value := found.Data[field]
		err := policy.ValidField(field, value)
		if err == nil {
			_, err = policy.ParseTemplate(value, policy.AuthorityVariables)
		}
		if err == nil && len(value) > maxToldValue {
			err = fmt.Errorf("the value of %s is longer than %d bytes", field, maxToldValue)
		}
		if err != nil {
			refuse(err.Error())
			return
		}
		e.Tell = append(e.Tell, policy.FieldTemplate{Name: field, Value: value})
	}
}

// configMapNames returns the ConfigMaps that the object refers to; e may be nil.
func (e *entry) configMapNames() map[routing.ObjectName]struct{} {
	if e == nil {
		return nil
	}
	return e.configMaps
}
