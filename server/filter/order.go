package filter

import (
	"github.com/sluice-gateway/sluice/routing/policy"
	"github.com/sluice-gateway/sluice/server"
	"github.com/sluice-gateway/sluice/server/filter/access"
	"github.com/sluice-gateway/sluice/server/filter/choice"
	"github.com/sluice-gateway/sluice/server/filter/redirect"
	"github.com/sluice-gateway/sluice/server/filter/rewrite"
)

// order is the onion from the outside in. It is a statement of policy, each row with its reason: migrated manifests rely
// on the order of nginx' phases, in which rewriting comes before access, and an editor of responses sees the edits of all
// others. A row without a maker is a heading: it opens the Stage of that name, and says why the Stage stands there.
var order = []struct {
	kind policy.Kind
	make func(policy.Filter, server.Env) (server.Filter, error)
	why  string
}{
	{heading(policy.StageEncoding), nil,
		"bytes are compressed once no other filter has to read or change them"},
	{heading(policy.StageErrors), nil,
		"the error of any filter further inside, and of any Backend, can have another page"},
	{heading(policy.StageFields), nil,
		"fields of responses are for all answers, whichever filter has given them"},
	{heading(policy.StageIdentity), nil,
		"what is decided by who asks comes behind who asks"},
	{heading(policy.StageRedirect), nil,
		"a request that belongs elsewhere is neither counted nor judged here; nginx rewrites before it looks at who asks"},
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
	{heading(policy.StageLimit), nil,
		"counting is cheaper than everything behind it, and a flood is to cost no more; nginx counts before it looks at who asks"},
	{heading(policy.StageFirewall), nil,
		"rules cost more than counters, and attacks come from clients that have no password, too"},
	{heading(policy.StageAccess), nil,
		"a request that is well and not too many may cost a password, or a question to an authority"},
	{policy.KindAccess, access.NewList,
		"it costs nothing, and a stranger's address need not be asked for a password"},
	{policy.KindBasicAuth, access.NewBasic,
		"a password is verified at a cost, for clients alone that all before have let pass"},
	{policy.KindJWT, access.NewJWT,
		"a token is verified at a cost too, and asks nobody"},
	{policy.KindExternal, access.NewExternal,
		"an authority is asked about what the gateway itself lets pass"},
	{policy.KindAnyOf, access.NewAnyOf,
		"it stands for those above that ask who the client is and where from, where one of them is enough"},
	{heading(policy.StageMirror), nil,
		"only what is served is copied, and as it is served"},
	{heading(policy.StageBackend), nil,
		"a Backend is chosen for a request that goes to one"},
	{policy.KindCanary, choice.NewCanary,
		"a Backend is chosen for requests that are let pass; whoever asks, the main object's guards have decided"},
	{heading(policy.StageForward), nil,
		"what stands next to the Backend sees the request as it leaves, and the response as it comes"},
}

// heading is the kind of a row that opens a Stage.
func heading(s policy.Stage) policy.Kind { return policy.Kind(s) }

// Makers returns the makers of the gateway's own Filters, for server.Options.
func Makers() []server.Maker {
	var makers []server.Maker
	var stage policy.Stage
	for _, row := range order {
		if row.make == nil {
			stage = policy.Stage(row.kind)
			continue
		}
		makers = append(makers, server.Maker{Kind: row.kind, Stage: stage, Make: row.make, Outcomes: outcomes[row.kind]})
	}
	return makers
}

// outcomes are what filters count of their own.
var outcomes = map[policy.Kind][]string{}
