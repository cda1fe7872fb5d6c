package annotation

import "github.com/sluice-gateway/sluice/routing/policy"

func init() {
	for _, key := range []string{"limit-rps", "limit-rpm", "limit-connections", "limit-concurrency", "cluster-limit-rps", "cluster-limit-rpm"} {
		examples = append(examples, []example{
			{key, "1", 1},
			{key, "+10", 10},
			{key, "0", 0},
			{key, "9223372036854775807", maxLimit},
			{key, "9223372036854775808", closing},
			{key, "-1", refused},
			{key, "", refused},
			{key, "ten", closing},
			{key, "1.5", closing},
			{key, " 1", closing},
			{key, "1r/s", closing},
		}...)
	}
	for _, key := range []string{"limit-allowlist", "limit-whitelist"} {
		examples = append(examples, []example{
			{key, "10.0.0.1", "[10.0.0.1/32]"},
			{key, "127.3.2.1, 127.3.1.9/24,127.3.1.0/24", "[127.3.1.0/24 127.3.2.1/32]"},
			{key, "fd00::/8", "[fd00::/8]"},
			{key, "", refused},
			{key, "10.0.0.0/99", closing},
			{key, "10.0.0.1,", closing},
			{key, "a.test", closing},
		}...)
	}
	for _, key := range []string{"limit-rate", "limit-rate-after"} {
		examples = append(examples, []example{
			{key, "10", int64(10)},
			{key, "0", int64(0)},
			{key, "9223372036854775807", int64(maxLimit)},
			{key, "-1", refused},
			{key, "10k", refused},
			{key, "", refused},
		}...)
	}
	goodValues["limit-rate"] = "7"
	examples = append(examples, []example{
		{"limit-burst-multiplier", "1", 1},
		{"limit-burst-multiplier", "0", 0},
		{"limit-burst-multiplier", "9223372036854775807", maxLimit},
		{"limit-burst-multiplier", "three", refused},
		{"limit-burst-multiplier", "1.5", refused},
		{"limit-burst-multiplier", "-1", refused},
		{"limit-burst-multiplier", "", refused},
		{"limit-status-code", "429", 429},
		{"limit-status-code", "503", 503},
		{"limit-status-code", "200", refused},
		{"limit-status-code", "600", refused},
		{"limit-status-code", "", refused},
		{"cluster-limit-unavailable", "local", policy.CountAlone},
		{"cluster-limit-unavailable", "open", policy.PassAll},
		{"cluster-limit-unavailable", "closed", policy.RefuseAll},
		{"cluster-limit-unavailable", "Open", refused},
		{"cluster-limit-unavailable", "", refused},
		{"limit-response-fields", "true", true},
		{"limit-response-fields", "false", false},
		{"limit-response-fields", "on", refused},
	}...)
}
