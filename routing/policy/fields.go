package policy

// KindFields is the Kind of Fields.
const KindFields Kind = "response-fields"

// Fields edits the fields of every response, in this order: those in Remove go, those in Set replace others of their names, those
// in Add join them, and those in Default come where none has their names.
type Fields struct {
	Remove            []string
	Set, Add, Default []Field
}

// Field is a field of a head, as ValidField takes it.
type Field struct{ Name, Value string }

// Kind implements Filter.
func (*Fields) Kind() Kind { return KindFields }

// Equal implements Filter.
func (f *Fields) Equal(o Filter) bool { return string(f.AppendText(nil)) == string(o.AppendText(nil)) }

// AppendText implements Filter.
func (f *Fields) AppendText(b []byte) []byte {
	for i, name := range f.Remove {
		if i == 0 {
			b = append(b, "remove"...)
		}
		b = append(append(b, ' '), Word(name)...)
	}
	for _, kind := range []struct {
		verb string
		list []Field
	}{{"set", f.Set}, {"add", f.Add}, {"default", f.Default}} {
		for _, field := range kind.list {
			if len(b) > 0 && b[len(b)-1] != ' ' {
				b = append(b, ' ')
			}
			b = append(append(append(append(append(b, kind.verb...), ' '), Word(field.Name)...), ": "...), Word(field.Value)...)
		}
	}
	return b
}
