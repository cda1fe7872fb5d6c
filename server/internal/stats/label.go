package stats

import (
	"strings"

	"github.com/prometheus/client_golang/prometheus"
)

// labelled is the totals of all Series that ended up with the same labels.
type labelled struct {
	labels []string // in the order of routeLabels
	totals *totals
}

// labelKey is the labels of a Series, once its Backend has a name.
type labelKey struct{ namespace, ingress, service, host, path string }

// mergeLabels joins Series that differ in nothing but the index of their Backend: two ports of a
// Service make two Backends with the same labels, and Prometheus refuses a label set sent twice.
func mergeLabels(series []*Series) []labelled {
	seen := map[labelKey]int{}
	var out []labelled
	for _, s := range series {
		t := s.totals
		if t == nil {
			continue
		}
		k := labelKey{s.key.ingress.Namespace, s.key.ingress.Name, t.service, s.key.host, s.key.path}
		i, again := seen[k]
		if !again {
			seen[k] = len(out)
			// No Route is a canary yet: the label is there because dashboards select on it.
			labels := []string{k.namespace, k.ingress, k.service, "", k.host, k.path}
			for i := range labels {
				labels[i] = strings.ToValidUTF8(labels[i], "\uFFFD") // Prometheus panics on anything else
			}
			out = append(out, labelled{labels, t})
			continue
		}
		joined := &totals{codes: codeTotals{}}
		joined.join(out[i].totals)
		joined.join(t)
		out[i].totals = joined
	}
	return out
}

// join adds o.
func (t *totals) join(o *totals) {
	for code, n := range o.codes {
		t.codes[code] += n
	}
	t.duration.join(&o.duration)
	t.upstream.join(&o.upstream)
	t.connect.join(&o.connect)
	t.header.join(&o.header)
	t.request.join(&o.request)
	t.response.join(&o.response)
}

// join adds o.
func (h *histogram) join(o *histogram) {
	h.sum += o.sum
	for i, n := range o.buckets {
		h.buckets[i] += n
	}
}

func (l labelled) send(ch chan<- prometheus.Metric) {
	for code, n := range l.totals.codes {
		method, status := codeLabels(code)
		nginxRequests.value(ch, float64(n), append([]string{status, method}, l.labels...)...)
	}
	nginxDuration.histogram(ch, &l.totals.duration, timeBounds[:], 1e9, l.labels...)
	nginxResponse.histogram(ch, &l.totals.upstream, timeBounds[:], 1e9, l.labels...)
	nginxHeader.histogram(ch, &l.totals.header, timeBounds[:], 1e9, l.labels...)
	nginxConnect.histogram(ch, &l.totals.connect, timeBounds[:], 1e9, l.labels...)
	nginxReqSize.histogram(ch, &l.totals.request, sizeBounds[:], 1, l.labels...)
	nginxRespSize.histogram(ch, &l.totals.response, sizeBounds[:], 1, l.labels...)
}
