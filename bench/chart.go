package main

import "fmt"

// The chart: one group of horizontal bars a case, one bar a peer, its length CPU per request relative to the
// best of the peers. All positions are computed here; the template only draws.

// chartView is the data of templates/chart.svg.tmpl; lengths are in pixels.
type chartView struct {
	Width, Height int
	Bottom        int // where bars end
	Left          int // where bars begin
	One           int // x of ratio 1
	Groups        []chartGroup
	Legend        []chartBar
	Note          string
}

// chartGroup is one case.
type chartGroup struct {
	Title string
	Y     int
	Bars  []chartBar
}

// chartBar is one peer; Class selects its colour.
type chartBar struct {
	Peer, Class  string
	X, Y, Length int
	Label        string
	LabelX       int
}

const (
	chartLeft   = 20
	chartScale  = 300 // pixels of ratio 1
	chartLimit  = 1.9 // longer bars are cut
	chartColumn = 90  // of the legend: eight of them, each as wide as the longest name
	barHeight   = 16
	barGap      = 3
	groupGap    = 40
	chartTop    = 62
	chartWidth  = 760
	chartBottom = 24
)

// chart draws the load and handshake cases in which a peer took part.
func (r *Result) chart() ([]byte, error) {
	v := chartView{Width: chartWidth, Left: chartLeft, One: chartLeft + chartScale}
	v.Note = fmt.Sprintf("%s, %d cores, Linux %s, commit %s", r.Machine.CPU, r.Machine.Cores, r.Machine.Kernel, r.Commit)
	for i, p := range r.Options.Peers {
		v.Legend = append(v.Legend, chartBar{Peer: p, Class: p, X: chartLeft + chartColumn*i})
	}
	y := chartTop
	for _, t := range r.tables() {
		if t.Kind != kindLoad && t.Kind != kindShake || r.best(t.ID) == 0 {
			continue
		}
		g := chartGroup{Title: t.Title, Y: y + 12}
		y += 20
		for _, row := range t.Rows {
			if row.CPU.N == 0 {
				continue
			}
			b := chartBar{Peer: row.Peer, Class: row.Peer, X: chartLeft, Y: y, Length: int(min(row.Ratio.Median, chartLimit) * chartScale)}
			b.Label = fmt.Sprintf("%.2fx \u00b7 %.4g us", row.Ratio.Median, row.CPU.Median)
			// Right of the line at 1 even where the bar is shorter, so that the line does not cross the text.
			b.LabelX = chartLeft + max(b.Length, chartScale) + 8
			g.Bars = append(g.Bars, b)
			y += barHeight + barGap
		}
		y += groupGap - 20
		v.Groups = append(v.Groups, g)
	}
	v.Bottom, v.Height = y-groupGap/2, y+chartBottom
	return renderTemplate("templates/chart.svg.tmpl", v)
}
