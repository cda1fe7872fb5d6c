package filter

import (
	"github.com/sluice-gateway/sluice/routing/policy"
	"github.com/sluice-gateway/sluice/server"
	"github.com/sluice-gateway/sluice/server/filter/access"
	"github.com/sluice-gateway/sluice/server/filter/redirect"
	"github.com/sluice-gateway/sluice/server/filter/rewrite"
)

// order is the onion from the outside in. It is a statement of policy, each row with its reason: migrated manifests rely
// on the order of nginx' phases, in which rewriting comes before access, and an editor of responses sees the edits of all
// others.
var order = []struct {
	kind policy.Kind
	make func(policy.Filter, server.Env) (server.Filter, error)
	why  string
}{
	{policy.KindBlock, access.NewBlock,
		"nginx refuses such requests before it looks for their path"},
	{policy.KindSlash, rewrite.NewSlash,
		"nginx sends clients to the path with a slash while it looks for the path, before anything that is configured for it"},
	{policy.KindCORS, access.NewCORS,
		"browsers send preflights without credentials and from anywhere, and read no error that lacks its fields"},
	{policy.KindRedirect, redirect.NewAway,
		"it asks no Backend, so that nothing further inside has a say; pages of other origins may follow it"},
	{policy.KindHTTPS, redirect.NewHTTPS,
		"a redirect to elsewhere holds for both schemes; everything that guards is for requests that were not sent in the clear"},
	{policy.KindRewrite, rewrite.NewTarget,
		"it changes what the Backend is asked for, and nothing further inside depends on that"},
	{policy.KindPrefix, rewrite.NewPrefix,
		"it tells what the rewrite has taken away, and nothing further inside depends on that"},
	{policy.KindHost, rewrite.NewHost,
		"as the rewrite: it changes what the Backend is sent"},
	{policy.KindRequestFields, rewrite.NewFields,
		"as the rewrite; an authority further inside is told of them too, as in nginx"},
	{policy.KindAccess, access.NewList,
		"it costs nothing, and a stranger's address need not be asked for a password"},
	{policy.KindBasicAuth, access.NewBasic,
		"a password is verified at a cost, for clients alone that all before have let pass"},
	{policy.KindExternal, access.NewExternal,
		"an authority is asked about what the gateway itself lets pass"},
	{policy.KindAnyOf, access.NewAnyOf,
		"it stands for the three above, where one of them is enough"},
}

// Makers returns the makers of the gateway's own Filters, for server.Options.
func Makers() []server.Maker {
	makers := make([]server.Maker, 0, len(order))
	for _, row := range order {
		makers = append(makers, server.Maker{Kind: row.kind, Make: row.make})
	}
	return makers
}
