package policy

func init() { filters = append(filters, &Canary{}) }
