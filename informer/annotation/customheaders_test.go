package annotation

func init() {
	examples = append(examples, []example{
		{"custom-headers", "default/fields", closing},
		{"custom-headers", "\r\n", closing},
		{"custom-headers", "", false},
	}...)
}
