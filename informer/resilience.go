package informer

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/sluice-gateway/sluice/routing"
	"github.com/sluice-gateway/sluice/routing/policy"
)

// resilience returns what the annotations say about the object's Backends; nil: nothing. Where an object that is taken over
// from ingress-nginx has requests tried at one Endpoint alone, Endpoints are not left out for their failures either, as there,
// unless an annotation says when they are.
func (c *compiler) resilience() *routing.Resilience {
	r := c.settings.Resilience
	if c.entry.controller == NginxController && c.settings.Policy.Retry.On == policy.RetryOff && r.Eject.Failures == 0 {
		r.Eject.Failures = -1
	}
	if r == (routing.Resilience{}) {
		return nil
	}
	return &r
}

// resilienceVariant tells apart the Backends of one Service port by these settings.
func resilienceVariant(r *routing.Resilience) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%#v", *r))
	return "care-" + hex.EncodeToString(sum[:4])
}
