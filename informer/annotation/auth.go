package annotation

// Authentication annotations that nothing carries out yet. Serving the object without them would open a door.
var _ = add(
	Row{
		Key: "auth-*", Scope: ScopeObject, Value: "anything",
		Set: closeAll,
		Get: closed,
		Doc: "Access control that is not supported yet: the Routes of the object answer 503, because serving them without it would open a door.",
	},
	Row{
		Key: "auth-tls-*", Scope: ScopeHost, Value: "anything",
		Set: func(s *Settings, value string) error {
			s.ClosesHosts = true
			return closeAll(s, value)
		},
		Get: closed,
		Doc: "One that is not in this table closes the hosts of the object for all objects, " +
			"if the host belongs to the object's namespace (kubernetes.host_ownership).",
	},
)

func closeAll(s *Settings, _ string) error {
	return s.close("access control by annotation is not supported yet; every path of the object answers 503 rather than being open")
}

func closed(s *Settings) any { return s.Policy.Closed != "" }
