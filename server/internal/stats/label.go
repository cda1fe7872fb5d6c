package stats

import (
	"cmp"
	"slices"
	"strings"
)

// otherIngress is the value of the labels ingress and namespace for Series that are counted together. No object can
// have this name.
const otherIngress = "_other"

// labelled is the totals of all Series that ended up with the same labels.
type labelled struct {
	labelKey
	totals *totals
	more   []*totals // nil for nearly all
}

// labelKey is the labels of a Series, once its Backend has a name.
type labelKey struct{ namespace, ingress, service, canary, host, path string }

func (k *labelKey) compare(o *labelKey) int {
	return cmp.Or(strings.Compare(k.namespace, o.namespace), strings.Compare(k.ingress, o.ingress), strings.Compare(k.host, o.host),
		strings.Compare(k.path, o.path), strings.Compare(k.service, o.service), strings.Compare(k.canary, o.canary))
}

// mergeLabels sorts the Series that counted something, and joins those that differ only in the index of their Backend:
// two ports of a Service make two Backends with the same labels, and Prometheus refuses a label set sent twice.
func mergeLabels(series []*Series) []labelled {
	out := make([]labelled, 0, len(series))
	for _, s := range series {
		if t := s.totals; t != nil {
			k := labelKey{s.key.ingress.Namespace, s.key.ingress.Name, t.service, t.canary, s.key.host, s.key.path}
			out = append(out, labelled{labelKey: k, totals: t})
		}
	}
	slices.SortFunc(out, func(a, b labelled) int { return a.compare(&b.labelKey) })
	kept := 0
	for i := range out {
		if i > 0 && out[i].labelKey == out[kept-1].labelKey {
			out[kept-1].more = append(out[kept-1].more, out[i].totals)
			continue
		}
		out[kept] = out[i]
		kept++
	}
	return out[:kept]
}

// sum returns the totals, joined in scratch where there are several. Registry.harvesting is held.
func (l *labelled) sum(scratch func() *totals) *totals {
	if l.more == nil {
		return l.totals
	}
	sum := scratch()
	sum.join(l.totals)
	for _, t := range l.more {
		sum.join(t)
	}
	return sum
}
