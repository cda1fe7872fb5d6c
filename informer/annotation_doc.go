package informer

import (
	"fmt"
	"strings"
)

// annotationDoc is the text of ANNOTATIONS.md, made from the table that the parser reads.
func annotationDoc() string {
	var b strings.Builder
	fmt.Fprintf(&b, `# Annotations of an Ingress

Generated from the table in annotation.go; change it there, then run `+"`make generate`"+`.

A key is written under %[1]s%[3]s%[1]s or %[1]s%[4]s%[1]s; where both are, the first counts.
A key that is not in the table, and a value that does not parse, is a Rejection that names object, key, value
and reason; the object is served without it, except where the table says that it is closed.

Scopes: a *route* annotation applies to the Routes of its object, a *backend* annotation to the Backends that
they go to (another object may use the same Service differently), a *host* annotation to its hosts, whichever
object a path there belongs to, an *object* annotation decides whether and how the object is served at all.

| Key | Scope | Value | Default | Meaning |
|---|---|---|---|---|
`, "`", "", ownPrefix, nginxPrefix)
	for _, a := range annotations {
		key := "`" + a.key + "`"
		if a.ownOnly {
			key += " (only under `" + ownPrefix + "`)"
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", key, a.scope, a.typ, a.def, a.doc)
	}
	b.WriteString(`
Besides these, ` + "`" + legacyClass + "`" + ` names the class of an object in the old way; it has precedence over
` + "`spec.ingressClassName`" + `, as the Ingress API says.
`)
	return b.String()
}
