package annotation

import (
	"fmt"
	"strings"
)

// Reference is the text of ANNOTATIONS.md, made from the Rows that Parse reads.
func Reference() string { return (*Table)(nil).Reference() }

// Reference is the same text about the annotations of a program.
func (t *Table) Reference() string {
	var b strings.Builder
	fmt.Fprintf(&b, `# Annotations of an Ingress

Generated from the rows in informer/annotation; change them there, then run `+"`make generate`"+`.

A key is written under %[1]s%[2]s%[1]s or %[1]s%[3]s%[1]s; where both are, the first counts.
A key that is not in the table, and a value that does not parse, is a Rejection that names object, key, value
and reason; the object is served without it, except where the table says that it is closed.

Scopes: a *route* annotation applies to the Routes of its object, a *backend* annotation to the Backends that
they go to (another object may use the same Service differently), a *host* annotation to its hosts, whichever
object a path there belongs to, an *object* annotation decides whether and how the object is served at all.

| Key | Scope | Value | Default | Meaning |
|---|---|---|---|---|
`, "`", OwnPrefix, NginxPrefix)
	for _, r := range t.all() {
		key := "`" + r.Key + "`"
		if r.OwnOnly && !strings.Contains(r.Key, "/") {
			key += " (only under `" + OwnPrefix + "`)"
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", key, r.Scope, r.Value, r.Default, r.Doc)
	}
	b.WriteString(`
Besides these, ` + "`" + LegacyClass + "`" + ` names the class of an object in the old way; it has precedence over
` + "`spec.ingressClassName`" + `, as the Ingress API says.
`)
	return b.String()
}
