package informer

import (
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/sluice-gateway/sluice/informer/annotation"
	"github.com/sluice-gateway/sluice/informer/configmap"
	"github.com/sluice-gateway/sluice/informer/internal/plain"
	"github.com/sluice-gateway/sluice/routing"
)

// configMapSet holds ConfigMaps, and what the one of ingress-nginx's controller asks for. Owned by the builder's goroutine,
// but without the builder.
//
// Until that one has been read the objects of ingress-nginx's classes are closed, because what it says may guard pages. One that
// is gone again leaves what it said in force: whoever deletes it by mistake opens nothing, and ingress-nginx does the same.
type configMapSet struct {
	// Immutable after newConfigMapSet:

	// onDemand is true where ConfigMaps are asked for by name, and come with a report.
	onDemand bool
	check    configmap.Check

	// main is the ConfigMap of the controller; the zero value where none is configured.
	main   routing.ObjectName
	byName map[routing.ObjectName]*corev1.ConfigMap
	// reports say why a ConfigMap cannot be read, "" once it has been looked for.
	reports map[routing.ObjectName]string
	// last is the latest main that there was, nil before any.
	last     *corev1.ConfigMap
	settings *configmap.Settings
	// users are the Ingresses whose annotations name a ConfigMap, by ConfigMap.
	users userIndex
	// stale is true where main, or a ConfigMap that it names, has changed since settings were made.
	stale bool
}

func newConfigMapSet(cfg *Config) configMapSet {
	return configMapSet{
		main: cfg.configMapName(), onDemand: cfg.Manifests == "", check: cfg.checkSetting(),
		byName: make(map[routing.ObjectName]*corev1.ConfigMap), reports: make(map[routing.ObjectName]string), users: make(userIndex),
		settings: &configmap.Settings{}, stale: true,
	}
}

// choose has another ConfigMap count. What the one before said stays in force until the other has been read.
func (s *configMapSet) choose(main routing.ObjectName) {
	s.main, s.last, s.stale = main, s.byName[main], true
}

// configured reports whether there is a ConfigMap to read.
func (s *configMapSet) configured() bool { return s.main != routing.ObjectName{} }

// apply stores a ConfigMap, nil where it is gone.
func (s *configMapSet) apply(name routing.ObjectName, next *corev1.ConfigMap) {
	old := put(s.byName, name, next)
	if name == s.main && next != nil {
		s.last = next
	}
	if old == nil || next == nil || !maps.Equal(old.Data, next.Data) {
		s.touch(name)
	}
}

// read stores the report of a watch.
func (s *configMapSet) read(name routing.ObjectName, reason string) {
	s.reports[name] = reason
	s.touch(name)
}

// refer replaces the ConfigMaps that the annotations of an Ingress name. On demand, one that nobody names any more is not read any
// more either, and forgotten.
func (s *configMapSet) refer(ingress routing.ObjectName, old, next map[routing.ObjectName]struct{}) {
	s.users.replace(ingress, old, next)
	if !s.onDemand {
		return
	}
	for name := range old {
		if s.users[name] == nil && name != s.main && !slices.Contains(slices.Collect(maps.Values(s.settings.Named)), name) {
			delete(s.byName, name)
			delete(s.reports, name)
		}
	}
}

func (s *configMapSet) touch(name routing.ObjectName) {
	s.stale = s.stale || name == s.main
	for _, named := range s.settings.Named {
		s.stale = s.stale || name == named
	}
}

// waiting reports that the ConfigMap has not been read yet.
func (s *configMapSet) waiting() bool { return s.configured() && s.last == nil }

// watches returns the ConfigMaps that are needed.
func (s *configMapSet) watches() map[types.NamespacedName]struct{} {
	if !s.configured() && len(s.users) == 0 {
		return nil
	}
	wanted := make(map[types.NamespacedName]struct{})
	if s.configured() {
		wanted[types.NamespacedName(s.main)] = struct{}{}
	}
	for name := range s.users {
		wanted[types.NamespacedName(name)] = struct{}{}
	}
	for _, name := range s.settings.Named {
		wanted[types.NamespacedName(name)] = struct{}{}
	}
	return wanted
}

// refresh reads the ConfigMap again where it is stale. It reports whether objects have other defaults from now on, and the
// Rejections where they may differ.
func (s *configMapSet) refresh() (changed bool, reports []report) {
	if !s.stale {
		return false, nil
	}
	s.stale = false
	before := s.settings
	if !s.configured() {
		s.settings = &configmap.Settings{}
		return !s.settings.Equal(before), nil
	}
	var list []Rejection
	reject := func(key, value, reason string) {
		list = append(list, rejectConfigMap(s.main, "data["+plain.Text(key, '?')+"]", value, reason))
	}
	switch {
	case s.last != nil:
		s.settings = configmap.Read(s.last.Data, s.check, reject)
		list = append(list, s.readNamed()...)
		if s.byName[s.main] == nil {
			list = append(list, rejectConfigMap(s.main, "", "", "it is gone; what it said last stays in force until it is there again, or the gateway starts anew"))
		}
	case s.settings.Gateway != nil: // one was read
		list = append(list, rejectConfigMap(s.main, "", "", s.absence(s.main)+"; what the ConfigMap said that was configured before stays in force"))
	default:
		s.settings = &configmap.Settings{Objects: annotation.Defaults{
			Closed: "ConfigMap " + s.main.String() + " of kubernetes.nginx_configmap has not been read, and may say who may ask"}}
		list = append(list, rejectConfigMap(s.main, "", "", s.absence(s.main)+"; it may say who may ask, so that until it is here a gateway that starts serves nothing, "+
			"and the objects of ingress-nginx's classes answer 503"))
	}
	return !s.settings.Equal(before), []report{{subject{ofConfigMap, s.main}, list}}
}

// readNamed reads the ConfigMaps that main names. One that is missing sets nothing, and is looked for on.
func (s *configMapSet) readNamed() (list []Rejection) {
	for _, key := range slices.Sorted(maps.Keys(s.settings.Named)) {
		name := s.settings.Named[key]
		named := s.byName[name]
		if named == nil {
			list = append(list, rejectConfigMap(s.main, "data["+key+"]", name.String(), s.absence(name)+"; nothing is set"))
			continue
		}
		configmap.Named(key, named.Data, &s.settings.Objects, func(field, value, reason string) {
			list = append(list, rejectConfigMap(name, "data["+plain.Text(field, '?')+"]", value, reason))
		})
	}
	return list
}

// absence says why there is no such ConfigMap to read.
func (s *configMapSet) absence(name routing.ObjectName) string {
	reason, looked := s.reports[name]
	switch {
	case reason != "":
		return reason
	case s.onDemand && !looked:
		return "it has not been looked for yet"
	}
	return "there is no such ConfigMap"
}

// defaults returns what objects of a controller have by default.
func (s *configMapSet) defaults(controller string) *annotation.Defaults {
	if controller != NginxController {
		return &annotation.Defaults{}
	}
	return &s.settings.Objects
}

// gateway returns the values of the gateway's configuration that the ConfigMap asks for, as assignments, sorted.
func (s *configMapSet) gateway() (list []string) {
	for _, key := range slices.Sorted(maps.Keys(s.settings.Gateway)) {
		list = append(list, key+"="+s.settings.Gateway[key])
	}
	return list
}

func rejectConfigMap(name routing.ObjectName, field, value, reason string) Rejection {
	return Rejection{Object: Object{Kind: "ConfigMap", Namespace: name.Namespace, Name: name.Name}, Field: field, Value: plain.Short(value), Reason: reason}
}
