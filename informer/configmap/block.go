package configmap

import (
	"errors"
	"fmt"
	"strings"

	"github.com/sluice-gateway/sluice/informer/internal/plain"
	"github.com/sluice-gateway/sluice/routing/expression"
	"github.com/sluice-gateway/sluice/routing/policy"
)

const patterns = "texts, or expressions behind ~ or ~*, with commas between"

// Requests that are refused by what they say of themselves.
var _ = add(
	block("block-referers", "Referer", func(b *policy.Block) *[]policy.TextPattern { return &b.Referers }),
	block("block-user-agents", "User-Agent", func(b *policy.Block) *[]policy.TextPattern { return &b.UserAgents }),
)

// maxPatterns bounds what each request is compared with.
const maxPatterns = 64

// block makes the Row of what a field of requests must not say.
func block(key, name string, field func(*policy.Block) *[]policy.TextPattern) Row {
	return Row{
		Key: key, Effect: EffectObjects, Value: patterns, Guards: true,
		Set: func(r *reading, value string) error {
			list, err := textPatterns(value)
			if err != nil {
				return r.close(err.Error() + closed)
			}
			if len(list) == 0 {
				return nil
			}
			if r.Objects.Block == nil {
				r.Objects.Block = &policy.Block{}
			}
			*field(r.Objects.Block) = list
			return nil
		},
		Doc: fmt.Sprintf("Requests whose field %s is one of these texts, in any case, or matches one of the expressions (RE2, behind ~* in any case) are answered 403 before anything else. "+
			"At most %d; of a value the first %d bytes are matched. Who wants in says something else.", name, maxPatterns, expression.MaxInput),
	}
}

func textPatterns(value string) (list []policy.TextPattern, err error) {
	for _, part := range elements(value) {
		if n := len(part); n > 1 && (part[0] == '"' || part[0] == '\'') && part[n-1] == part[0] {
			part = part[1 : n-1] // nginx needs quotes around white space
		}
		p := policy.TextPattern{Text: part}
		if text, ok := strings.CutPrefix(part, "~*"); ok {
			p = policy.TextPattern{Text: "(?i)" + text, Regular: true}
		} else if text, ok := strings.CutPrefix(part, "~"); ok {
			p = policy.TextPattern{Text: text, Regular: true}
		}
		if p.Regular {
			if _, err := expression.Parse(p.Text); err != nil {
				return nil, fmt.Errorf("%s: %w", policy.Word(plain.Short(part)), err)
			}
		}
		if list = append(list, p); len(list) > maxPatterns {
			return nil, errors.New("there are too many of them")
		}
	}
	return list, nil
}
