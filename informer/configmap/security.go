package configmap

// Defaults of annotations that guard.
var _ = add(
	guarding("enable-modsecurity", "", yes, "false", ""),
	guarding("enable-owasp-modsecurity-crs", "enable-owasp-core-rules", yes, "false", ""),
	guarding("modsecurity-snippet", "", "rules", "", ""),
)
