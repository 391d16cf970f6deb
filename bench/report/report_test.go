package report_test

import (
	"encoding/xml"
	"errors"
	"io"
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cognate-auth/cognate/bench/report"
)

func TestQuartiles(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		values []float64
		want   [3]float64
	}{
		"one":      {[]float64{7}, [3]float64{7, 7, 7}},
		"two":      {[]float64{3, 1}, [3]float64{1.5, 2, 2.5}},
		"odd":      {[]float64{5, 1, 4, 2, 3}, [3]float64{2, 3, 4}},
		"even":     {[]float64{4, 3, 2, 1}, [3]float64{1.75, 2.5, 3.25}},
		"outliers": {[]float64{1, 1, 1, 1, 900}, [3]float64{1, 1, 1}},
	} {
		low, median, high := report.Quartiles(tt.values)
		if got := [3]float64{low, median, high}; got != tt.want {
			t.Errorf("%s: got %v, want %v", name, got, tt.want)
		}
	}
	values := []float64{2, 1}
	if report.Median(values); values[0] != 2 {
		t.Error("the caller's values were sorted")
	}
	if !math.IsNaN(report.Median(nil)) {
		t.Errorf("of nothing: got %v, want NaN", report.Median(nil))
	}
}

func TestNumber(t *testing.T) {
	t.Parallel()
	for v, want := range map[float64]string{
		0: "0.00", 0.456: "0.46", 1.1: "1.10", 9.99: "9.99", 9.996: "10.0", 13.04: "13.0", 99.94: "99.9", 99.96: "100",
		608.4: "608", 999.6: "1,000", 76543: "76,543", 1234567: "1,234,567", -1234: "-1,234", -123: "-123",
		math.Inf(1): "–", math.NaN(): "–",
	} {
		if got := report.Number(v); got != want {
			t.Errorf("%v: got %s, want %s", v, got, want)
		}
	}
}

func TestWhole(t *testing.T) {
	t.Parallel()
	for v, want := range map[float64]string{0: "0", 9.4: "9", 22.6: "23", 1_000_000: "1,000,000", math.NaN(): "–"} {
		if got := report.Whole(v); got != want {
			t.Errorf("%v: got %s, want %s", v, got, want)
		}
	}
}

func TestTable(t *testing.T) {
	t.Parallel()
	table := report.Table{Columns: []string{"", "µs", "×"}}
	table.Add("bare", "13.0", "1")
	table.Add("a|b\nc")
	want := "|  | µs | × |\n| --- | ---: | ---: |\n| bare | 13.0 | 1 |\n| a\\|b c |  |  |\n"
	if diff := cmp.Diff(want, table.String()); diff != "" {
		t.Errorf("table (-want +got):\n%s", diff)
	}
}

func TestReplace(t *testing.T) {
	t.Parallel()
	page := "# Title\n\n" + report.Begin + "\nold\n" + report.End + "\n\nprose\n"
	want := "# Title\n\n" + report.Begin + "\n\nnew\n\n" + report.End + "\n\nprose\n"
	got, err := report.Replace(page, "\nnew\n")
	if err != nil || got != want {
		t.Errorf("got %q, %v; want %q", got, err, want)
	}
	again, err := report.Replace(got, "new")
	if err != nil || again != want {
		t.Errorf("a second time: got %q, %v; want no change", again, err)
	}
	for name, page := range map[string]string{
		"no marks": "x", "no end": report.Begin, "twice": page + page, "turned": report.End + report.Begin,
	} {
		got, err := report.Replace(page, "new")
		if err == nil {
			t.Errorf("%s: got %q, want an error", name, got)
		}
	}
}

var barLine = regexp.MustCompile(`<rect class="(limit|ours|peer)"[^>]* width="([\d.]+)"`)

// TestSVG reads a picture back: it is XML whatever the names are, and the length of a
// bar shows its value.
func TestSVG(t *testing.T) {
	t.Parallel()
	svg := report.SVG("a <title> & more", report.Chart{
		Title: "T", Subtitle: "S", Unit: "µs",
		Legend: []report.Entry{{Kind: report.Ours, Text: "<us>"}}, Bars: []report.Bar{
			{Label: "bare & <none>", Value: 10, Kind: report.Limit},
			{Label: "ours", Value: 20, Note: "2 ×", Kind: report.Ours},
			{Label: "peer", Value: 40, Kind: report.Peer},
			{Label: "nothing", Value: 0, Kind: report.Peer},
		},
	})
	text := textOf(t, svg)
	for _, want := range []string{"a <title> & more", "bare & <none>", "20.0 µs", "2 ×", "<us>"} {
		if !strings.Contains(text, want) {
			t.Errorf("the text lacks %q", want)
		}
	}
	bars := barLine.FindAllStringSubmatch(svg, -1)
	if len(bars) != 4 {
		t.Fatalf("got %d bars, want 4", len(bars))
	}
	var lengths []float64
	for _, b := range bars {
		f, err := strconv.ParseFloat(b[2], 64)
		if err != nil {
			t.Fatal(err)
		}
		lengths = append(lengths, f)
	}
	if lengths[2] != 4*lengths[0] || lengths[1] != 2*lengths[0] || lengths[3] > 2 {
		t.Errorf("lengths %v: want 1 : 2 : 4 : next to nothing", lengths)
	}
	if bars[1][1] != "ours" || !strings.Contains(svg, "prefers-color-scheme: dark") {
		t.Error("our bar has no colour of its own, or there is no dark scheme")
	}
}

// textOf returns the text of a picture.
func textOf(t *testing.T, svg string) string {
	t.Helper()
	var text strings.Builder
	for d := xml.NewDecoder(strings.NewReader(svg)); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return text.String()
		}
		if err != nil {
			t.Fatalf("not XML: %v\n%s", err, svg)
		}
		if data, ok := token.(xml.CharData); ok {
			text.Write(data)
		}
	}
}
