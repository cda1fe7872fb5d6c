package policy

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// KindFirewall is the Kind of Firewall.
const KindFirewall Kind = "waf"

// Firewall looks for attacks in requests, by rules (sluice-gateway.io/waf, nginx.ingress.kubernetes.io/enable-modsecurity).
type Firewall struct {
	// Block is true where a request that the rules take for an attack is refused; otherwise it is logged alone.
	Block bool
	// CoreRules are those of OWASP's core rule set; without them it is only looked at whether a body can be read at all.
	CoreRules bool
	// Paranoia is how strict the core rules are, 1 to 4, and Threshold the score from which a request is an attack.
	Paranoia, Threshold int
	// Exclude are numbers of rules that do not count, as ranges from the first to the last, sorted.
	Exclude []RuleRange
	// BodyBytes is how much of a body is looked at. Where Block is true a longer one is refused.
	BodyBytes int64
}

// RuleRange is a range of numbers of rules.
type RuleRange struct{ First, Last int }

// Kind implements Filter.
func (*Firewall) Kind() Kind { return KindFirewall }

// Equal implements Filter.
func (f *Firewall) Equal(o Filter) bool {
	return string(f.AppendText(nil)) == string(o.AppendText(nil))
}

// AppendText implements Filter.
func (f *Firewall) AppendText(b []byte) []byte {
	if f.Block {
		b = append(b, "block"...)
	} else {
		b = append(b, "detect"...)
	}
	if f.CoreRules {
		b = append(b, " core rules"...)
	}
	b = strconv.AppendInt(append(b, " paranoia "...), int64(f.Paranoia), 10)
	b = strconv.AppendInt(append(b, " threshold "...), int64(f.Threshold), 10)
	for i, r := range f.Exclude {
		b = append(b, [...]string{" exclude ", ","}[min(i, 1)]...)
		b = strconv.AppendInt(b, int64(r.First), 10)
		if r.Last != r.First {
			b = strconv.AppendInt(append(b, '-'), int64(r.Last), 10)
		}
	}
	b = strconv.AppendInt(append(b, " body "...), f.BodyBytes, 10)
	return append(b, " bytes"...)
}

const (
	// maxRule is the largest number of a rule.
	maxRule = 99_999_999
	// maxRuleRanges bounds what is looked up for each rule and request.
	maxRuleRanges = 64
)

// blockingRules are those that add up what the others have found: without them nothing would be refused.
var blockingRules = RuleRange{949000, 949999}

// ParseRules reads numbers and ranges of numbers of rules, with commas or spaces between: "942100, 920000-920999".
func ParseRules(s string) ([]RuleRange, error) {
	var list []RuleRange
	for word := range strings.FieldsFuncSeq(s, func(r rune) bool { return r == ',' || r == ' ' }) {
		first, last, isRange := strings.Cut(word, "-")
		if !isRange {
			last = first
		}
		from, err := ruleNumber(first)
		to, err2 := ruleNumber(last)
		switch {
		case err != nil || err2 != nil || from > to:
			return nil, fmt.Errorf("%s is no number of a rule, and no range", Word(word[:min(len(word), 40)]))
		case from <= blockingRules.Last && to >= blockingRules.First:
			return nil, errors.New("949000 to 949999 add up what the others have found: without them nothing is refused")
		case len(list) == maxRuleRanges:
			return nil, fmt.Errorf("want at most %d numbers and ranges", maxRuleRanges)
		}
		list = append(list, RuleRange{from, to})
	}
	if len(list) == 0 {
		return nil, errors.New("want numbers of rules")
	}
	slices.SortFunc(list, func(a, b RuleRange) int { return (a.First-b.First)*2 + max(-1, min(1, a.Last-b.Last)) })
	return slices.Compact(list), nil
}

func ruleNumber(s string) (int, error) {
	if len(s) > 8 {
		return 0, strconv.ErrRange
	}
	n, err := strconv.ParseUint(s, 10, 32)
	if err == nil && (n == 0 || n > maxRule) {
		err = strconv.ErrRange
	}
	return int(n), err
}
