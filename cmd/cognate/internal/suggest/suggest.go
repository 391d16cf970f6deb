// Package suggest finds the word that somebody meant. It knows nothing of what the words
// are for.
package suggest

// Nearest returns the known word that is most similar to word, or "" if none is: up to
// two letters, or a third of a long word, may be missing, added, changed or swapped. It
// looks at no more than the first 64 bytes of word.
func Nearest(word string, known []string) string {
	word = word[:min(len(word), maxWord)]
	best, distance := "", 1+max(2, len(word)/3)
	for _, k := range known {
		if d := editDistance(word, k); d < distance {
			best, distance = k, d
		}
	}
	return best
}

const maxWord = 64

// editDistance counts the letters to insert, remove, replace or swap with a neighbour
// (optimal string alignment).
func editDistance(a, b string) int {
	var before, last []int
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before, last, row = last, row, make([]int, len(b)+1)
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			row[j+1] = min(last[j]+cost, last[j+1]+1, row[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
	}
	return row[len(b)]
}
