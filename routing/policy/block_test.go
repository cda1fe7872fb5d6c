package policy

func init() { filters = append(filters, &Block{}) }
