package annotation

import (
	"errors"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/sluice-gateway/sluice/routing/policy"
)

// Defaults are what an object has that does not say otherwise: for objects taken over from ingress-nginx what that controller's
// ConfigMap says. The zero value leaves the defaults of the Rows. Immutable once used.
type Defaults struct {
	// Values are those of annotations, by key. An object's own wins; one that would have no effect beside the object's own has none.
	Values map[string]string
	// GlobalAuth are those of auth-url and its kin, for objects without an auth-url of their own that do not turn it off by
	// enable-global-auth.
	GlobalAuth map[string]string
	// RequestFields are those that Backends are sent instead of a client's; nil for none.
	RequestFields *policy.RequestFields
	// Block are requests that are refused by what they say of themselves; nil for none.
	Block *policy.Block
	// Denied are clients that may not ask, unless the object has a list of its own.
	Denied []netip.Prefix
	// RedirectCode is the status of redirects to HTTPS and to another name; 0 for 308.
	RedirectCode int
	// PlainPaths are beginnings of Routes' paths that are not sent to HTTPS; nil for ACMEPath.
	PlainPaths []string
	// OpenPaths are beginnings of Routes' paths for which nobody has to log in; nil for ACMEPath.
	OpenPaths []string
	// Forbidden are words that no annotation may have, and MaxRisk is the highest Risk of one; 0 for any.
	Forbidden []string
	MaxRisk   Risk
	// Closed is why every Route of every object answers 503, in the gateway's words; "" where they do not.
	Closed string
}

// enableGlobalAuth is the key of the annotation that Defaults.GlobalAuth depends on.
const enableGlobalAuth = "enable-global-auth"

// Refuses names an annotation for which the whole object is left out, and why; the reason is "" where there is none. Only
// names under NginxPrefix are looked at: who writes one of Sluice's own has asked for it here.
func (d *Defaults) Refuses(all map[string]string) (name, reason string) {
	if len(d.Forbidden) == 0 && d.MaxRisk == 0 {
		return "", ""
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		key, ok := strings.CutPrefix(name, NginxPrefix)
		if !ok {
			continue
		}
		for _, word := range d.Forbidden {
			if strings.Contains(all[name], word) {
				return name, "annotation-value-word-blocklist forbids " + policy.Word(word) + " in annotations"
			}
		}
		if r := riskOf(key); d.MaxRisk != 0 && r > d.MaxRisk {
			return name, "its risk is " + r.String() + ", and annotations-risk-level allows " + d.MaxRisk.String() + " at most"
		}
	}
	return "", ""
}

// values returns what an object has by default that has the annotations of names, by key.
func (d *Defaults) values(names, all map[string]string) map[string]string {
	if len(d.GlobalAuth) == 0 || names[authURL] != "" {
		return d.Values
	}
	if asked, err := strconv.ParseBool(all[names[enableGlobalAuth]]); err == nil && !asked {
		return d.Values
	}
	with := maps.Clone(d.GlobalAuth)
	maps.Copy(with, d.Values)
	return with
}

// finish adds what is no value of an annotation.
func (d *Defaults) finish(s *Settings) {
	s.redirectCode, s.OpenPaths = d.RedirectCode, d.OpenPaths
	if d.PlainPaths != nil {
		s.PlainPaths = d.PlainPaths
	}
	if len(d.Denied) > 0 && s.Policy.Filter(policy.KindAccess) == nil {
		s.Policy.Set(&policy.Access{Deny: d.Denied})
	}
	if d.Block != nil {
		s.Policy.Set(d.Block)
	}
	if d.RequestFields != nil {
		s.Policy.Set(d.RequestFields)
	}
	if d.Closed != "" {
		_ = s.close(d.Closed)
	}
}

// acmePaths are those that a certificate authority asks for.
var acmePaths = []string{ACMEPath}

// Check reports whether the value of an annotation, by its key, can be kept: err is why not, and closes is true where objects
// with it answer 503. known is false for a key without a Row.
func Check(key, value string) (known, closes bool, err error) {
	row := find(key, true)
	if row == nil || strings.HasSuffix(row.Key, "*") {
		return false, false, nil
	}
	s := defaults()
	row.read(&s, "", value, func(_, _, reason string) { err = errors.New(reason) })
	return true, s.Policy.Closed != "", err
}
