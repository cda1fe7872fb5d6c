package configmap

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/sluice-gateway/sluice/informer/annotation"
	"github.com/sluice-gateway/sluice/informer/internal/plain"
	"github.com/sluice-gateway/sluice/routing/policy"
)

const (
	ranges = "addresses and CIDRs, with commas between"
	paths  = "paths, with commas between"
	// acme is ingress-nginx's default of the lists of paths.
	acme = annotation.ACMEPath
)

// maxList bounds the elements of a list.
const maxList = 1024

// Who may ask, and what objects may have.
var _ = add(
	Row{
		Key: "annotation-value-word-blocklist", Effect: EffectObjects, Value: "words, with commas between", Guards: true,
		Set: func(r *reading, value string) error {
			r.Objects.Forbidden = elements(value)
			if len(r.Objects.Forbidden) > maxList {
				return r.close(fmt.Sprintf("want at most %d words", maxList) + closed)
			}
			return nil
		},
		Doc: "Words that no annotation under nginx.ingress.kubernetes.io/ may have in its value: objects with one are left out, their paths answer 404 unless there is a default backend.",
	},
	Row{
		Key: "annotations-risk-level", Effect: EffectObjects, Value: "Low, Medium, High or Critical", Default: "High", Guards: true,
		Set: func(r *reading, value string) error {
			level, ok := annotation.ParseRisk(value)
			if !ok {
				// ingress-nginx takes anything else for 0, which no annotation passes.
				r.Objects.MaxRisk = annotation.Low
				return errors.New("want Low, Medium, High or Critical; Low is assumed")
			}
			if level < annotation.High {
				r.Objects.MaxRisk = level
			}
			return nil
		},
		Doc: "The highest risk, as ingress-nginx ranks its annotations, that an object may have; objects with a higher one are left out, their paths answer 404 unless there is a default backend. " +
			"Nothing here becomes configuration text, so that without the key any may be used; those of risk Critical are snippets, which are refused by name whatever this says.",
	},
	guarding("denylist-source-range", "", ranges, "", ""),
	guarding("whitelist-source-range", "", ranges, "", "allowlist-source-range is the same annotation by another name."),
	Row{
		Key: "block-cidrs", Effect: EffectObjects, Value: ranges, Guards: true,
		Set: func(r *reading, value string) error {
			list, err := prefixes(value)
			if err != nil {
				return r.close(err.Error() + closed)
			}
			r.Objects.Denied = policy.Disjoint(list)
			return nil
		},
		Doc: "Clients that are answered 403 by all objects without a list of their own: allowlist-source-range or denylist-source-range, which replaces this one.",
	},
	listOfPaths("no-auth-locations", func(r *reading) *[]string { return &r.Objects.OpenPaths },
		"Beginnings of the paths of objects for which nobody has to log in, by auth-type or auth-url."),
	listOfPaths("no-tls-redirect-locations", func(r *reading) *[]string { return &r.Objects.PlainPaths },
		"Beginnings of the paths of objects that ssl-redirect does not send to HTTPS."),
	Row{
		Key: "http-redirect-code", Effect: EffectObjects, Value: "301, 302, 307 or 308", Default: "308",
		Set: func(r *reading, value string) error {
			switch code, err := strconv.Atoi(value); {
			case err != nil:
			case code == 301, code == 302, code == 307, code == 308:
				r.Objects.RedirectCode = code
				return nil
			}
			return errors.New("want 301, 302, 307 or 308; 308 is used")
		},
		Doc: "The status of redirects to HTTPS, and of from-to-www-redirect.",
	},
	globalAuth("global-auth-always-set-cookie", "auth-always-set-cookie", yes, "false"),
	globalAuth("global-auth-cache-duration", "auth-cache-duration", "statuses and a time, with commas between", "200 202 401 5m"),
	globalAuth("global-auth-cache-key", "auth-cache-key", "text with variables", ""),
	globalAuth("global-auth-method", "auth-method", "a method", ""),
	globalAuth("global-auth-request-redirect", "auth-request-redirect", "text", ""),
	globalAuth("global-auth-response-headers", "auth-response-headers", "names of fields, with commas between", ""),
	globalAuth("global-auth-signin", "auth-signin", "URL, or path", ""),
	globalAuth("global-auth-signin-redirect-param", "auth-signin-redirect-param", "name of a parameter", "rd"),
	globalAuth("global-auth-url", "auth-url", "URL", ""),
	Row{
		Key: "global-auth-snippet", Effect: EffectNone, Value: "anything", Guards: true,
		Set: func(r *reading, value string) error {
			if value == "" {
				return nil
			}
			return r.close("snippets of nginx's configuration are not carried out, and this one may guard pages" + closed)
		},
		Doc: "Refused: a snippet may guard pages.",
	},
)

// elements splits a list, without its empty elements.
func elements(value string) (list []string) {
	for part := range strings.SplitSeq(value, ",") {
		if part = strings.TrimSpace(part); part != "" {
			list = append(list, part)
		}
	}
	return list
}

// prefixes reads a list of addresses and CIDRs.
func prefixes(value string) (list []netip.Prefix, err error) {
	for _, part := range elements(value) {
		p, ok := annotation.ParseRange(part)
		if !ok {
			return nil, errors.New(policy.Word(plain.Short(part)) + " is neither an address nor a CIDR")
		}
		if list = append(list, p); len(list) > maxList {
			return nil, fmt.Errorf("want at most %d", maxList)
		}
	}
	return list, nil
}

// listOfPaths makes the Row of beginnings of paths. An empty one would be that of all paths.
func listOfPaths(key string, field func(*reading) *[]string, doc string) Row {
	return Row{
		Key: key, Effect: EffectObjects, Value: paths, Default: acme, Guards: true, Doc: doc,
		Set: func(r *reading, value string) error {
			list, kept := elements(value), []string{}
			for _, path := range list {
				if strings.HasPrefix(path, "/") && len(kept) < maxList {
					kept = append(kept, path)
				}
			}
			*field(r) = kept
			if len(kept) < len(list) {
				return fmt.Errorf("want %d paths at most that begin with /; what is none of these opens nothing", maxList)
			}
			return nil
		},
	}
}

// globalAuth makes the Row of a key of the authority for all objects.
func globalAuth(key, name, value, standard string) Row {
	row := Row{Key: key, Effect: EffectAnnotation, Annotation: name, Value: value, Default: standard, Guards: true,
		Doc: "For objects without an auth-url of their own, and without enable-global-auth: \"false\"."}
	row.Set = func(r *reading, value string) error {
		if value == "" {
			return nil
		}
		_, closes, err := annotation.Check(name, value)
		if closes || err == nil {
			r.Objects.GlobalAuth[name] = value
		}
		return err
	}
	return row
}
