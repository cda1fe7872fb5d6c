package annotation

// closedRows are annotations about who may ask that nothing carries out yet. Serving the object without them would open a
// door.
var closedRows = []Row{
	{
		Key: "allowlist-source-range", Scope: ScopeObject, Value: "CIDR list",
		Set: closes, Get: closed, Doc: docClosed,
	},
	{
		Key: "auth-*", Scope: ScopeObject, Value: "anything",
		Set: closes, Get: closed, Doc: docClosed,
	},
	{
		Key: "auth-tls-*", Scope: ScopeHost, Value: "anything",
		Set: func(s *Settings, value string) error {
			s.ClosesHosts = true
			return closes(s, value)
		},
		Get: closed,
		Doc: "One that is not in this table closes the hosts of the object for all objects, " +
			"if the host belongs to the object's namespace (kubernetes.host_ownership).",
	},
	{
		Key: "denylist-source-range", Scope: ScopeObject, Value: "CIDR list",
		Set: closes, Get: closed, Doc: docClosed,
	},
	{
		Key: "whitelist-source-range", Scope: ScopeObject, Value: "CIDR list",
		Set: closes, Get: closed, Doc: docClosed,
	},
}

const docClosed = "Access control that is not supported yet: the Routes of the object answer 503, because serving them without it would open a door."

func closes(s *Settings, _ string) error {
	return s.close("access control by annotation is not supported yet; every path of the object answers 503 rather than being open")
}

func closed(s *Settings) any { return s.Policy.Closed != "" }
