package annotation

import "testing"

func TestLeavesOut(t *testing.T) {
	for _, row := range []struct {
		key, value string
		out        bool
	}{
		{"server-alias", "", false},
		{"server-alias", "a.test, *.b.test", false},
		{"server-alias", `~^a\d+\.test$`, false},
		{"server-alias", "a;b.test", true},
		{"server-alias", "a.test,b\r\nc.test", true},
		{"server-alias", "a b.test", true},
		{"auth-tls-error-page", "", false},
		{"auth-tls-error-page", "https://help.test/a", false},
		{"auth-tls-error-page", "/sorry", false},
		{"auth-tls-error-page", "https://help.test/?a=b", true},
		{"auth-tls-error-page", "https://help.test/\n", true},
		{"rewrite-target", "a;b", false},
	} {
		name, reason := LeavesOut(map[string]string{NginxPrefix + row.key: row.value})
		if (reason != "") != row.out || row.out && name != NginxPrefix+row.key {
			t.Errorf("%s=%q: %s: %q", row.key, row.value, name, reason)
		}
		if name, _ := LeavesOut(map[string]string{NginxPrefix + row.key: row.value, OwnPrefix + row.key: "a.test"}); name != "" {
			t.Errorf("%s=%q counts beside one of Sluice's own", row.key, row.value)
		}
	}
}
