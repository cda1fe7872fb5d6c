package source

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"unicode/utf16"

	"go.yaml.in/yaml/v3"
	sigsyaml "sigs.k8s.io/yaml"
)

// service is a Service in YAML, or in JSON.
func service(name string) string {
	return "apiVersion: v1\nkind: Service\nmetadata: {name: " + name + "}\nspec:\n  ports: [{port: 80}]\n"
}

func serviceJSON(name string) string {
	return `{"apiVersion":"v1","kind":"Service","metadata":{"name":"` + name + `"}}`
}

func toUTF16(text string, big bool) string {
	var b bytes.Buffer
	for _, unit := range utf16.Encode([]rune("\uFEFF" + text)) {
		if big {
			b.Write([]byte{byte(unit >> 8), byte(unit)})
		} else {
			b.Write([]byte{byte(unit), byte(unit >> 8)})
		}
	}
	return b.String()
}

// TestNothingIsDropped: whatever follows the first object of a file is read, or the file is refused.
func TestNothingIsDropped(t *testing.T) {
	const ab, refused = "Service default/a,Service default/b", ""
	a, b, aJSON, bJSON := service("a"), service("b"), serviceJSON("a"), serviceJSON("b")
	rows := []struct{ name, text, objects string }{
		{"documents", a + "---\n" + b, ab},
		{"two JSON objects", aJSON + bJSON, ab},
		{"two JSON objects in lines", aJSON + "\n" + bJSON + "\n", ab},
		{"JSON objects as documents", aJSON + "\n---\n" + bJSON, ab},
		{"JSON, then YAML", aJSON + "\n---\n" + b, ab},
		{"JSON, then YAML without a separator", aJSON + "\n" + b, refused},
		{"YAML, then JSON without a separator", a + bJSON, refused},
		{"braces of YAML", "{apiVersion: v1, kind: Service, metadata: {name: a}}\n---\n" + b, ab},
		{"two braces of YAML", "{apiVersion: v1, kind: Service, metadata: {name: a}}\n{apiVersion: v1, kind: Service, metadata: {name: b}}\n", refused},
		{"an end of document", a + "...\n" + b, refused}, // the parser wants "---", and says so
		{"an end and a beginning", a + "...\n---\n" + b, ab},
		{"an end and a comment", a + "...\n# more\n\n" + b, refused},
		{"an indented separator", a + " ---\n" + b, refused},
		{"an indented separator after JSON", aJSON + "\n ---\n" + bJSON, refused},
		{"a separator with a comment", a + "--- # next\n" + b, ab},
		{"a separator with spaces", a + "---  \t\n" + b, ab},
		{"a separator with content", a + "--- {apiVersion: v1, kind: Service, metadata: {name: b}}\n", ab},
		{"a separator without a space", a + "---apiVersion: v1\nkind: Service\nmetadata: {name: b}\n", refused},
		{"garbage", aJSON + " }}} garbage", refused},
		{"garbage after YAML", a + "}}} garbage", refused},
		{"garbage in a line of its own", aJSON + "\ngarbage\n", refused},
		{"a bracket too many", aJSON + "]", refused},
		{"UTF-8 with a mark", "\uFEFF" + a + "---\n" + b, ab},
		{"UTF-16, little", toUTF16(a+"---\n"+b, false), ab},
		{"UTF-16, big", toUTF16(a+"---\n"+b, true), ab},
		{"UTF-16 of JSON", toUTF16(aJSON+bJSON, false), ab},
		{"UTF-16 without a mark", toUTF16(a+"---\n"+b, false)[2:], refused},
		{"UTF-16 that is cut", toUTF16(a+"---\n"+b, false)[:101], refused},
		{"UTF-16, half a character", "\xFF\xFE\x00\xD8a\x00", refused},
		{"UTF-32", "\xFF\xFE\x00\x00a\x00\x00\x00", refused},
		{"a mark between", a + "\uFEFF---\n" + b, refused},
		{"Latin-1", a + "# \xE9\n---\n" + b, refused},
		{"a zero byte", a + "\x00---\n" + b, refused},
		{"an end of file of old", a + "\x1A" + b, refused},
		{"CR LF", strings.ReplaceAll(a+"---\n"+b, "\n", "\r\n"), ab},
		{"CR", strings.ReplaceAll(a+"---\n"+b, "\n", "\r"), ab},
		{"CR LF and LF", strings.ReplaceAll(a, "\n", "\r\n") + "---\n" + b, ab},
		{"CR LF of JSON", aJSON + "\r\n" + bJSON + "\r\n", ab},
		{"a repeated key", a + "spec: {ports: []}\n", refused},
		{"a repeated key in JSON", `{"apiVersion":"v1","kind":"List","items":[` + aJSON + `],"items":[` + bJSON + `]}`, refused},
		{"items in another case", `{"apiVersion":"v1","kind":"List","Items":[` + aJSON + `]}`, refused},
		{"a List", `{"apiVersion":"v1","kind":"List","metadata":{"resourceVersion":""},"items":[` + aJSON + `,` + bJSON + `]}`, ab},
		{"a List in a List", `{"apiVersion":"v1","kind":"List","items":[{"apiVersion":"v1","kind":"List","items":[` + aJSON + `,` + bJSON + `]}]}`, ab},
		{"a List of Lists without end", strings.Repeat(`{"apiVersion":"v1","kind":"List","items":[`, 6) + aJSON + strings.Repeat(`]}`, 6), refused},
		{"a typed List", `{"apiVersion":"v1","kind":"ServiceList","items":[{"metadata":{"name":"a"}},` + bJSON + `]}`, ab},
		{"a typed List of another group", `{"apiVersion":"networking.k8s.io/v1","kind":"IngressList","items":[{"metadata":{"name":"a"}}]}`, "Ingress default/a"},
		{"a typed List of an old version", `{"apiVersion":"extensions/v1beta1","kind":"IngressList","items":[{"metadata":{"name":"a"}}]}`, refused},
		{"a List with an element that is none", `{"apiVersion":"v1","kind":"List","items":[` + aJSON + `,5]}`, refused},
		{"a List whose items are none", `{"apiVersion":"v1","kind":"List","items":` + aJSON + `}`, refused},
		{"an alias", "apiVersion: v1\nkind: List\nitems:\n- apiVersion: &v v1\n  kind: Service\n  metadata: {name: a}\n- {apiVersion: *v, kind: Service, metadata: {name: b}}\n", ab},
		{"an escape of JSON", strings.Replace(aJSON, `{"name"`, `{"labels":{"x":"\ud83d\ude00\/"},"name"`, 1) + bJSON, ab},
		{"JSON with tabs", strings.ReplaceAll(aJSON, ",", ",\n\t") + bJSON, ab},
		{"nothing behind it", a + "---\n---\n...\n# end\n---\n" + b + "\n\n", ab},
		{"a directive of YAML", "%YAML 1.1\n---\n" + a + "---\n" + b, ab},
		{"a key that is an infinite number", a + "---\n700000000000000000000000000000000000000:\n", refused},
		{"a name with a line break", `{"apiVersion":"v1","kind":"Service","metadata":{"name":"a\nFile x: all is well"}}`, refused},
	}
	for _, row := range rows {
		events, _, err := Decode([]byte(row.text))
		if got := strings.Join(keys(events), ","); got != row.objects || (err != nil) != (row.objects == refused) {
			t.Errorf("%s: objects %q, error %v, want %q", row.name, got, err, row.objects)
		}
	}
}

// TestExpansionIsBounded: a small file stands for no large one, and no depth of nesting ends the process.
func TestExpansionIsBounded(t *testing.T) {
	var laughs strings.Builder
	laughs.WriteString("a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n")
	for i := range 9 {
		fmt.Fprintf(&laughs, "a%d: &a%d [%s]\n", i+1, i+1, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d,", i), 10), ","))
	}
	rows := []struct{ name, text, err string }{
		{"aliases of aliases", laughs.String(), "too many aliases"},
		{"aliases of a long text", "a: &a " + strings.Repeat("x", 1<<20) + "\nb: [" + strings.TrimSuffix(strings.Repeat("*a,", 1000), ",") + "]\n", "aliases that stand for more than 64 MiB"},
		{"an alias of itself", "a: &a [*a]\n", "an alias within what it stands for"},
		{"brackets", strings.Repeat("[", 1<<20), "more than 100 levels of nesting"},
		{"braces of JSON", strings.Repeat(`{"a":`, 1<<20), "more than 100 levels of nesting"},
		{"brackets of JSON", `{"a":` + strings.Repeat("[", 1<<20), "more than 100 levels of nesting"},
		{"small values", "a: [" + strings.Repeat("[],", 5<<20) + "[]]\n", "more than some 8388608 values"},
		{"dashes", strings.Repeat("- ", 1<<16), "more than 100 levels of nesting"},
		{"repeated keys", "{" + strings.Repeat(`"a":1,`, 1<<17) + `"a":1}`, "and 131069 more"},
	}
	for _, row := range rows {
		if _, _, err := Decode([]byte(row.text)); err == nil || !strings.Contains(err.Error(), row.err) {
			t.Errorf("%s: error %v, want %q", row.name, err, row.err)
		}
	}
}

// TestLinesOfFile: lines are counted from the beginning of the file, as an editor does.
func TestLinesOfFile(t *testing.T) {
	before := service("a") + "---\n"
	for _, row := range []struct {
		text string
		line int
	}{
		{"a: b: c\n", 7},
		{"a:\n  b: c: d\n", 8},
		{"a: 'b\n", 8},
		{"a: [b\nc: d\n", 8},
		{"a: @b\n", 7},
		{"a: 1\nb: 2\na: 3\n", 9},
		{"a: \"\\q\"\n", 7},
		{"\ta: b\n", 7},
		{"a: 1\n b: 2\n", 8},
		{"a: \x01\n", 7},
	} {
		for _, newline := range []string{"\n", "\r\n", "\r"} {
			_, _, err := Decode([]byte(strings.ReplaceAll(before+row.text, "\n", newline)))
			if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("line %d: ", row.line)) {
				t.Errorf("%q with %q: error %v, want line %d", row.text, newline, err, row.line)
			}
		}
	}
}

// TestSecretsAreSilent: no message holds anything of a Secret's values, whatever is wrong with the file.
func TestSecretsAreSilent(t *testing.T) {
	const secret = "hunter2"
	head := "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\n"
	texts := []string{
		head + "-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY-----\n",
		head + "data:\n  tls.key: |\n-----BEGIN hunter2-----\n",
		head + "---hunter2\n",
		head + "--- hunter2\n",
		head + "data: {a: hunter2}\n",
		head + "data: {a: [hunter2]}\n",
		head + "data: {a: {hunter2: hunter2 hunter2}}\n",
		head + "data: hunter2\n",
		head + "data: [hunter2]\n",
		head + "data:\n  a: hunter2: b\n",
		head + "data:\n  a: *hunter2\n",
		head + "data:\n  a: &hunter2 *hunter2\n",
		head + "data:\n  a: !hunter2 b\n",
		head + "data:\n  a: !<hunter2\n",
		head + "data:\n  a: !!int hunter2\n",
		head + "data:\n  a: !!binary hunter2\n",
		head + "data:\n  a: !!float 'hunter2'\n",
		head + "data:\n  ? {hunter2: x}\n  : b\n",
		head + "data:\n  ? [hunter2]\n  : b\n",
		head + "data:\n  <<: hunter2\n",
		head + "data:\n  a: b\n  hunter2 is the password: c\n  hunter2 is the password: d\n",
		head + "stringData:\n  hunter2 is the password: 5\n",
		head + "stringData:\n  a: 'hunter2\n",
		head + "stringData:\n  a: \"\\hunter2\"\n",
		head + "stringData:\n  a: hunter2\n b: hunter2\n",
		head + "stringData:\n  a: hunter2\n---\nhunter2\n",
		head + "stringData:\n  a: hunter2\nhunter2\n",
		head + "hunter2 is the password: x\n",
		head + "immutable: hunter2\n",
		head + "type: [hunter2]\n",
		head + "metadata: {name: hunter2}\n",
		"apiVersion: v1\nkind: Secret\n  hunter2 is it\nmetadata: {name: s}\n",
		"apiVersion: v1\nkind: Secret\nmetadata: {name: s, creationTimestamp: hunter2}\n",
		"apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {a: hunter2}\n\x01",
		`{"apiVersion":"v1","kind":"Secret","metadata":{"name":"s"},"data":{"a":"hunter2"}}`,
		`{"apiVersion":"v1","kind":"Secret","metadata":{"name":"s"},"stringData":{"a":"hunter2"} hunter2}`,
		`{"apiVersion":"v1","kind":"Secret","metadata":{"name":"s"},"stringData":{"a":"hunter2"}} hunter2`,
		`{"apiVersion":"v1","kind":"Secret","metadata":{"name":"s"},"stringData":{"a":"hunter2`,
		`{"apiVersion":"v1","kind":"Secret","metadata":{"name":"s"},"data":{"a":"hunter2 is","a":"hunter2 is"}}`,
		`{"apiVersion":"v1","kind":"SecretList","items":[{"metadata":{"name":"s"},"data":{"a":"hunter2"}}]}`,
		"hunter2",
		"- hunter2",
		toUTF16(head+"stringData: {a: hunter2", false),
	}
	for _, text := range texts {
		d := newDir(t)
		var log bytes.Buffer
		d.m.log = slog.New(slog.NewTextHandler(&log, nil))
		d.write("s.yaml", text)
		shown := d.scan()
		if !strings.Contains(shown, "File s.yaml") {
			t.Errorf("%q is not refused: %s", text, shown)
		}
		if strings.Contains(shown, secret) || strings.Contains(log.String(), secret) {
			t.Errorf("%q: Faults\n%s\nlog\n%s", text, shown, &log)
		}
	}
}

// TestTornSecretsAreSilent damages Secrets by one character at every place.
func TestTornSecretsAreSilent(t *testing.T) {
	const secret = "Hunter2Hunter2"
	texts := []string{
		"apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData:\n  a: Hunter2Hunter2\n  b: \"Hunter2Hunter2\"\n  c: |\n    Hunter2Hunter2\n    Hunter2Hunter2\n  d: >-\n    Hunter2Hunter2\n",
		"apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ndata: {a: Hunter2Hunter2, b: 'Hunter2Hunter2'}\n---\napiVersion: v1\nkind: List\nitems: [{apiVersion: v1, kind: Secret, metadata: {name: t}, stringData: {a: [Hunter2Hunter2]}}]\n",
		`{"apiVersion":"v1","kind":"Secret","metadata":{"name":"s"},"data":{"a":"Hunter2Hunter2"},"stringData":{"b":"Hunter2Hunter2","b":"Hunter2Hunter2"}}`,
	}
	check := func(text string) {
		t.Helper()
		_, skipped, err := Decode([]byte(text))
		if err != nil && strings.Contains(err.Error(), secret) {
			t.Errorf("%q: %v", text, err)
		}
		for _, s := range skipped {
			if strings.Contains(s.String(), secret) {
				t.Errorf("%q: skipped %s", text, s)
			}
		}
	}
	for _, text := range texts {
		for i := range len(text) {
			check(text[:i])
			check(text[:i] + text[i+1:])
			for _, c := range ":;,\n\r\t \"'{}[]|>&*!%@`#?-~\\\x00\x85\uFEFF<" {
				check(text[:i] + string(c) + text[i:])
				check(text[:i] + string(c) + text[i+1:])
			}
		}
	}
}

// FuzzDocuments holds the decoder to what never depends on the text: nothing that follows it is lost, and
// messages are words of ours; and to sigs.k8s.io/yaml and another parser where these have an opinion.
func FuzzDocuments(f *testing.F) {
	f.Add(service("a") + "...\n" + service("b"))
	f.Add(serviceJSON("a") + serviceJSON("b"))
	f.Add(serviceJSON("a") + " }}} garbage")
	f.Add("{a: b}\n ---\nc: d\n")
	f.Add("a: &x [1, 2]\nb: *x\n--- \n\"e\": 'f'\n")
	f.Add("apiVersion: v1\nkind: List\nitems: [{}]\n")
	f.Add("a: |\n  ---\n  ...\nb: >-\n c\n")
	f.Add("%YAML 1.1\n---\n!!str a: 0x1f\n? b\n: ~\n")
	f.Add(ingressManifest("a", "a.test"))
	f.Add("apiVersion: v1\nkind: Service\nmetadata: {name: a, creationTimestamp: 2006-01-02T15:04:05Z, generation: 1}\nspec: {ports: [{port: 80.0, targetPort: http, nodePort: 0x10}], type: ExternalName}\n")
	f.Add("apiVersion: v1\nkind: Secret\nmetadata: {name: a, managedFields: [{fieldsV1: {x: {}}, time: null}]}\ndata: {a: YQ==}\nstringData: {b: c}\nimmutable: true\n")
	f.Add("apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: a}\naddressType: IPv4\nports: [{port: 80}]\nendpoints: [{addresses: [10.0.0.1], conditions: {ready: true}}]\n")
	f.Fuzz(func(t *testing.T, text string) {
		if strings.HasPrefix(text, "\xFF") || strings.HasPrefix(text, "\xFE") {
			return // the addition below is not UTF-16
		}
		events, skipped, err := Decode([]byte(text))
		if err != nil && (strings.Contains(err.Error(), "json:") || strings.Contains(err.Error(), "yaml:") || strings.Contains(err.Error(), "Go ") || strings.Contains(err.Error(), ": it is no ")) {
			t.Errorf("%q: words of a library: %v", text, err)
		}
		for _, more := range []string{"\n---\n" + service("marker"), "\n" + serviceJSON("marker")} {
			if strings.HasPrefix(more, "\n{") && (err != nil || len(events) == 0 || len(skipped) > 0 || strings.Contains(text, "fieldsV1")) {
				continue // it may be a part of the last object
			}
			after, skippedAfter, errAfter := Decode([]byte(text + more))
			if errAfter != nil {
				continue
			}
			if got := keys(after); len(got) == 0 || got[len(got)-1] != "Service default/marker" ||
				err == nil && (len(after) != len(events)+1 || len(skippedAfter) != len(skipped)) {
				t.Errorf("%q with %q behind it: %v and %v, before %v and %v", text, more, got, skippedAfter, keys(events), skipped)
			}
		}
		var list []document
		if err := documents([]byte(text), func(d document) error { list = append(list, d); return nil }); err == nil {
			compareDocuments(t, text, list)
		}
	})
}

// compareDocuments holds a file that was read to two other parsers. They may refuse more, or less.
func compareDocuments(t *testing.T, text string, list []document) {
	t.Helper()
	var node yaml.Node
	n := 0
	d := yaml.NewDecoder(strings.NewReader(text))
	err := d.Decode(&node)
	for ; err == nil; err = d.Decode(&node) {
		n++
	}
	if errors.Is(err, io.EOF) && n != len(list) {
		t.Errorf("%q: %d documents, the other parser finds %d", text, len(list), n)
	}
	if len(list) != 1 || len(list[0].repeated) > 0 {
		return
	}
	want, err := sigsyaml.YAMLToJSONStrict([]byte(text))
	if err != nil {
		return
	}
	got, err := json.Marshal(list[0].tree)
	if err != nil || !bytes.Equal(got, want) && !bytes.HasPrefix(bytes.TrimLeft([]byte(text), " \t\r\n"), []byte("{")) {
		t.Errorf("%q: %s, error %v, the other parser has %s", text, got, err, want)
	}
}
