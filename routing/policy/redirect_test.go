package policy

func init() { filters = append(filters, &Redirect{}, &HTTPS{}) }
