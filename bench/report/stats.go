// Package report makes tables and charts of measurements. It knows nothing of what was
// measured.
package report

import (
	"math"
	"slices"
	"strconv"
)

// Quartiles returns the values below which a quarter, half and three quarters of the
// values are, with linear interpolation. Without values they are NaN.
func Quartiles(values []float64) (low, median, high float64) {
	s := slices.Sorted(slices.Values(values))
	at := func(part float64) float64 {
		if len(s) == 0 {
			return math.NaN()
		}
		i, f := math.Modf(part * float64(len(s)-1))
		next := min(int(i)+1, len(s)-1)
		return s[int(i)] + f*(s[next]-s[int(i)])
	}
	return at(0.25), at(0.5), at(0.75)
}

// Median returns the median, or NaN without values.
func Median(values []float64) float64 {
	_, m, _ := Quartiles(values)
	return m
}

// Number formats a value with three significant digits, and at most two decimals. NaN
// becomes a dash.
func Number(v float64) string {
	switch {
	case math.IsNaN(v) || math.IsInf(v, 0):
		return "–"
	case math.Abs(v) >= 99.95:
		return Whole(v)
	case math.Abs(v) >= 9.995:
		return strconv.FormatFloat(v, 'f', 1, 64)
	default:
		return strconv.FormatFloat(v, 'f', 2, 64)
	}
}

// Whole formats a value without decimals. NaN becomes a dash.
func Whole(v float64) string {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return "–"
	}
	return thousands(strconv.FormatFloat(v, 'f', 0, 64))
}

// thousands inserts a comma before every third digit of a whole number.
func thousands(digits string) string {
	first := 0
	if digits[0] == '-' {
		first = 1
	}
	for i := len(digits) - 3; i > first; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}
