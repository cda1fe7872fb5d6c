package policy

// The Kinds of the filters that the gateway brings. Others may have their own.
const (
	KindAccess  Kind = "access"  // Access
	KindCORS    Kind = "cors"    // CORS
	KindRewrite Kind = "rewrite" // Rewrite
)
