package configmap

import (
	"fmt"
	"strings"
)

// Reference is the text of CONFIGMAP.md, made from the Rows that Read reads.
func Reference() string {
	var b strings.Builder
	b.WriteString("# Keys of ingress-nginx's ConfigMap\n\n" +
		"Generated from the rows in informer/configmap; change them there, then run `make generate`.\n\n" +
		"`kubernetes.nginx_configmap: NAMESPACE/NAME` names the ConfigMap of the ingress-nginx controller whose objects are taken over. Its keys count as\n" +
		"they change, like those of any object. A key that is not in the table, and a value that does not parse, is a Rejection that names the\n" +
		"ConfigMap, the key, the value and the reason, and leaves the default; what guards pages closes them instead.\n\n" +
		"Nothing is served before the ConfigMap has been read once: what it says may guard pages. One that is deleted later leaves what it said in\n" +
		"force, with a Rejection, until it is there again or the gateway starts anew. In a folder of manifests it is an object like any other.\n\n" +
		"A key that is the *default of an annotation*, or about *objects*, holds for the objects of ingress-nginx's classes alone (`kubernetes.controllers`),\n" +
		"and an object's annotation wins. One about *the gateway* holds for all of it, as long as the ConfigMap has it, and then wins over the gateway's\n" +
		"own configuration; the default in the table is ingress-nginx's, and a value equal to it changes nothing. The text of the annotations is in\n" +
		"[ANNOTATIONS.md](ANNOTATIONS.md), that of the gateway's keys in [CONFIG.md](../server/config/CONFIG.md).\n\n" +
		"| Key | Value | Default | Effect | Meaning |\n|---|---|---|---|---|\n")
	for i := range rows {
		r := &rows[i]
		effect := string(r.Effect)
		switch {
		case r.Annotation != "":
			effect += " `" + r.Annotation + "`"
		case r.Setting != "":
			effect += ", `" + r.Setting + "`"
		}
		doc := r.Doc
		if r.missing() {
			doc = strings.TrimSpace("Not carried out yet: a value that is not the default is refused. " + doc)
			if r.Guards {
				doc += " It guards pages, so that all objects are closed then."
			}
		}
		standard := ""
		if r.Default != "" {
			standard = "`" + r.Default + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", r.Key, r.Value, standard, effect, doc)
	}
	return b.String()
}
