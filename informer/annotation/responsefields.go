package annotation

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/sluice-gateway/sluice/routing/policy"
)

const (
	// maxReplyFields bounds the fields of one annotation, and maxFieldText its text.
	maxReplyFields = 64
	maxFieldText   = 16 << 10

	linesOfFields = "lines of Name: value"
	fieldsStay    = "; responses stay as they are"
)

// Fields of responses.
var _ = add(
	Row{
		Key: "response-headers-set", Scope: ScopeRoute, Value: linesOfFields, OwnOnly: true,
		Set: setFields(func(f *policy.Fields, list []policy.Field) {
			for _, field := range list {
				f.Set = withField(f.Set, field)
			}
		}),
		Get: func(s *Settings) any { return fieldText(fieldsOf(s).Set) },
		Doc: "Fields of every response, errors and the gateway's own answers too, instead of a Backend's of these names. " +
			"Those that frame a message, belong to one connection or say who a client is are refused, and the others with them.",
	},
	Row{
		Key: "response-headers-add", Scope: ScopeRoute, Value: linesOfFields, OwnOnly: true,
		Set: setFields(func(f *policy.Fields, list []policy.Field) { f.Add = list }),
		Get: func(s *Settings) any { return fieldText(fieldsOf(s).Add) },
		Doc: "As response-headers-set, beside a Backend's fields of these names.",
	},
	Row{
		Key: "response-headers-remove", Scope: ScopeRoute, Value: "names, with commas between", OwnOnly: true,
		Set: func(s *Settings, value string) error {
			var list []string
			for name := range strings.SplitSeq(value, ",") {
				if name = strings.TrimSpace(name); name == "" {
					continue
				}
				if err := policy.ValidField(name, ""); err != nil {
					return fmt.Errorf("%s: %w%s", brief(name), err, fieldsStay)
				}
				if list = append(list, name); len(list) > maxReplyFields {
					return fmt.Errorf("want at most %d names%s", maxReplyFields, fieldsStay)
				}
			}
			editFields(s, func(f *policy.Fields) { f.Remove = list })
			return nil
		},
		Get: func(s *Settings) any { return strings.Join(fieldsOf(s).Remove, ",") },
		Doc: "Fields that no response has, whoever set them, but for response-headers-set and -add. The gateway's own Server, Date and Strict-Transport-Security are not among them.",
	},
	Row{
		Key: "security-headers", Scope: ScopeRoute, Value: "true or false", Default: "false", OwnOnly: true,
		Set: func(s *Settings, value string) error {
			var on bool
			if err := boolean(func(*Settings) *bool { return &on })(s, value); err != nil {
				return err
			}
			editFields(s, func(f *policy.Fields) {
				if f.Default = nil; on {
					f.Default = safeFields
				}
			})
			return nil
		},
		Get: func(s *Settings) any { return len(fieldsOf(s).Default) > 0 },
		Doc: "Whether responses that say nothing of it have X-Content-Type-Options: nosniff, X-Frame-Options: SAMEORIGIN and Referrer-Policy: strict-origin-when-cross-origin.",
	},
	oneField("content-security-policy", "Content-Security-Policy", "a policy of CSP", "What browsers may load and run for pages of the object"),
	oneField("permissions-policy", "Permissions-Policy", "a permissions policy", "What pages of the object may use of browsers"),
	oneField("frame-options", "X-Frame-Options", "DENY or SAMEORIGIN", "Who may show pages of the object in a frame", "DENY", "SAMEORIGIN"),
	oneField("referrer-policy", "Referrer-Policy", "a referrer policy", "What pages of the object tell others of where a visitor comes from",
		"no-referrer", "no-referrer-when-downgrade", "origin", "origin-when-cross-origin", "same-origin", "strict-origin", "strict-origin-when-cross-origin", "unsafe-url"),
)

// safeFields are those of security-headers.
var safeFields = []policy.Field{
	{Name: "X-Content-Type-Options", Value: "nosniff"},
	{Name: "X-Frame-Options", Value: "SAMEORIGIN"},
	{Name: "Referrer-Policy", Value: "strict-origin-when-cross-origin"},
}

// oneField makes the Row of a field that has one value, which is one of words where there are any.
func oneField(key, name, value, meaning string, words ...string) Row {
	return Row{
		Key: key, Scope: ScopeRoute, Value: value, OwnOnly: true,
		Set: func(s *Settings, value string) error {
			switch err := policy.ValidField(name, value); {
			case value == "" || len(value) > maxFieldText:
				return fmt.Errorf("want a value of at most %d bytes%s", maxFieldText, fieldsStay)
			case err != nil:
				return fmt.Errorf("%w%s", err, fieldsStay)
			case len(words) > 0 && !slices.Contains(words, value):
				return errors.New("want " + strings.Join(words, ", ") + fieldsStay)
			}
			editFields(s, func(f *policy.Fields) { f.Set = withField(f.Set, policy.Field{Name: name, Value: value}) })
			return nil
		},
		Get: func(s *Settings) any {
			for _, f := range fieldsOf(s).Set {
				if f.Name == name {
					return f.Value
				}
			}
			return ""
		},
		Doc: meaning + ": the field " + name + " of every response, instead of a Backend's. response-headers-set wins.",
	}
}

// fieldsOf returns the Fields of the Policy, or new ones that are not in the Policy.
func fieldsOf(s *Settings) *policy.Fields {
	if f, ok := s.Policy.Filter(policy.KindFields).(*policy.Fields); ok {
		return f
	}
	return &policy.Fields{}
}

// editFields changes the Fields of the Policy, which are no part of it where they ask for nothing.
func editFields(s *Settings, edit func(*policy.Fields)) {
	next := *fieldsOf(s)
	edit(&next)
	if len(next.Remove)+len(next.Set)+len(next.Add)+len(next.Default) == 0 {
		s.Policy.Remove(policy.KindFields)
		return
	}
	s.Policy.Set(&next)
}

// setFields makes the Set of a Row whose values are fields.
func setFields(edit func(*policy.Fields, []policy.Field)) func(*Settings, string) error {
	return func(s *Settings, value string) error {
		list, err := parseFields(value)
		if err != nil {
			return fmt.Errorf("%w%s", err, fieldsStay)
		}
		editFields(s, func(f *policy.Fields) { edit(f, list) })
		return nil
	}
}

// parseFields reads lines of "Name: value".
func parseFields(text string) (list []policy.Field, err error) {
	if len(text) > maxFieldText {
		return nil, fmt.Errorf("want at most %d bytes", maxFieldText)
	}
	for line := range strings.SplitSeq(text, "\n") {
		if line = strings.Trim(line, " \t\r"); line == "" {
			continue
		}
		name, value, ok := strings.Cut(line, ":")
		value = strings.Trim(value, " \t")
		if !ok {
			return nil, fmt.Errorf("%s is no field: want Name: value", brief(line))
		}
		if err := policy.ValidField(name, value); err != nil {
			return nil, fmt.Errorf("%s: %w", brief(name), err)
		}
		if list = append(list, policy.Field{Name: name, Value: value}); len(list) > maxReplyFields {
			return nil, fmt.Errorf("want at most %d fields", maxReplyFields)
		}
	}
	return list, nil
}

// withField returns list with f in it, instead of one of the same name.
func withField(list []policy.Field, f policy.Field) []policy.Field {
	list = slices.DeleteFunc(slices.Clone(list), func(o policy.Field) bool { return strings.EqualFold(o.Name, f.Name) })
	return append(list, f)
}

// fieldText is the text of fields as parseFields reads it.
func fieldText(list []policy.Field) string {
	lines := make([]string, len(list))
	for i, f := range list {
		lines[i] = f.Name + ": " + f.Value
	}
	return strings.Join(lines, "\n")
}
