package annotation

import "github.com/sluice-gateway/sluice/routing/policy"

func init() {
	examples = append(examples, []example{
		{"proxy-next-upstream", "error timeout http_503", policy.RetryError | policy.RetryTimeout | policy.Retry503},
		{"proxy-next-upstream", "off", policy.RetryOff},
		{"proxy-next-upstream", "http_503 sometimes", refused},
		{"proxy-next-upstream", "", refused},
		{"proxy-next-upstream-tries", "1", int32(1)},
		{"proxy-next-upstream-tries", "0", int32(-1)},
		{"proxy-next-upstream-tries", "1000", int32(1000)},
		{"proxy-next-upstream-tries", "-1", refused},
		{"proxy-next-upstream-tries", "99999999999", refused},
		{"proxy-next-upstream-tries", "x", refused},
		{"proxy-next-upstream-timeout", "5", int64(5e9)},
		{"proxy-next-upstream-timeout", "0", int64(0)},
		{"proxy-next-upstream-timeout", "5s", refused},
		{"proxy-next-upstream-timeout", "99999999999", refused},
	}...)
}
