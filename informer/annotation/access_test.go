package annotation

func init() {
	examples = append(examples, []example{
		{"allowlist-source-range", "10.0.0.0/8", "[10.0.0.0/8]"},
		{"allowlist-source-range", " 127.8.0.1 , 127.5.6.7/24 ", "[127.5.6.0/24 127.8.0.1/32]"},
		{"allowlist-source-range", "fd00::/8,10.1.0.0/16,10.0.0.0/8,10.0.0.0/8,10.2.3.4", "[10.0.0.0/8 fd00::/8]"}, // each address once
		{"allowlist-source-range", "::ffff:10.1.2.3,::ffff:10.2.0.0/112", "[10.1.2.3/32 10.2.0.0/16]"},
		{"allowlist-source-range", "0.0.0.0/0,::/0", "[0.0.0.0/0 ::/0]"},
		{"allowlist-source-range", "", closing},
		{"allowlist-source-range", "10.0.0.0/33", closing},
		{"allowlist-source-range", "10.0.0.0/8,", closing},
		{"allowlist-source-range", "10.0.0.0/8 10.1.0.0/16", closing},
		{"allowlist-source-range", "10.0.0.0/8,office", closing},
		{"allowlist-source-range", "010.0.0.1", closing},
		{"allowlist-source-range", "fe80::1%eth0", closing},
		{"allowlist-source-range", "10.0.0.0/-1", closing},
		{"denylist-source-range", "127.7.7.7,127.7.7.8", "[127.7.7.7/32 127.7.7.8/32]"},
		{"denylist-source-range", "nobody", closing},
		{"whitelist-source-range", "127.5.0.0/16", "[127.5.0.0/16]"},
		{"whitelist-source-range", "10.0.0.0/33", closing},
	}...)
}
