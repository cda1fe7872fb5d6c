package source

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v2"
)

const (
	// maxNesting bounds how deep values are nested; objects of Kubernetes need some twenty levels.
	maxNesting = 100
	// maxExpanded bounds all text of a file once its aliases are replaced by what they stand for.
	maxExpanded = maxManifest
	// maxMarks bounds the values in a file; see tooMany.
	maxMarks = 8 << 20
	// maxRepeats bounds the repeated keys that are named.
	maxRepeats = 3
)

// document is one document of a file as a tree of map[string]any, []any, string, bool, int, int64,
// uint64, float64, json.Number and nil.
type document struct {
	tree any
	// repeated describes keys that stand twice in one mapping. Parsers differ in which of the two
	// counts, so such a document is refused. A key is named only where it cannot be content.
	repeated []repeatedKey
}

type repeatedKey struct {
	line int // 0 where it is not known
	key  string
}

// documents splits a file and calls read with one document after the other, so that only one is in memory. Nothing in
// the file is left out: it is a sequence of JSON values, with nothing between them, or YAML documents as YAML
// separates them, and any text behind the end of one must be the beginning of another. An error, but for that of read,
// describes the fault and its place in our own words, and repeats nothing of the file, because it may be a Secret.
func documents(text []byte, read func(document) error) error {
	if tooMany(text) {
		return fmt.Errorf("more than some %d values; split the file", maxMarks)
	}
	if trimmed := bytes.TrimLeft(text, " \t\r\n"); len(trimmed) > 0 && trimmed[0] == '{' && isJSON(text) {
		return jsonDocuments(text, read)
	}
	// Braces may begin a mapping of YAML, too.
	return yamlDocuments(text, read)
}

// tooMany bounds the memory that a parser needs for a text: a value of two bytes costs a hundred, so that
// a file of brackets would take gibibytes. Each value has one of these marks before it, or is the first.
func tooMany(text []byte) bool {
	marks := 0
	for _, mark := range []byte(",[{:-?\n\r") {
		marks += bytes.Count(text, []byte{mark})
	}
	return marks > maxMarks
}

// isJSON reports whether a text is a sequence of JSON values and nothing else.
func isJSON(text []byte) bool {
	d := json.NewDecoder(bytes.NewReader(text))
	for {
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return errors.Is(err, io.EOF)
		}
	}
}

func jsonDocuments(text []byte, read func(document) error) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	for {
		r := jsonReader{decoder: d, text: text}
		tree, err := r.value(0)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = read(document{tree, r.repeated})
		}
		if err != nil {
			return err
		}
	}
}

// errNotJSON cannot be met where isJSON is true.
var errNotJSON = errors.New("not JSON")

// jsonReader reads one value. Unlike Unmarshal it detects repeated keys.
type jsonReader struct {
	decoder  *json.Decoder
	text     []byte
	repeated []repeatedKey
}

func (r *jsonReader) value(depth int) (any, error) {
	token, err := r.decoder.Token()
	switch {
	case depth == 0 && errors.Is(err, io.EOF):
		return nil, io.EOF
	case err != nil:
		return nil, errNotJSON
	case depth > maxNesting:
		return nil, fmt.Errorf("line %d: more than %d levels of nesting", r.line(), maxNesting)
	}
	switch token {
	case json.Delim('{'):
		object := make(map[string]any)
		for r.decoder.More() {
			// The next token is a key, or the text is no JSON.
			key, err := r.decoder.Token()
			name, ok := key.(string)
			if err != nil || !ok {
				return nil, errNotJSON
			}
			if _, twice := object[name]; twice {
				r.repeat(name)
			}
			if object[name], err = r.value(depth + 1); err != nil {
				return nil, err
			}
		}
		return object, r.close()
	case json.Delim('['):
		array := []any{}
		for r.decoder.More() {
			element, err := r.value(depth + 1)
			if err != nil {
				return nil, err
			}
			array = append(array, element)
		}
		return array, r.close()
	}
	if _, stray := token.(json.Delim); stray {
		return nil, errNotJSON
	}
	return token, nil
}

func (r *jsonReader) close() error {
	if _, err := r.decoder.Token(); err != nil {
		return errNotJSON
	}
	return nil
}

// repeat notes a key. Counting lines takes time, so only the first ones have theirs.
func (r *jsonReader) repeat(name string) {
	key := repeatedKey{key: name}
	if len(r.repeated) < maxRepeats {
		key.line = r.line()
	}
	r.repeated = append(r.repeated, key)
}

func (r *jsonReader) line() int { return lineOf(r.text, int(r.decoder.InputOffset())) }

func yamlDocuments(text []byte, read func(document) error) error {
	d := yaml.NewDecoder(bytes.NewReader(text))
	d.SetStrict(true)
	e := expansion{left: maxExpanded}
	for n := 1; ; n++ {
		var value any
		err := d.Decode(&value)
		var repeated *yaml.TypeError
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case errors.As(err, &repeated):
		case err != nil:
			return fmt.Errorf("document %d: %w", n, syntaxFault(err, text))
		}
		var doc document
		if doc.tree, err = e.tree(value, 0); err != nil {
			return fmt.Errorf("document %d: %w", n, err)
		}
		if repeated != nil {
			doc.repeated = repeatedKeys(repeated)
		}
		if err := read(doc); err != nil {
			return err
		}
	}
}

// expansion turns the YAML parser's output into a tree. left is how much text it may still hold.
type expansion struct{ left int }

func (e *expansion) tree(value any, depth int) (any, error) {
	if depth > maxNesting {
		return nil, fmt.Errorf("more than %d levels of nesting", maxNesting)
	}
	// A value without text counts too.
	if e.left--; e.left < 0 {
		return nil, fmt.Errorf("aliases that stand for more than %d MiB", maxExpanded>>20)
	}
	switch v := value.(type) {
	case nil, bool, int, int64, uint64:
		return v, nil
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return nil, errors.New("a number that is infinite or none")
		}
		return v, nil
	case string:
		return e.text(v)
	case []any:
		list := make([]any, len(v))
		for i := range v {
			var err error
			if list[i], err = e.tree(v[i], depth+1); err != nil {
				return nil, err
			}
		}
		return list, nil
	case map[any]any:
		object := make(map[string]any, len(v))
		for key, value := range v {
			name, err := e.key(key)
			if err != nil {
				return nil, err
			}
			if _, twice := object[name]; twice {
				return nil, errors.New("a mapping that has one key both as text and as a number or true or false")
			}
			if object[name], err = e.tree(value, depth+1); err != nil {
				return nil, err
			}
		}
		return object, nil
	}
	return nil, errors.New("a value that JSON does not have, such as a time or a set; put text in quotes")
}

func (e *expansion) text(s string) (string, error) {
	if e.left -= len(s); e.left < 0 {
		return "", fmt.Errorf("aliases that stand for more than %d MiB", maxExpanded>>20)
	}
	if !utf8.ValidString(s) {
		return "", errors.New("a !!binary value that is not UTF-8; write it as base64 text")
	}
	return s, nil
}

// key spells a key as kubectl does, to which 80 and true are text.
func (e *expansion) key(key any) (string, error) {
	switch k := key.(type) {
	case string:
		return e.text(k)
	case bool:
		return strconv.FormatBool(k), nil
	case int:
		return strconv.Itoa(k), nil
	case float64:
		// kubectl keeps 32 bits of it.
		if v := float64(float32(k)); !math.IsNaN(v) && !math.IsInf(v, 0) {
			return strconv.FormatFloat(k, 'g', -1, 32), nil
		}
	}
	return "", errors.New("a key that is no text; put it in quotes")
}

var repeatedLine = regexp.MustCompile(`(?s)^line (\d+): key "(.*)" already set in map$`)

func repeatedKeys(err *yaml.TypeError) (list []repeatedKey) {
	list = make([]repeatedKey, len(err.Errors))
	for i, text := range err.Errors[:min(len(err.Errors), maxRepeats)] {
		key := &list[i]
		if m := repeatedLine.FindStringSubmatch(text); m != nil {
			key.line, _ = strconv.Atoi(m[1])
			key.key = m[2]
		}
	}
	return list
}

var (
	// plainKey is the form of keys that may be shown: as kubectl describe shows the keys of a Secret, and
	// nothing that could be a line of a certificate or a key, which have 64 letters, or forge one of a report.
	plainKey = regexp.MustCompile(`^[A-Za-z0-9._/-]{1,63}$`)
	// plainName is the form of names and kinds.
	plainName = regexp.MustCompile(`^[A-Za-z0-9._/-]{1,253}$`)
)

// repeatedFault names the keys where the document is one object, and no Secret.
func repeatedFault(doc document) error {
	list := doc.repeated
	object, _ := doc.tree.(map[string]any)
	kind, _ := object["kind"].(string)
	_, ours := manifestKinds[kind]
	var faults []string
	for _, r := range list[:min(len(list), maxRepeats)] {
		fault := "a key"
		if ours && kind != "Secret" && plainKey.MatchString(r.key) {
			fault = "key " + r.key
		}
		if r.line > 0 {
			fault = fmt.Sprintf("line %d: %s", r.line, fault)
		}
		faults = append(faults, fault+" is there twice in one mapping")
	}
	if more := len(list) - maxRepeats; more > 0 {
		faults = append(faults, fmt.Sprintf("and %d more", more))
	}
	return errors.New(strings.Join(slices.Compact(faults), "; "))
}

var syntaxError = regexp.MustCompile(`(?s)^yaml: (?:line (\d+): )?(.*)$`)

// syntaxFault describes a parser's error. Its own text is used only where it is a constant: others hold pieces
// of the file. The parser counts lines from 0 for errors of its grammar, and from 1 for those of its scanner.
func syntaxFault(err error, text []byte) error {
	m := syntaxError.FindStringSubmatch(err.Error())
	if m == nil {
		return errors.New("not YAML")
	}
	line, _ := strconv.Atoi(m[1])
	words, known := grammarFaults[m[2]]
	if known {
		line++
	} else if words, known = scannerFaults[m[2]]; known {
		line = max(line, 1)
	}
	if !known {
		words = "not YAML"
		for _, f := range prefixFaults {
			if strings.HasPrefix(m[2], f.prefix) {
				words = f.words
			}
		}
	}
	if line == 0 {
		return errors.New(words)
	}
	return fmt.Errorf("line %d: %s", min(line, lineOf(text, len(text))), words)
}

// The next tables have the parser's constant texts and the words shown in their place.

var grammarFaults = map[string]string{
	"did not find expected <document start>":                  `something follows the end of a document; begin the next one with a line "---", unindented`,
	"found undefined tag handle":                              "an unknown tag",
	"did not find expected node content":                      "a value is missing, or begins with a character that it cannot begin with",
	"did not find expected '-' indicator":                     `an element of a list does not begin with "-" in the column of the others`,
	"did not find expected key":                               "a key is not in the column of the others, or something follows a value",
	"did not find expected ',' or ']'":                        `"," or "]" is missing`,
	"did not find expected ',' or '}'":                        `"," or "}" is missing`,
	"found duplicate %YAML directive":                         "two %YAML directives",
	"found incompatible YAML document":                        "a %YAML directive of another version than 1.1; remove it",
	"found duplicate %TAG directive":                          "two %TAG directives of one handle",
	"did not find expected <stream-start>":                    "not YAML",
	"unknown problem parsing YAML content":                    "not YAML",
	"document contains excessive aliasing":                    "too many aliases",
	"map merge requires map or sequence of maps as the value": `"<<" wants a mapping, or a list of these`,
	"!!binary value contains invalid base64 data":             "a !!binary value that is not base64",
}

var scannerFaults = map[string]string{
	"found character that cannot start any token":                  "a character that nothing can begin with, such as a tab, @ or `; put text in quotes",
	"could not find expected ':'":                                  `a line without ":" where a mapping goes on`,
	"block sequence entries are not allowed in this context":       `"-" where no list can begin`,
	"mapping keys are not allowed in this context":                 `"?" where no key can be`,
	"mapping values are not allowed in this context":               `a second ":" in one line; put the value in quotes`,
	"found unknown directive name":                                 "an unknown % directive",
	"did not find expected comment or line break":                  "something follows where the line must end",
	"could not find expected directive name":                       "a % directive without a name",
	"found unexpected non-alphabetical character":                  "a % directive whose name is none",
	"did not find expected digit or '.' character":                 "a %YAML directive without a version",
	"found extremely long version number":                          "a %YAML directive without a version",
	"did not find expected version number":                         "a %YAML directive without a version",
	"did not find expected whitespace":                             "a space is missing",
	"did not find expected whitespace or line break":               "a space is missing",
	"did not find expected alphabetic or numeric character":        `"&" or "*" without a name; put text in quotes`,
	"did not find the expected '>'":                                `a tag without ">"`,
	"did not find expected '!'":                                    `a tag without "!"`,
	"did not find expected tag URI":                                "a tag without a name",
	"did not find URI escaped octet":                               "a tag with a bad escape",
	"found an incorrect leading UTF-8 octet":                       "a tag with a bad escape",
	"found an incorrect trailing UTF-8 octet":                      "a tag with a bad escape",
	"found an indentation indicator equal to 0":                    "a block of text with indentation 0",
	"found a tab character where an indentation space is expected": "a tab in the indentation; use spaces",
	"found a tab character that violates indentation":              "a tab in the indentation; use spaces",
	"found unexpected document indicator":                          `"---" or "..." within quotes`,
	"found unexpected end of stream":                               "a quote is not closed",
	"found unknown escape character":                               `an unknown escape after "\" in double quotes`,
	"did not find expected hexdecimal number":                      `a bad escape after "\" in double quotes`,
	"found invalid Unicode character escape code":                  `an escape after "\" in double quotes that is no character`,
	"control characters are not allowed":                           "a control character",
}

var prefixFaults = []struct{ prefix, words string }{
	{"exceeded max depth", fmt.Sprintf("more than %d levels of nesting", maxNesting)},
	{"unknown anchor", `"*" with the name of no anchor; put text in quotes`},
	{"anchor", "an alias within what it stands for"},
	{"cannot decode", "a value that is not what its tag says"},
	{"invalid map key", "a key that is no text; put it in quotes"},
}
