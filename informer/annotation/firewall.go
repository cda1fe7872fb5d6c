package annotation

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/sluice-gateway/sluice/routing/policy"
)

const (
	waf               = "waf"
	enableModsecurity = "enable-modsecurity"

	defaultParanoia  = 1
	maxParanoia      = 4
	defaultThreshold = 5
	maxThreshold     = 10_000
	// defaultInspected is how much of a body is looked at. A rule set takes some 5 ms of a processor for each KiB of text.
	defaultInspected = 64 << 10
	maxInspected     = 1 << 20
)

// unguarded is what happens where it cannot be read what the firewall is to do.
const unguarded = "what is to be looked at cannot be read; every path of the object answers 503 rather than being unguarded"

// The web application firewall.
var _ = add(
	Row{
		Key: enableModsecurity, Scope: ScopeRoute, Value: "true or false", Default: "false",
		Set: func(s *Settings, value string) error {
			on, err := strconv.ParseBool(value)
			if err != nil {
				return s.close("want true or false; " + unguarded)
			}
			if on {
				s.Policy.Set(newFirewall(false, false))
			}
			return nil
		},
		Get: func(s *Settings) any { return s.Policy.Filter(policy.KindFirewall) != nil },
		Doc: "Looks for attacks in requests and logs them, as ingress-nginx does by default: nothing is refused, and without enable-owasp-core-rules it is only looked at whether bodies can be read. " +
			"waf: block refuses attacks.",
	},
	Row{
		Key: "enable-owasp-core-rules", Scope: ScopeRoute, Value: "true or false", Default: "false", Needs: enableModsecurity,
		Set: func(s *Settings, value string) error {
			on, err := strconv.ParseBool(value)
			if err != nil {
				return s.close("want true or false; " + unguarded)
			}
			if f := firewallOf(s); f != nil && on {
				f.CoreRules = true
			}
			return nil
		},
		Get: func(s *Settings) any { f := firewallOf(s); return f != nil && f.CoreRules },
		Doc: "Looks by the rules of OWASP's core rule set.",
	},
	Row{
		Key: "modsecurity-snippet", Scope: ScopeRoute, Value: "anything",
		Set: func(s *Settings, value string) error {
			reason := s.close("directives of ModSecurity are not taken from objects; every path of the object answers 503 rather than being unguarded")
			return fmt.Errorf("%w; %s", reason, instead(value))
		},
		Get: closed,
		Doc: "Directives for the firewall: the Routes of the object answer 503, because a directive can read files and start programs, and one that is left out may have guarded the object. " +
			"The Rejection names the annotations that stand for the usual ones.",
	},
	Row{
		Key: "modsecurity-transaction-id", Scope: ScopeRoute, Value: "anything", Needs: enableModsecurity,
		Set: func(*Settings, string) error {
			return errors.New("it has no effect: lines of the firewall carry the request's X-Request-ID")
		},
		Get: func(*Settings) any { return nil },
		Doc: "Has no effect: lines of the firewall in the log carry the request's X-Request-ID.",
	},
	Row{
		Key: waf, Scope: ScopeRoute, Value: "block, detect or off", Default: "off", OwnOnly: true,
		Set: func(s *Settings, value string) error {
			switch value {
			case "block", "detect":
				s.Policy.Set(newFirewall(value == "block", true))
			case "off":
				s.Policy.Remove(policy.KindFirewall)
			default:
				return s.close("want block, detect or off; " + unguarded)
			}
			return nil
		},
		Get: func(s *Settings) any {
			f := firewallOf(s)
			switch {
			case f == nil:
				return "off"
			case f.Block:
				return "block"
			}
			return "detect"
		},
		Doc: "Looks for attacks in requests by OWASP's core rule set, off the loops: block answers them 403, detect only logs them. " +
			"Looked at are method, target, fields and body, not responses. Where a request cannot be looked at, or not within 5 seconds because too many are, block answers 503. " +
			"It wins over enable-modsecurity.",
	},
	Row{
		Key: "waf-anomaly-threshold", Scope: ScopeRoute, Value: "number from 1 to 10000", Default: strconv.Itoa(defaultThreshold), OwnOnly: true, Needs: waf,
		Set: wafNumber(maxThreshold, func(f *policy.Firewall) *int { return &f.Threshold }),
		Get: func(s *Settings) any { return firewallOf(s).Threshold },
		Doc: "The score from which a request is an attack. A rule adds 5 for what is critical, 4 for an error, 3 for a warning, 2 for a notice.",
	},
	Row{
		Key: "waf-body-limit", Scope: ScopeRoute, Value: "bytes, with b, k or m", Default: "64k", OwnOnly: true, Needs: waf,
		Set: func(s *Settings, value string) error {
			var size Settings
			n := int64(0)
			if setBodySize(&size, value) == nil {
				n = size.Policy.Limits.BodyBytes
			}
			if n < 1 || n > maxInspected {
				return s.close(fmt.Sprintf("want 1 to %d bytes; %s", maxInspected, unguarded))
			}
			if f := firewallOf(s); f != nil {
				f.BodyBytes = n
			}
			return nil
		},
		Get: func(s *Settings) any { return firewallOf(s).BodyBytes },
		Doc: "How much of a body is held in memory and looked at, 1m at most. With block a longer body is answered 413; with detect the rest of it passes. " +
			"A KiB of text takes some 5 ms of a processor. The messages of gRPC are not looked at. " +
			"Uploads of forms are in the folder for temporary files while they are looked at; where the gateway has none that it may write to, the Routes answer 503.",
	},
	Row{
		Key: "waf-exclude-rules", Scope: ScopeRoute, Value: "numbers of rules, or ranges such as 942000-942999, with commas between", Default: "none", OwnOnly: true, Needs: waf,
		Set: func(s *Settings, value string) error {
			list, err := policy.ParseRules(value)
			if err != nil {
				return fmt.Errorf("%w; %w", err, s.close(unguarded))
			}
			if f := firewallOf(s); f != nil {
				f.Exclude = list
			}
			return nil
		},
		Get: func(s *Settings) any { return fmt.Sprint(firewallOf(s).Exclude) },
		Doc: "Rules that do not count, because they take what is ordinary here for an attack. The log names the rules that have matched.",
	},
	Row{
		Key: "waf-paranoia-level", Scope: ScopeRoute, Value: "number from 1 to 4", Default: strconv.Itoa(defaultParanoia), OwnOnly: true, Needs: waf,
		Set: wafNumber(maxParanoia, func(f *policy.Firewall) *int { return &f.Paranoia }),
		Get: func(s *Settings) any { return firewallOf(s).Paranoia },
		Doc: "How strict the core rules are: each level has the rules of those below, and takes more of what is ordinary for attacks.",
	},
)

func newFirewall(block, core bool) *policy.Firewall {
	return &policy.Firewall{Block: block, CoreRules: core, Paranoia: defaultParanoia, Threshold: defaultThreshold, BodyBytes: defaultInspected}
}

// firewallOf returns the Firewall that s asks for; nil: none.
func firewallOf(s *Settings) *policy.Firewall {
	f, _ := s.Policy.Filter(policy.KindFirewall).(*policy.Firewall)
	return f
}

// wafNumber makes the Set of a Row whose values are numbers from 1 on.
func wafNumber(most int, field func(*policy.Firewall) *int) func(*Settings, string) error {
	return func(s *Settings, value string) error {
		n, err := strconv.Atoi(value)
		if err != nil || n < 1 || n > most {
			return s.close(fmt.Sprintf("want a number from 1 to %d; %s", most, unguarded))
		}
		if f := firewallOf(s); f != nil {
			*field(f) = n
		}
		return nil
	}
}

// maxDirectives bounds the part of a snippet that is looked at.
const maxDirectives = 64

// instead names the annotations that stand for the usual directives of a snippet.
func instead(snippet string) string {
	found := map[string]string{}
	var rules []string
	unknown := ""
	lines := strings.SplitN(strings.ReplaceAll(snippet, "\\\n", " "), "\n", maxDirectives+1)
	for _, line := range lines[:min(len(lines), maxDirectives)] {
		words := strings.Fields(line)
		if len(words) == 0 || words[0][0] == '#' {
			continue
		}
		rest := strings.Trim(strings.Join(words[1:], " "), `"';`)
		switch words[0] {
		case "SecRuleEngine":
			mode, known := map[string]string{"On": "block", "DetectionOnly": "detect", "Off": "off"}[rest]
			if known {
				found[waf] = mode
				continue
			}
		case "SecRuleRemoveById":
			if _, err := policy.ParseRules(rest); err == nil && len(rest) <= maxBrief {
				rules = append(rules, strings.Join(strings.Fields(rest), ","))
				continue
			}
		case "SecRequestBodyLimit":
			if n, err := strconv.Atoi(rest); err == nil && n > 0 {
				found["waf-body-limit"] = strconv.Itoa(min(n, maxInspected))
				continue
			}
		case "SecAction":
			if takeVariables(rest, found) {
				continue
			}
		case "Include":
			if strings.Contains(rest, "owasp") || strings.Contains(rest, "modsecurity.conf") {
				found[waf] = cmp.Or(found[waf], "detect")
				continue
			}
		case "SecRequestBodyAccess", "SecResponseBodyAccess", "SecAuditEngine", "SecAuditLog", "SecAuditLogParts", "SecAuditLogType", "SecAuditLogFormat",
			"SecAuditLogRelevantStatus", "SecDebugLog", "SecDebugLogLevel", "SecTmpDir", "SecDataDir", "SecStatusEngine", "SecAuditLogStorageDir":
			continue // the gateway has its own
		}
		if unknown == "" {
			unknown = words[0]
		}
	}
	if len(rules) > 0 {
		found["waf-exclude-rules"] = strings.Join(rules[:min(len(rules), 16)], ",")
	}
	var text []string
	for _, key := range slices.Sorted(maps.Keys(found)) {
		text = append(text, OwnPrefix+key+": "+found[key])
	}
	switch {
	case len(text) == 0:
		return "nothing stands for " + brief(cmp.Or(unknown, "it"))
	case unknown != "":
		return "use " + strings.Join(text, ", ") + "; nothing stands for " + brief(unknown)
	}
	return "use " + strings.Join(text, ", ")
}

// takeVariables notes what a SecAction of the core rule set's setup stands for.
func takeVariables(action string, found map[string]string) (known bool) {
	for part := range strings.SplitSeq(action, ",") {
		variable, isVariable := strings.CutPrefix(strings.Trim(part, ` '"`), "setvar:")
		name, value, _ := strings.Cut(strings.Trim(variable, "'"), "=")
		if n, err := strconv.Atoi(value); !isVariable || err != nil || n < 1 {
			continue
		}
		switch strings.TrimPrefix(strings.ToLower(name), "tx.") {
		case "inbound_anomaly_score_threshold":
			found["waf-anomaly-threshold"], known = value, true
		case "paranoia_level", "blocking_paranoia_level":
			found["waf-paranoia-level"], known = value, true
		}
	}
	return known
}
