package source

import (
	"iter"
	"strings"
)

// nearest returns the known word closest to one that may be misspelt: the same but for case, or with two
// letters wrong, missing or too many, one in a short word. It is "" for none; of several it is the nearest,
// then the first by the alphabet.
func nearest(word string, words iter.Seq[string]) (near string) {
	if len(word) > 64 {
		return ""
	}
	best := 3
	if len(word) < 5 {
		best = 2
	}
	for w := range words {
		d := distance(strings.ToLower(word), strings.ToLower(w))
		if d < best || d == best && near != "" && w < near {
			near, best = w, d
		}
	}
	return near
}

// distance counts the letters to change, add or remove to turn a into b.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			above := row[j+1]
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			row[j+1] = min(cost, above+1, row[j]+1)
			diagonal = above
		}
	}
	return row[len(b)]
}
