package annotation

func init() {
	examples = append(examples, []example{
		{"priority", "low", int32(-1)},
		{"priority", "high", int32(1)},
		{"priority", "normal", int32(0)},
		{"priority", "1", refused},
		{"priority", "", refused},
	}...)
}
