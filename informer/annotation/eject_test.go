package annotation

func init() {
	goodValues["breaker-percent"], goodValues["max-requests"] = "50", "10"
	examples = append(examples, []example{
		{"eject-after", "5", int32(5)},
		{"eject-after", "off", int32(-1)},
		{"eject-after", "0", refused},
		{"eject-after", "-1", refused},
		{"eject-after", "4294967297", refused},
		{"eject-on-server-error", "true", true},
		{"eject-on-server-error", "on", refused},
		{"eject-percent", "99", int32(99)},
		{"eject-percent", "100", refused},
		{"eject-time", "5s", int64(5e9)},
		{"eject-time", "5", refused},
		{"eject-time-max", "5m", int64(300e9)},
		{"eject-time-max", "24h", refused},
		{"slow-start", "30s", int64(30e9)},
		{"slow-start", "0s", refused},
		{"retry-budget", "0", int32(-1)},
		{"retry-budget", "50", int32(50)},
		{"retry-budget", "101", refused},
		{"max-requests", "10", int32(10)},
		{"max-requests", "0", refused},
		{"max-waiting", "0", int32(0)},
		{"max-waiting", "100001", refused},
		{"max-wait", "500ms", int64(500e6)},
		{"max-wait", "0s", refused},
		{"breaker-percent", "50", int32(50)},
		{"breaker-percent", "0", refused},
		{"breaker-requests", "5", int32(5)},
		{"breaker-requests", "x", refused},
		{"breaker-time", "100ms", int64(100e6)},
		{"breaker-time", "-1s", refused},
	}...)
}
