package policy

func init() {
	filters = append(filters, &RequestLimit{}, &ClusterLimit{}, &ConnectionLimit{}, &ConcurrencyLimit{}, &Throttle{})
}
