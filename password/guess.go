package password

import (
	"math"
	"slices"
	"strings"
	"time"
)

const (
	maxGuessRunes = 64 // at either end of a password
	maxWordRunes  = 32
)

// guessable reports whether a password that somebody guesses from words, names, keyboards, sequences, dates and repetitions withstands
// fewer than 2^enoughBits guesses. Of a long one, both ends must.
func guessable(password string, v *vocabulary, names map[string]int32) bool {
	runes := []rune(fold(password))
	if len(runes) <= maxGuessRunes {
		return weakest(runes, v, names) < enoughBits
	}
	return weakest(runes[:maxGuessRunes], v, names) < enoughBits &&
		weakest(runes[len(runes)-maxGuessRunes:], v, names) < enoughBits
}

// weakest is the least estimate in bits: as it stands, with letters for the digits and signs that look like them, or as two interleaved texts.
func weakest(runes []rune, v *vocabulary, names map[string]int32) float64 {
	best := estimate(runes, v, names)
	for _, one := range []rune{'i', 'l'} {
		if plain, changed := unleet(runes, one); changed {
			best = min(best, 2+estimate(plain, v, names))
		}
	}
	var even, odd []rune
	for i, r := range runes {
		if i%2 == 0 {
			even = append(even, r)
		} else {
			odd = append(odd, r)
		}
	}
	return min(best, 2+estimate(even, v, names)+estimate(odd, v, names))
}

// estimate is the cheapest way, in bits, to put the text together from pieces.
func estimate(runes []rune, v *vocabulary, names map[string]int32) float64 {
	g := guess{runes: runes, text: string(runes), at: make([]int, 0, len(runes)+1), cost: make([]float64, len(runes)+1)}
	for i := range g.text {
		g.at = append(g.at, i)
	}
	g.at = append(g.at, len(g.text))
	for i := range g.cost {
		g.cost[i] = math.Inf(1)
	}
	g.cost[0] = 0
	for i := range runes {
		g.reach(i, 1, characterBits(runes[i]))
		g.words(i, v.ranks, names)
		g.sequences(i)
		g.walks(i, v.walks)
		g.copies(i)
		g.dates(i)
	}
	return g.cost[len(runes)]
}

// guess finds the cheapest way from the left to the right: cost[i] is that of the first i runes.
type guess struct {
	runes []rune
	text  string
	at    []int // where in text rune i begins
	cost  []float64
}

func (g *guess) reach(from, length int, bits float64) {
	to := from + length
	g.cost[to] = min(g.cost[to], g.cost[from]+bits)
}

func (g *guess) words(i int, words, names map[string]int32) {
	for n := 2; n <= len(g.runes)-i; n++ {
		word := g.text[g.at[i]:g.at[i+n]]
		if _, ok := names[word]; ok {
			g.reach(i, n, 2)
		}
		if rank, ok := words[word]; ok && n <= maxWordRunes {
			g.reach(i, n, 1+math.Log2(float64(rank)+1))
		}
	}
}

// sequences are those of an alphabet, forwards and backwards.
func (g *guess) sequences(i int) {
	for _, step := range [2]rune{1, -1} {
		n := 1
		for i+n < len(g.runes) && g.runes[i+n]-g.runes[i+n-1] == step {
			n++
		}
		for ; n >= 3; n-- {
			g.reach(i, n, 2+characterBits(g.runes[i])+math.Log2(float64(n)))
		}
	}
}

// walks are those over a keyboard, forwards and backwards.
func (g *guess) walks(i int, walks [][]rune) {
	for _, keys := range walks {
		start := slices.Index(keys, g.runes[i])
		if start < 0 {
			continue
		}
		for _, step := range [2]int{1, -1} {
			n := 0
			for place := start; i+n < len(g.runes) && place >= 0 && place < len(keys) && keys[place] == g.runes[i+n]; place += step {
				n++
			}
			for ; n >= 3; n-- {
				g.reach(i, n, 7+math.Log2(float64(n)))
			}
		}
	}
}

// copies are repetitions of anything that stands before, overlapping itself too. The nearest is the cheapest.
func (g *guess) copies(i int) {
	reached := 1
	for back := 1; back <= i; back++ {
		n := 0
		for i+n < len(g.runes) && g.runes[i+n] == g.runes[i+n-back] {
			n++
		}
		for ; reached < n; reached++ {
			g.reach(i, reached+1, 1+math.Log2(float64(back))+math.Log2(float64(reached+1)))
		}
	}
}

// dates are years, and days as eight or six digits.
func (g *guess) dates(i int) {
	rest := g.text[g.at[i]:]
	if len(rest) >= 4 && (strings.HasPrefix(rest, "19") || strings.HasPrefix(rest, "20")) && digits(rest[:4]) {
		g.reach(i, 4, 8)
	}
	for _, layout := range []string{"20060102", "02012006", "01022006", "020106", "010206", "060102"} {
		if len(rest) < len(layout) || !digits(rest[:len(layout)]) {
			continue
		}
		if day, err := time.Parse(layout, rest[:len(layout)]); err == nil && day.Year() >= 1900 && day.Year() < 2100 {
			g.reach(i, len(layout), 16)
		}
	}
}

func digits(s string) bool { return strings.Trim(s, "0123456789") == "" }

// characterBits is what one character alone is worth.
func characterBits(r rune) float64 {
	switch {
	case r >= 'a' && r <= 'z':
		return 4.7
	case r >= '0' && r <= '9':
		return 3.3
	case r < 0x80:
		return 5
	}
	return 6
}

// unleet puts letters for the digits and signs that look like them; one is what 1 and ! and | stand for.
func unleet(runes []rune, one rune) ([]rune, bool) {
	plain, changed := make([]rune, len(runes)), false
	for i, r := range runes {
		plain[i] = r
		switch r {
		case '4', '@':
			plain[i] = 'a'
		case '3', '€':
			plain[i] = 'e'
		case '0':
			plain[i] = 'o'
		case '5', '$':
			plain[i] = 's'
		case '7', '+':
			plain[i] = 't'
		case '8':
			plain[i] = 'b'
		case '1', '!', '|':
			plain[i] = one
		}
		changed = changed || plain[i] != r
	}
	return plain, changed
}
