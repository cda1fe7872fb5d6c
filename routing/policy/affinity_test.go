package policy

func init() { filters = append(filters, &Affinity{}, &Hash{}) }
