package policy

import (
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestLines(t *testing.T) {
	p := &Policy{
		Limits:       Limits{BodyBytes: 8 << 20, Connect: 3e9, Read: 600e9, Send: 30e9, Request: 90e9},
		Retry:        Retry{On: RetryError | Retry503, Tries: 3, Timeout: 2e9},
		Priority:     -1,
		UpstreamHost: "inner.test:8080", Connection: ConnectionClose, StrictTransport: "max-age=1",
		Closed: "for a reason",
	}
	p.Set(&Rewrite{Target: "/b"})
	p.Set(&Access{Allow: prefixes("10.0.0.0/8", "fd00::1/128"), Deny: prefixes("10.1.0.0/16")})
	p.Set(&CORS{Origins: []string{"https://*.a.test", "null"}, Methods: "GET, PUT", Expose: "X-A", Credentials: true, MaxAge: 60})
	want := []string{
		"request body at most 8388608 bytes",
		"connect timeout 3s", "read timeout 10m0s", "send timeout 30s", "request timeout 1m30s",
		"retry on error http_503 at most 3 attempts within 2s",
		"priority -1",
		"Host sent to the backend inner.test:8080",
		"connection to the backend close",
		"Strict-Transport-Security max-age=1",
		"access deny 10.1.0.0/16 allow 10.0.0.0/8,fd00::1/128",
		`cors origins https://*.a.test,null methods "GET, PUT" expose X-A credentials max age 60`,
		"rewrite to /b",
		"closed: for a reason",
	}
	if got := slices.Collect(p.Lines()); !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	for i := range want {
		n := 0
		for range p.Lines() {
			if n++; n > i {
				break
			}
		}
	}
	for _, p := range []*Policy{nil, {}} {
		for line := range p.Lines() {
			t.Errorf("a Policy that asks for nothing says %q", line)
		}
		if !p.Empty() || p.Filter(KindCORS) != nil {
			t.Errorf("%+v asks for something", p)
		}
	}
}

// filters has one of each that the package has. One may be added by the test of its own file.
var filters = []Filter{&Access{}, &CORS{}, &Rewrite{}}

// TestFiltersAreListed: what TestNothingIsForgotten looks at is all that there is.
func TestFiltersAreListed(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	method := regexp.MustCompile(`(?m)^func \((?:\w+ )?\*?(\w+)\) AppendText\(`)
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range method.FindAllStringSubmatch(string(text), -1) {
			name := m[1]
			if !strings.HasSuffix(file, "_test.go") && !slices.ContainsFunc(filters, func(f Filter) bool { return reflect.TypeOf(f).Elem().Name() == name }) {
				t.Errorf("%s of %s is not in filters", name, file)
			}
		}
	}
}

// TestNothingIsForgotten: a new field of Policy, of Limits or of a Filter has to be compared, or a change of it is not
// served, and to be shown, or the gateway's behaviour cannot be seen.
func TestNothingIsForgotten(t *testing.T) {
	check := func(name string, set func(*Policy)) {
		var p Policy
		set(&p)
		if p.Empty() || p.Equal(nil) || (*Policy)(nil).Equal(&p) || p.Equal(&Policy{}) {
			t.Errorf("%s is not compared", name)
		}
		var same Policy
		set(&same)
		if !p.Equal(&same) {
			t.Errorf("%s differs from itself", name)
		}
		if len(slices.Collect(p.Lines())) == 0 {
			t.Errorf("%s is not in Lines", name)
		}
	}
	for i := range reflect.TypeFor[Policy]().NumField() {
		switch f := reflect.TypeFor[Policy]().Field(i); f.Name {
		case "Limits", "Retry", "Filters": // field by field below
		case "Attachment": // the data plane's, and no part of what is asked for
		default:
			check("Policy."+f.Name, func(p *Policy) { fill(t, reflect.ValueOf(p).Elem().Field(i)) })
		}
	}
	for i := range reflect.TypeFor[Limits]().NumField() {
		check("Limits."+reflect.TypeFor[Limits]().Field(i).Name, func(p *Policy) { fill(t, reflect.ValueOf(&p.Limits).Elem().Field(i)) })
	}
	for i := range reflect.TypeFor[Retry]().NumField() {
		check("Retry."+reflect.TypeFor[Retry]().Field(i).Name, func(p *Policy) { fill(t, reflect.ValueOf(&p.Retry).Elem().Field(i)) })
	}
	for _, f := range filters {
		kind := reflect.TypeOf(f).Elem()
		for i := range kind.NumField() {
			name := kind.Name() + "." + kind.Field(i).Name
			next := reflect.New(kind)
			fill(t, next.Elem().Field(i))
			o := next.Interface().(Filter)
			if f.Equal(o) || o.Equal(f) || !o.Equal(o) {
				t.Errorf("%s is not compared", name)
			}
			if slices.Equal(f.AppendText(nil), o.AppendText(nil)) {
				t.Errorf("%s is not shown", name)
			}
			if o.Kind() != f.Kind() {
				t.Errorf("%s changes the Kind", name)
			}
			check(name, func(p *Policy) { p.Set(o) })
		}
	}
}

// fill gives v a value that is not its zero.
func fill(t *testing.T, v reflect.Value) {
	t.Helper()
	switch v.Interface().(type) {
	case string:
		v.SetString("x")
	case []TextPattern:
		v.Set(reflect.ValueOf([]TextPattern{{Text: "x"}}))
	case []FieldTemplate:
		v.Set(reflect.ValueOf([]FieldTemplate{{"X-A", "x"}}))
	case Sealed:
		v.Set(reflect.ValueOf(Seal([]byte("x"))))
	case time.Duration:
		v.SetInt(int64(time.Minute))
	case *Login:
		v.Set(reflect.ValueOf(&Login{Issuer: "x"}))
	case *JWT:
		v.Set(reflect.ValueOf(&JWT{URL: "x"}))
	case int64, int32, int:
		v.SetInt(7)
	case RetryOn:
		v.SetUint(uint64(RetryError))
	case bool:
		v.SetBool(true)
	case []int:
		v.Set(reflect.ValueOf([]int{7}))
	case Change:
		v.Set(reflect.ValueOf(Change{"x", "y"}))
	case []Field:
		v.Set(reflect.ValueOf([]Field{{"x", "y"}}))
	case BackendRef:
		v.Set(reflect.ValueOf(BackendRef{7, "x"}))
	case []string:
		v.Set(reflect.ValueOf([]string{"x"}))
	case Users:
		v.Set(reflect.ValueOf(NewUsers(map[string]string{"x": "y"})))
	case *Access:
		v.Set(reflect.ValueOf(&Access{Deny: prefixes("10.0.0.0/8")}))
	case *External:
		v.Set(reflect.ValueOf(&External{URL: "x"}))
	case *BasicAuth:
		v.Set(reflect.ValueOf(&BasicAuth{Realm: "x"}))
	case []RuleRange:
		v.Set(reflect.ValueOf([]RuleRange{{1, 2}}))
	case Unavailable:
		v.SetString("x")
	case []netip.Prefix:
		v.Set(reflect.ValueOf(prefixes("10.0.0.0/8")))
	default:
		t.Fatalf("a field of type %s: teach fill what a value of it is", v.Type())
	}
}

func TestSet(t *testing.T) {
	var p Policy
	first := &Rewrite{Target: "/a"}
	for _, f := range []Filter{first, &Access{Deny: prefixes("10.0.0.0/8")}, &Rewrite{Target: "/b"}, &CORS{}} {
		p.Set(f)
	}
	var kinds []Kind
	for _, f := range p.Filters {
		kinds = append(kinds, f.Kind())
	}
	if want := []Kind{KindAccess, KindCORS, KindRewrite}; !slices.Equal(kinds, want) {
		t.Errorf("Kinds %v, want %v", kinds, want)
	}
	if r, ok := p.Filter(KindRewrite).(*Rewrite); !ok || r.Target != "/b" {
		t.Errorf("the Rewrite is %v", r)
	}
	p.Remove(KindCORS)
	p.Remove("other")
	if p.Filter("other") != nil || p.Filter(KindCORS) != nil || len(p.Filters) != 2 {
		t.Errorf("left are %v", p.Filters)
	}
}

// TestEqualWithFilters: what is equal is served with what was compiled before, so that nothing may be overlooked.
func TestEqualWithFilters(t *testing.T) {
	with := func(filters ...Filter) *Policy {
		p := &Policy{}
		for _, f := range filters {
			p.Set(f)
		}
		return p
	}
	a := with(&Access{Allow: prefixes("10.0.0.0/8")}, &Rewrite{Target: "/a"})
	if !a.Equal(with(&Rewrite{Target: "/a"}, &Access{Allow: prefixes("10.0.0.0/8")})) {
		t.Error("equal Filters differ")
	}
	for name, o := range map[string]*Policy{
		"one less":      with(&Rewrite{Target: "/a"}),
		"another value": with(&Access{Allow: prefixes("10.0.0.0/9")}, &Rewrite{Target: "/a"}),
		"another Kind":  with(&CORS{Origins: []string{"*"}}, &Rewrite{Target: "/a"}),
		"the other way": with(&Access{Deny: prefixes("10.0.0.0/8")}, &Rewrite{Target: "/a"}),
	} {
		if a.Equal(o) || o.Equal(a) {
			t.Errorf("%s is equal", name)
		}
	}
}

func TestDisjoint(t *testing.T) {
	for _, row := range []struct{ list, want string }{
		{"", ""},
		{"10.1.2.3/8", "10.0.0.0/8"},
		{"10.0.0.0/8 10.0.0.0/8", "10.0.0.0/8"},
		{"10.1.0.0/16 10.0.0.0/8 10.2.3.4/32", "10.0.0.0/8"},
		{"10.128.0.0/9 10.0.0.0/9", "10.0.0.0/9 10.128.0.0/9"},
		{"fd00::/8 10.0.0.0/8 fd12::1/128 9.0.0.0/8", "9.0.0.0/8 10.0.0.0/8 fd00::/8"},
		{"10.0.0.0/9 0.0.0.0/0 ::1/128 ::/0", "0.0.0.0/0 ::/0"},
	} {
		var got []string
		for _, p := range Disjoint(prefixes(strings.Fields(row.list)...)) {
			got = append(got, p.String())
		}
		if strings.Join(got, " ") != row.want {
			t.Errorf("%q gives %q, want %q", row.list, got, row.want)
		}
	}
}

// careless is a Filter that does not quote.
type careless struct{ text string }

func (careless) Kind() Kind                     { return "careless" }
func (c careless) Equal(f Filter) bool          { return c == f }
func (c careless) AppendText(dst []byte) []byte { return append(dst, c.text...) }

func TestLinesAreLines(t *testing.T) {
	for _, text := range []string{"a\nclosed: no", "a\rb", "a\x1b[2J", "a\x00"} {
		p := &Policy{Filters: []Filter{careless{text}, &CORS{Origins: []string{text}, Methods: text}, &Rewrite{Target: text}}, UpstreamHost: text}
		for line := range p.Lines() {
			if strings.ContainsAny(line, "\n\r\x1b\x00") {
				t.Errorf("%q makes the line %q", text, line)
			}
		}
	}
}

func TestWord(t *testing.T) {
	for _, row := range []struct{ text, want string }{
		{"web", "web"},
		{"/a?b=%20", "/a?b=%20"},
		{"münchen.test", "münchen.test"},
		{"", `""`},
		{"a b", `"a b"`},
		{`say"`, `"say\""`},
		{"a\nhost evil", `"a\nhost evil"`},
		{"a\x1b[2J", `"a\x1b[2J"`},
		{"a\xffb", `"a\xffb"`},
		{"a\u202eb", `"a\u202eb"`}, // turns the direction of what follows
		{"a\u00a0b", `"a\u00a0b"`}, // a space that does not look like another
	} {
		if got := Word(row.text); got != row.want {
			t.Errorf("Word(%q) = %s, want %s", row.text, got, row.want)
		}
	}
}

func prefixes(list ...string) (out []netip.Prefix) {
	for _, s := range list {
		out = append(out, netip.MustParsePrefix(s))
	}
	return out
}
