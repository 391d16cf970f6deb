package main

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/cognate-auth/cognate/bench/machine"
	"github.com/cognate-auth/cognate/bench/report"
)

// markdown returns the text between the marks of performance.md.
func (f findings) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n", f.circumstances())
	fmt.Fprintf(&b, "\n## A signed-in request\n\n%s", f.requestTable())
	if len(f.growth) > 0 {
		fmt.Fprintf(&b, "\n## More sessions in the store\n\n%s", f.growthTable())
	}
	if len(f.checks) > 0 {
		fmt.Fprintf(&b, "\n## A bearer token\n\n%s", f.bearerTable())
	}
	if len(f.issuers) > 0 {
		fmt.Fprintf(&b, "\n## Issuing tokens\n\n%s", f.issuerTable())
	}
	return b.String()
}

// circumstances describes where and when the measurements were made, and how much the
// rounds differ.
func (f findings) circumstances() string {
	where := "the servers and the load shared one processor"
	if f.pinned {
		where = "the servers on one processor, the load on another"
	}
	s := fmt.Sprintf("Measured on %s: %s; %s; medians of %d rounds of %s.",
		f.date.UTC().Format("2 January 2006"), machine.Describe(), where, f.pace.rounds, f.pace.slot)
	if spread := f.spread(); !math.IsNaN(spread) {
		s += fmt.Sprintf(" Half of a row's rounds lie within %s %% of each other, "+
			"in the row where they lie farthest apart.", report.Number(spread*100))
	}
	return s
}

// spread is the largest difference between a row's quartiles, relative to its median.
func (f findings) spread() float64 {
	most := math.NaN()
	for _, r := range f.requests {
		low, mid, high := report.Quartiles(r.series(cpuOf))
		if s := (high - low) / mid; math.IsNaN(most) || s > most {
			most = s
		}
	}
	return most
}

func (f findings) requestTable() string {
	t := report.Table{Columns: []string{"", "CPU, µs", "× bare", "requests/s", "p50, µs", "p99, µs",
		"allocations", "cookie, bytes"}}
	bare := f.bare()
	for _, r := range f.requests {
		name := emphasise(r.label, r.kind)
		if r.err != nil {
			t.Add(name + ": not measured, " + reason(r.err))
			continue
		}
		cpu := r.median(cpuOf)
		t.Add(name, report.Number(cpu), report.Number(cpu/bare), report.Number(r.median(rpsOf)),
			report.Number(r.median(p50Of)),
			report.Number(r.median(p99Of)), report.Whole(r.median(allocsOf)), report.Whole(float64(r.cookie)))
	}
	return t.String()
}

// bare returns the CPU time of the bare handler.
func (f findings) bare() float64 {
	r := find(f.requests, bareKey)
	if r == nil {
		return math.NaN()
	}
	return r.median(cpuOf)
}

func (f findings) growthTable() string {
	t := report.Table{Columns: []string{"", "CPU, µs", "× bare", "requests/s", "p99, µs", "allocations"}}
	bare := f.bare()
	for _, r := range f.growth {
		if r.err != nil {
			t.Add(r.label + ": not measured, " + reason(r.err))
			continue
		}
		cpu := r.median(cpuOf)
		t.Add(r.label, report.Number(cpu), report.Number(cpu/bare), report.Number(r.median(rpsOf)),
			report.Number(r.median(p99Of)), report.Whole(r.median(allocsOf)))
	}
	return t.String()
}

func (f findings) bearerTable() string {
	t := report.Table{Columns: []string{"", "CPU, µs", "× RSA", "allocations"}}
	raw := f.rawRSA()
	for _, c := range f.checks {
		name := emphasise(c.label, c.kind)
		if c.err != nil {
			t.Add(name + ": not measured, " + reason(c.err))
			continue
		}
		cpu := report.Median(c.cpu)
		t.Add(name, report.Number(cpu), report.Number(cpu/raw), report.Whole(report.Median(c.allocs)))
	}
	return t.String()
}

func (f findings) issuerTable() string {
	t := report.Table{Columns: []string{
		"", "start to first answer, ms", "own memory at rest, MB", "CPU per token answer, µs", "× its RSA signatures",
		"answers/s", "own memory after, MB",
	}}
	t.Add("one RSA-2048 signature in Go", "", "", report.Number(f.signature), "1.00", "", "")
	for _, r := range f.issuers {
		name := emphasise(r.label, r.kind)
		if r.err != nil {
			t.Add(name + ": not measured, " + reason(r.err))
			continue
		}
		cpu := report.Median(r.cpu)
		t.Add(name, report.Number(report.Median(r.started)), report.Number(r.memory), report.Number(cpu),
			report.Number(cpu/f.signature/float64(r.signatures)), report.Number(report.Median(r.rps)),
			report.Number(r.after))
	}
	return t.String()
}

func (f findings) rawRSA() float64 {
	i := slices.IndexFunc(f.checks, func(c *trial) bool { return c.key == rawKey })
	if i < 0 {
		return math.NaN()
	}
	return report.Median(f.checks[i].cpu)
}

func emphasise(label string, k report.Kind) string {
	if k == report.Ours {
		return "**" + label + "**"
	}
	return label
}

// mostReason limits a reason in the table, in characters.
const mostReason = 200

func reason(err error) string {
	s := []rune(err.Error())
	if len(s) > mostReason {
		s = append(s[:mostReason], '…')
	}
	return string(s)
}

// svg draws the first and the last table, with the lowest cost on top.
func (f findings) svg() string {
	requests := report.Chart{
		Title: "What a signed-in request costs", Unit: "µs",
		Legend: []report.Entry{{Kind: report.Limit, Text: "without sign-in"}, {Kind: report.Ours, Text: "Cognate"},
			{Kind: report.Peer, Text: "others"}},
		Subtitle: "CPU time of the whole server per request, in microseconds; × the bare handler. Shorter is better.",
	}
	for _, r := range f.requests {
		if r.err == nil {
			requests.Bars = append(requests.Bars, bar(r.label, r.kind, r.median(cpuOf), f.bare()))
		}
	}
	charts := []report.Chart{requests}
	if len(f.checks) > 0 {
		charts = append(charts, f.bearerChart())
	}
	for _, c := range charts {
		slices.SortStableFunc(c.Bars, func(a, b report.Bar) int { return int(math.Copysign(1, a.Value-b.Value)) })
	}
	return report.SVG("What sign-in costs: CPU time per request and per bearer token, as in the tables", charts...)
}

func (f findings) bearerChart() report.Chart {
	c := report.Chart{
		Title: "What checking a bearer token costs", Unit: "µs",
		Legend: []report.Entry{{Kind: report.Limit, Text: "RSA alone"}, {Kind: report.Ours, Text: "Cognate"},
			{Kind: report.Peer, Text: "others"}},
		Subtitle: "CPU time per access token, in microseconds; × one RSA verification. Shorter is better.",
	}
	for _, v := range f.checks {
		if v.err == nil {
			c.Bars = append(c.Bars, bar(v.label, v.kind, report.Median(v.cpu), f.rawRSA()))
		}
	}
	return c
}

func bar(label string, k report.Kind, value, one float64) report.Bar {
	return report.Bar{Label: label, Kind: k, Value: value, Note: report.Number(value/one) + " ×"}
}

// write writes the tables and the picture to a folder of documents.
func (f findings) write(dir string) error {
	page := filepath.Join(dir, "performance.md")
	old, err := os.ReadFile(page)
	if err != nil {
		return err
	}
	text, err := report.Replace(string(old), f.markdown())
	if err != nil {
		return fmt.Errorf("%s: %w", page, err)
	}
	err = os.WriteFile(page, []byte(text), 0o644) //nolint:gosec // a document
	if err != nil {
		return err
	}
	picture := filepath.Join(dir, "images", "performance.svg")
	return os.WriteFile(picture, []byte(f.svg()), 0o644) //nolint:gosec // a picture
}
