package annotation

import (
	"strings"
	"testing"
)

func init() {
	goodValues[waf] = "block"
	examples = append(examples,
		example{"enable-modsecurity", "true", true},
		example{"enable-modsecurity", "false", false},
		example{"enable-modsecurity", "on", closing},
		example{"enable-owasp-core-rules", "true", true},
		example{"enable-owasp-core-rules", "yes", closing},
		example{"modsecurity-snippet", "SecRuleEngine On", closing},
		example{"modsecurity-snippet", "", closing},
		example{"modsecurity-transaction-id", "$request_id", refused},
		example{"waf", "block", "block"},
		example{"waf", "detect", "detect"},
		example{"waf", "off", "off"},
		example{"waf", "Block", closing},
		example{"waf", "", closing},
		example{"waf-anomaly-threshold", "10", 10},
		example{"waf-anomaly-threshold", "0", closing},
		example{"waf-anomaly-threshold", "many", closing},
		example{"waf-body-limit", "128k", int64(128 << 10)},
		example{"waf-body-limit", "1m", int64(1 << 20)},
		example{"waf-body-limit", "2m", closing},
		example{"waf-body-limit", "0", closing},
		example{"waf-body-limit", "x", closing},
		example{"waf-exclude-rules", "942100, 920000-920999", "[{920000 920999} {942100 942100}]"},
		example{"waf-exclude-rules", "949110", closing},
		example{"waf-exclude-rules", "1\nSecRuleEngine Off", closing},
		example{"waf-paranoia-level", "4", 4},
		example{"waf-paranoia-level", "5", closing},
	)
}

// TestFirewall: what counts where several are there, under both prefixes.
func TestFirewall(t *testing.T) {
	for _, row := range []struct {
		annotations map[string]string
		rejected    int
		want        string
	}{
		{map[string]string{NginxPrefix + "enable-modsecurity": "true"}, 0, "detect paranoia 1 threshold 5 body 65536 bytes"},
		{map[string]string{NginxPrefix + "enable-modsecurity": "true", NginxPrefix + "enable-owasp-core-rules": "true"}, 0, "detect core rules paranoia 1 threshold 5 body 65536 bytes"},
		{map[string]string{NginxPrefix + "enable-owasp-core-rules": "true"}, 1, ""},
		{map[string]string{NginxPrefix + "enable-modsecurity": "false", NginxPrefix + "enable-owasp-core-rules": "true"}, 0, ""},
		{map[string]string{NginxPrefix + "enable-modsecurity": "true", OwnPrefix + "waf": "block", OwnPrefix + "waf-paranoia-level": "2"}, 0, "block core rules paranoia 2 threshold 5 body 65536 bytes"},
		{map[string]string{NginxPrefix + "enable-modsecurity": "true", OwnPrefix + "waf": "off", OwnPrefix + "waf-body-limit": "5", OwnPrefix + "waf-exclude-rules": "1"}, 0, ""},
		{map[string]string{NginxPrefix + "waf": "block"}, 1, ""},
		{map[string]string{OwnPrefix + "waf-paranoia-level": "2"}, 1, ""},
	} {
		rejected := 0
		s := Parse(row.annotations, func(_, _, _ string) { rejected++ })
		got := ""
		if f := firewallOf(&s); f != nil {
			got = string(f.AppendText(nil))
		}
		if got != row.want || rejected != row.rejected || s.Policy.Closed != "" {
			t.Errorf("%v: %q with %d Rejections, want %q with %d; %s", row.annotations, got, rejected, row.want, row.rejected, s.Policy.Closed)
		}
	}
}

// TestInstead: the usual snippets are told what stands for them, in a bounded number of words and without a line break.
func TestInstead(t *testing.T) {
	for _, row := range []struct{ snippet, want string }{
		{"SecRuleEngine On", "use sluice-gateway.io/waf: block"},
		{"SecRuleEngine On\nSecRequestBodyAccess On\nSecAuditLog /dev/stdout\n# note\nInclude /etc/nginx/owasp-modsecurity-crs/nginx-modsecurity.conf\nSecRuleRemoveById 920350 942100\nSecRuleRemoveById \"931000-931999\"",
			"use sluice-gateway.io/waf: block, sluice-gateway.io/waf-exclude-rules: 920350,942100,931000-931999"},
		{"SecAction \\\n \"id:900110,phase:1,nolog,pass,t:none,setvar:tx.inbound_anomaly_score_threshold=10,setvar:'tx.blocking_paranoia_level=2'\"",
			"use sluice-gateway.io/waf-anomaly-threshold: 10, sluice-gateway.io/waf-paranoia-level: 2"},
		{"SecRequestBodyLimit 13107200\nSecRule ARGS \"@rx x\" \"id:1,deny\"", "use sluice-gateway.io/waf-body-limit: 1048576; nothing stands for SecRule"},
		{"SecAction \"id:5,exec:/bin/sh\"", "nothing stands for SecAction"},
		{"", "nothing stands for it"},
		{"\r\x00x\xff", "nothing stands for \"\\x00x\\xff\""},
	} {
		if got := instead(row.snippet); got != row.want {
			t.Errorf("%q: got %q, want %q", row.snippet, got, row.want)
		}
	}
	for _, snippet := range []string{strings.Repeat("SecRuleRemoveById 1 2 3\n", 10000), strings.Repeat("x", 1<<20), strings.Repeat("SecRuleEngine On ", 1<<16)} {
		if got := instead(snippet); len(got) > 400 || strings.Contains(got, "\n") {
			t.Errorf("%d bytes: %q", len(got), got)
		}
	}
}
