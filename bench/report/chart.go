package report

import (
	"encoding/xml"
	"fmt"
	"math"
	"strings"
)

// A Kind is what a bar represents. It decides the bar's colour.
type Kind string

// The kinds of bars.
const (
	Limit Kind = "limit" // no bar can be below it
	Ours  Kind = "ours"
	Peer  Kind = "peer"
)

// A Bar is a name and its value. Note follows the value.
type Bar struct {
	Label, Note string
	Value       float64
	Kind        Kind
}

// A Chart has bars of one unit, and a heading. Legend explains the kinds.
type Chart struct {
	Title, Subtitle, Unit string
	Bars                  []Bar
	Legend                []Entry
}

// An Entry of a legend has a few characters.
type Entry struct {
	Kind Kind
	Text string
}

// Sizes of a chart, in pixels at its natural size.
const (
	width     = 880
	margin    = 32
	barStart  = 346 // where the names end and the bars begin
	barLength = 370 // of the largest value
	pitch     = 27  // from one bar to the next
	barHeight = 15
	entryStep = 124 // from one entry of a legend to the next
	headSize  = 84  // from the top of a chart to its first bar
	chartGap  = 20
)

// style has the colours of both schemes. A viewer without colour schemes shows the
// light one.
const style = `
svg { --page: #ffffff; --edge: #e2e5ee; --text: #171a29; --soft: #5a6072;
  --limit: #9aa2b6; --ours: #3d4fd6; --peer: #cdd3e1 }
@media (prefers-color-scheme: dark) {
  svg { --page: #171a26; --edge: #2a2f42; --text: #eef0f8; --soft: #a3aac0;
    --limit: #737c96; --ours: #8c9bff; --peer: #3a4159 }
}
text { font: 14px system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; fill: var(--text) }
.page { fill: var(--page); stroke: var(--edge) }
.title { font-size: 20px; font-weight: 650 }
.soft { fill: var(--soft) }
.small { font-size: 12.5px; font-weight: 400 }
.name { text-anchor: end }
.value { font-variant-numeric: tabular-nums }
.limit { fill: var(--limit) } .ours { fill: var(--ours) } .peer { fill: var(--peer) }
.own { font-weight: 650 } .own.name { fill: var(--ours) }
.axis { stroke: var(--edge) }
`

// SVG draws charts one below the other. Its text is real text, and title describes it
// for people who don't see it. Bars keep their order.
func SVG(title string, charts ...Chart) string {
	height := 2*margin - chartGap
	for _, c := range charts {
		height += c.height() + chartGap
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" `+
		`role="img" aria-labelledby="title">`,
		width, height, width, height)
	fmt.Fprintf(&b, "\n<title id=\"title\">%s</title>\n<style>%s</style>\n", escape(title), style)
	fmt.Fprintf(&b, `<rect class="page" x="0.5" y="0.5" width="%d" height="%d" rx="12"/>`+"\n", width-1, height-1)
	y := margin
	for _, c := range charts {
		c.draw(&b, y)
		y += c.height() + chartGap
	}
	b.WriteString("</svg>\n")
	return b.String()
}

func (c Chart) height() int { return headSize - pitch + pitch*len(c.Bars) }

func (c Chart) draw(b *strings.Builder, top int) {
	fmt.Fprintf(b, "<text class=\"title\" x=\"%d\" y=\"%d\">%s</text>\n", margin, top+18, escape(c.Title))
	fmt.Fprintf(b, "<text class=\"soft\" x=\"%d\" y=\"%d\">%s</text>\n", margin, top+42, escape(c.Subtitle))
	for i, e := range c.Legend {
		x := width - margin - entryStep*(len(c.Legend)-i)
		fmt.Fprintf(b, "<circle class=\"%s\" cx=\"%d\" cy=\"%d\" r=\"5\"/>\n", e.Kind, x, top+13)
		fmt.Fprintf(b, "<text class=\"soft small\" x=\"%d\" y=\"%d\">%s</text>\n", x+12, top+17, escape(e.Text))
	}
	largest := 0.0
	for _, bar := range c.Bars {
		largest = math.Max(largest, bar.Value)
	}
	first := top + headSize - pitch
	fmt.Fprintf(b, "<line class=\"axis\" x1=\"%d\" x2=\"%d\" y1=\"%d\" y2=\"%d\"/>\n", barStart, barStart, first,
		first+pitch*len(c.Bars))
	for i, bar := range c.Bars {
		bar.draw(b, first+pitch*i, largest, c.Unit)
	}
}

func (bar Bar) draw(b *strings.Builder, top int, largest float64, unit string) {
	length := 0.0
	if largest > 0 {
		length = math.Max(bar.Value/largest*barLength, 1)
	}
	own := ""
	if bar.Kind == Ours {
		own = " own"
	}
	baseline := top + pitch/2 + 5
	fmt.Fprintf(b, "<text class=\"name%s\" x=\"%d\" y=\"%d\">%s</text>\n", own, barStart-12,
		baseline, escape(bar.Label))
	fmt.Fprintf(b, "<rect class=\"%s\" x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"%d\" rx=\"2\"/>\n",
		bar.Kind, barStart, top+(pitch-barHeight)/2, length, barHeight)
	fmt.Fprintf(b,
		"<text class=\"value%s\" x=\"%.1f\" y=\"%d\">%s %s <tspan class=\"soft small\" dx=\"4\">%s</tspan></text>\n",
		own, barStart+length+8, baseline, Number(bar.Value), escape(unit), escape(bar.Note))
}

func escape(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(s)) // writing to a Builder does not fail
	return b.String()
}
