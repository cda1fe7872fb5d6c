package informer

import (
	"github.com/sluice-gateway/sluice/informer/internal/source"
	"github.com/sluice-gateway/sluice/routing"
)

// Skipped is an object of the manifests whose kind is not read.
type Skipped = source.Skipped

// Inspection is a source's state at one time: the Snapshot, and the objects left out of it. Made by
// InspectDir and InspectCluster; not edited after.
type Inspection struct {
	// Snapshot is not published and has no Generation; names are not resolved.
	Snapshot   *routing.Snapshot
	Rejections []Rejection
	// Skipped are the objects of manifests whose kinds are not read.
	Skipped []Skipped
	// IgnoredFiles are the first files whose names are not those of manifests, and MoreIgnored
	// counts the others.
	IgnoredFiles []string
	MoreIgnored  int
	// OtherClasses counts the Ingresses that are another controller's.
	OtherClasses []ClassCount

	outsiders *outsiderSet
}

func inspect(b *builder, s *routing.Snapshot) *Inspection {
	return &Inspection{Snapshot: s, Rejections: b.rejected.all(), OtherClasses: b.outsiders.classes(), outsiders: &b.outsiders}
}

// Elsewhere names, in lines, the Ingresses of other controllers that have a host.
func (i *Inspection) Elsewhere(host string) []string { return i.outsiders.elsewhere(host) }

// Elsewhere names, in lines, the Ingresses of other controllers that have a host.
func (c *Controller) Elsewhere(host string) []string { return c.builder.outsiders.elsewhere(host) }
