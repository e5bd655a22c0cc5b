package login

import "strings"

// mostTypos is how many letters of two names may differ so that one is taken for the other.
const mostTypos = 2

// nearest returns the known name that is closest to one that is not known; "" if none is close.
func nearest(name string, known []string) string {
	best, least := "", mostTypos+1
	for _, k := range known {
		d := distance(strings.ToLower(name), strings.ToLower(k))
		if d < least && 2*d <= len(name) { // with more than half of its letters, it is another name
			best, least = k, d
		}
	}
	for _, k := range known {
		if best == "" && min(len(k), len(name)) > mostTypos && (strings.HasPrefix(k, name) || strings.HasPrefix(name, k)) {
			best = k
		}
	}
	return best
}

// distance returns how many letters have to be changed, added or taken away to make b of a.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// didYouMean asks for the nearest of the known names; "" if none is close.
func didYouMean(name string, known []string) string {
	if near := nearest(name, known); near != "" {
		return "did you mean " + near + "?"
	}
	return ""
}
