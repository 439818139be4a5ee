package settings

import "maps"

// suggest names the nearest known variable, or where to find them all.
func suggest(name string, known map[string]bool) string {
	best, least := "", len(name)/3
	for candidate := range maps.Keys(known) {
		d := distance(name, candidate)
		if d < least || d == least && (best == "" || candidate < best) {
			best, least = candidate, d
		}
	}
	if best == "" {
		return " Unset it; docs/settings.md lists them all."
	}
	return " Did you mean " + best + "? Otherwise unset it."
}

// distance is the number of letters to insert, remove or change to make one text of the other.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
