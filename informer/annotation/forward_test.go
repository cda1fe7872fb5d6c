package annotation

func init() {
	examples = append(examples, []example{
		{"connection-proxy-header", "close", "close"},
		{"connection-proxy-header", "keep-alive", "keep-alive"},
		{"connection-proxy-header", "Close", closing},
		{"connection-proxy-header", "upgrade", closing},
		{"connection-proxy-header", "close\r\nX: y", closing},
		{"connection-proxy-header", "", refused},
	}...)
}
