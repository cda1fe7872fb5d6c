package policy

import (
	"strings"
	"testing"
)

func init() { filters = append(filters, &Firewall{}) }

func TestFirewallText(t *testing.T) {
	f := &Firewall{Block: true, CoreRules: true, Paranoia: 2, Threshold: 7, Exclude: []RuleRange{{920350, 920350}, {942000, 942999}}, BodyBytes: 4096}
	if got, want := Line(f), "waf block core rules paranoia 2 threshold 7 exclude 920350,942000-942999 body 4096 bytes"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestParseRules(t *testing.T) {
	for _, row := range []struct{ text, want string }{
		{"942100", "942100"},
		{"942100,920000-920999", "920000-920999,942100"},
		{" 942100 , 942100\t", "refused"},
		{" 942100 , 942100 ", "942100"},
		{"5-9 5-7 4", "4,5-7,5-9"},
		{"", "refused"}, {",", "refused"}, {"0", "refused"}, {"x", "refused"}, {"-5", "refused"}, {"5-", "refused"}, {"9-5", "refused"},
		{"1-2-3", "refused"}, {"+5", "refused"}, {"1e5", "refused"}, {"99999999", "99999999"}, {"100000000", "refused"}, {"99999999999999999999", "refused"},
		{"949110", "refused"}, {"1-99999999", "refused"}, {"940000-948999", "940000-948999"},
		{strings.Repeat("1,", 64), "1"}, {strings.Repeat("1,", 65), "refused"},
		{"942100\nSecRuleEngine Off", "refused"},
	} {
		list, err := ParseRules(row.text)
		got := "refused"
		if err == nil {
			text := string((&Firewall{Exclude: list}).AppendText(nil))
			_, text, _ = strings.Cut(text, " exclude ")
			got, _, _ = strings.Cut(text, " body")
		}
		if got != row.want {
			t.Errorf("%.40q: got %s, want %s; %v", row.text, got, row.want, err)
		}
	}
}

func FuzzParseRules(f *testing.F) {
	for _, s := range []string{"942100", "1-2,3", " ,", "9-5", "949110"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		list, err := ParseRules(s)
		if err != nil {
			return
		}
		if len(list) == 0 || len(list) > maxRuleRanges {
			t.Fatalf("%d ranges", len(list))
		}
		for i, r := range list {
			if r.First < 1 || r.Last < r.First || r.Last > maxRule || r.First <= 949999 && r.Last >= 949000 || i > 0 && list[i-1].First > r.First {
				t.Fatalf("%q gives %v", s, list)
			}
		}
		_, text, _ := strings.Cut(string((&Firewall{Exclude: list}).AppendText(nil)), " exclude ")
		text, _, _ = strings.Cut(text, " body")
		if again, err := ParseRules(text); err != nil || len(again) != len(list) {
			t.Fatalf("%q reads as %v, %v", text, again, err)
		}
	})
}
