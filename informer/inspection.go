package informer

import (
	"github.com/sluice-gateway/sluice/informer/internal/source"
	"github.com/sluice-gateway/sluice/routing"
)

// Skipped is an object of the manifests whose kind is not read.
type Skipped = source.Skipped

// Inspection is what a source gives at one time: the Snapshot, and all that is not in it. Made by
// InspectDir and InspectCluster; not edited after.
type Inspection struct {
	// Snapshot is not published and has no Generation; names are not resolved.
	Snapshot   *routing.Snapshot
	Rejections []Rejection
	// Skipped are the objects of manifests that are none of the kinds that are read.
	Skipped []Skipped
	// IgnoredFiles are the first files of manifests that nothing reads because of their names, and
	// MoreIgnored counts the others.
	IgnoredFiles []string
	MoreIgnored  int
	// OtherClasses counts the Ingresses that are another controller's.
	OtherClasses []ClassCount

	outsiders *outsiderSet
}

func inspect(b *builder, s *routing.Snapshot) *Inspection {
	return &Inspection{Snapshot: s, Rejections: b.rejected.all(), OtherClasses: b.outsiders.classes(), outsiders: &b.outsiders}
}

// Elsewhere says which Ingresses of other controllers have a host, in lines.
func (i *Inspection) Elsewhere(host string) []string { return i.outsiders.elsewhere(host) }

// Elsewhere says which Ingresses of other controllers have a host, in lines.
func (c *Controller) Elsewhere(host string) []string { return c.builder.outsiders.elsewhere(host) }
