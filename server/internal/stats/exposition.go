package stats

import (
	"io"
	"strconv"
	"strings"
	"unicode/utf8"
)

// expositionChunk is how much text WriteRoutes gathers before it writes: the most that a scrape holds of it.
const expositionChunk = 64 << 10

// WriteRoutes writes the counts per Route, in the text format of Prometheus, as of the last harvest; a scrape has just
// made one through the Collector. It writes chunks of some 64 KiB and holds no lock while it writes, so that a reader may
// be slow; samples of different metrics may then be of different harvests.
func (r *Registry) WriteRoutes(w io.Writer) error {
	r.harvesting.Lock()
	list := mergeLabels(r.live())
	r.harvesting.Unlock()

	e := exposition{registry: r, to: w, list: list, buf: make([]byte, 0, expositionChunk+16<<10)}
	e.family(nginxRequests, nginxRequests.kind(), (*exposition).requests)
	for which, h := range routeHistograms {
		kind, sample := "summary", (*exposition).sumAndCount
		if r.keep.has(which) {
			kind, sample = "histogram", (*exposition).buckets
		}
		e.which = which
		e.family(h.metric, kind, sample)
	}
	return e.err
}

// exposition is one answer on its way.
type exposition struct {
	registry *Registry
	to       io.Writer
	list     []labelled
	scratch  *totals
	which    int // the histogram under way
	buf      []byte
	err      error
}

// family writes all samples of a metric, which the format requires side by side.
func (e *exposition) family(m *metric, kind string, sample func(*exposition, *labelKey, *totals)) {
	if e.err != nil || len(e.list) == 0 {
		return
	}
	e.buf = append(append(append(append(e.buf[:0], "# HELP "...), m.Name...), ' '), helpEscaper.Replace(m.Help)...)
	e.buf = append(append(append(append(append(e.buf, "\n# TYPE "...), m.Name...), ' '), kind...), '\n')
	for i := 0; i < len(e.list) && e.err == nil; {
		e.registry.harvesting.Lock()
		for ; i < len(e.list) && len(e.buf) < expositionChunk; i++ {
			sample(e, &e.list[i].labelKey, e.list[i].sum(e.clear))
		}
		e.registry.harvesting.Unlock()
		_, e.err = e.to.Write(e.buf)
		e.buf = e.buf[:0]
	}
}

// clear returns emptied totals for joining others.
func (e *exposition) clear() *totals {
	e.scratch = newTotals(e.registry.keep)
	return e.scratch
}

func (e *exposition) requests(k *labelKey, t *totals) {
	for _, c := range t.codes {
		method, status := codeLabels(c.code)
		e.name(nginxRequests.Name, "")
		e.labels(k, method, status)
		e.uint(c.n)
	}
}

func (e *exposition) sumAndCount(k *labelKey, t *totals) {
	h := &routeHistograms[e.which]
	e.name(h.metric.Name, "_sum")
	e.labels(k, "", "")
	e.buf = strconv.AppendFloat(append(e.buf, ' '), float64(t.sums[e.which])/h.unit, 'g', -1, 64)
	e.buf = append(e.buf, '\n')
	e.name(h.metric.Name, "_count")
	e.labels(k, "", "")
	e.uint(t.counts[e.which])
}

func (e *exposition) buckets(k *labelKey, t *totals) {
	h := &routeHistograms[e.which]
	var count uint64
	for i, le := range h.le {
		count += t.buckets[e.which][i]
		e.bucket(h, k, le, count)
	}
	e.bucket(h, k, "+Inf", t.counts[e.which])
	e.sumAndCount(k, t)
}

func (e *exposition) bucket(h *routeHistogram, k *labelKey, le string, n uint64) {
	e.name(h.metric.Name, "_bucket")
	e.labels(k, "", "")
	e.buf = append(e.buf[:len(e.buf)-1], `,le="`...)
	e.buf = append(append(e.buf, le...), `"}`...)
	e.uint(n)
}

func (e *exposition) name(name, suffix string) {
	e.buf = append(append(e.buf, name...), suffix...)
}

// labels writes the labels in the order of the alphabet, as Prometheus' own library does. method and status are
// left out where they are empty.
func (e *exposition) labels(k *labelKey, method, status string) {
	e.buf = append(e.buf, `{canary="`...)
	e.value(k.canary)
	e.buf = append(e.buf, `",host="`...)
	e.value(k.host)
	e.buf = append(e.buf, `",ingress="`...)
	e.value(k.ingress)
	if method != "" {
		e.buf = append(append(e.buf, `",method="`...), method...)
	}
	e.buf = append(e.buf, `",namespace="`...)
	e.value(k.namespace)
	e.buf = append(e.buf, `",path="`...)
	e.value(k.path)
	e.buf = append(e.buf, `",service="`...)
	e.value(k.service)
	if status != "" {
		e.buf = append(append(e.buf, `",status="`...), status...)
	}
	e.buf = append(e.buf, `"}`...)
}

// value writes a label's value: escaped, and with U+FFFD for bytes that are not UTF-8, which Prometheus takes
// for the end of the answer.
func (e *exposition) value(s string) {
	for i := 0; i < len(s); {
		c := s[i]
		switch {
		case c == '\\' || c == '"':
			e.buf = append(e.buf, '\\', c)
		case c == '\n':
			e.buf = append(e.buf, '\\', 'n')
		case c < utf8.RuneSelf:
			e.buf = append(e.buf, c)
		default:
			r, n := utf8.DecodeRuneInString(s[i:])
			e.buf = utf8.AppendRune(e.buf, r)
			i += n
			continue
		}
		i++
	}
}

func (e *exposition) uint(n uint64) {
	e.buf = append(strconv.AppendUint(append(e.buf, ' '), n, 10), '\n')
}

var helpEscaper = strings.NewReplacer("\\", "\\\\", "\n", "\\n")
