package sqlsafe

import (
	"slices"
	"strings"
)

// reaches reports whether a SELECT lets rows past a condition that is put behind it with AND.
func reaches(text string) bool {
	either, several := false, false
	words(text, func(word string, depth int) {
		switch {
		case depth != 0:
		case word == "WHERE":
			either = false // what was joined before is bound by it
		case word == "OR":
			either = true
		case slices.Contains([]string{"UNION", "INTERSECT", "EXCEPT"}, word):
			several = true
		}
	})
	return either || several || !isWhole(text)
}

// isWhole reports whether each parenthesis that a text closes was opened in it, and each that it opens is closed.
func isWhole(text string) bool {
	deepest, last := 0, 0
	words(text, func(_ string, depth int) { deepest, last = min(deepest, depth), depth })
	return deepest == 0 && last == 0
}

// words calls each for the words outside of quotes and comments, in upper case, with the number of parentheses around them;
// and, with no word, behind each parenthesis.
func words(text string, each func(word string, depth int)) {
	word, depth := "", 0
	flush := func() {
		if word != "" {
			each(strings.ToUpper(word), depth)
		}
		word = ""
	}
	for rest := text; rest != ""; {
		size := token(rest)
		c := rest[0]
		rest = rest[size:]
		if size == 1 && (c|0x20 >= 'a' && c|0x20 <= 'z' || c == '_' || c >= '0' && c <= '9' || c >= 0x80) {
			word += string(rune(c))
			continue
		}
		flush()
		if size > 1 || c != '(' && c != ')' {
			continue
		}
		if depth++; c == ')' {
			depth -= 2
		}
		each("", depth)
	}
	flush()
}
