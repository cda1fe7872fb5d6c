package annotation

import (
	"regexp"
	"strings"
)

// pageForm is the form that ingress-nginx wants of auth-tls-error-page: no query, and no port without a host.
var pageForm = regexp.MustCompile(`^(@[A-Za-z0-9_-]+|((https?://)?[A-Za-z0-9.-]+(:[0-9]+)?)?(/[A-Za-z0-9_.-]+)*/?)$`)

// LeavesOut names an annotation for whose value ingress-nginx leaves a whole object out, where what would be left of the object
// does not depend on the value; the reason is "" where there is none. What was served here then would be served nowhere else.
// An annotation of the same key under OwnPrefix counts instead, and leaves nothing out.
func LeavesOut(all map[string]string) (name, reason string) {
	of := func(key string) string {
		if _, own := all[OwnPrefix+key]; own {
			return ""
		}
		return all[NginxPrefix+key]
	}
	for part := range strings.SplitSeq(of("server-alias"), ",") {
		if part = strings.TrimSpace(part); !only(part, wordChars+`^$[](){}*+?|&=\`) {
			return NginxPrefix + "server-alias", brief(part) + " has characters that ingress-nginx takes in no name"
		}
	}
	if page := strings.ReplaceAll(of("auth-tls-error-page"), " ", ""); !pageForm.MatchString(page) {
		return NginxPrefix + "auth-tls-error-page", "ingress-nginx takes a URL or a path without a query alone"
	}
	return "", ""
}
