package source

import (
	"maps"
	"strings"
)

// Skipped is an object of the manifests whose kind is not read. Most are meant for other programs,
// such as Deployments; one that is misspelt looks the same. A plain value.
type Skipped struct {
	// Object has the kind and, as far as the object has one, its name.
	Object     Object `json:"object"`
	APIVersion string `json:"apiVersion"`
	// File and Place are the object's position, such as "document 2, items[3]".
	File  string `json:"file"`
	Place string `json:"place"`
	// Hint is the kind that was probably meant, or "".
	Hint string `json:"hint,omitempty"`
}

// String returns one line.
func (s Skipped) String() string {
	text := s.File + ": " + s.Place + ": " + s.APIVersion + " " + s.Object.String()
	text = strings.TrimSuffix(text, " ")
	if s.Hint != "" {
		text += "; " + s.Hint
	}
	return text
}

// skip notes an object of a kind that is not read.
func (d *decoder) skip(object map[string]any, typ typeMeta) {
	s := Skipped{Object: Object{Kind: typ.kind}, APIVersion: typ.apiVersion, Place: d.place, Hint: hint(typ)}
	if meta, ok := object["metadata"].(map[string]any); ok {
		for _, f := range []struct {
			key string
			to  *string
		}{{"name", &s.Object.Name}, {"namespace", &s.Object.Namespace}} {
			if text, _ := meta[f.key].(string); plainName.MatchString(text) {
				*f.to = text
			}
		}
	}
	d.skipped = append(d.skipped, s)
}

// hint guesses what was meant.
func hint(typ typeMeta) string {
	want, ours := manifestKinds[typ.kind]
	group, _, _ := strings.Cut(typ.apiVersion, "/")
	wantGroup, _, grouped := strings.Cut(want, "/")
	switch {
	case ours && (!grouped && !strings.Contains(typ.apiVersion, "/") || grouped && distance(group, wantGroup) <= 2):
		return "did you mean apiVersion " + want + "?"
	case ours:
		// A foreign kind of the same name, such as Knative's Service.
		return ""
	case typ.kind == "Endpoints" && typ.apiVersion == "v1":
		return "write an EndpointSlice instead; nothing makes one of Endpoints here"
	}
	if near := nearest(strings.TrimSuffix(typ.kind, "List"), maps.Keys(manifestKinds)); near != "" {
		return "did you mean " + near + "?"
	}
	return ""
}
