package annotation

func init() {
	examples = append(examples,
		example{enableGlobalAuth, "false", "no effect alone"},
		example{enableGlobalAuth, "no", refused},
	)
}
