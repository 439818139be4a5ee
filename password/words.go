package password

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"unicode"

	"github.com/nbutton23/zxcvbn-go/data"
	"golang.org/x/text/unicode/norm"
)

// vocabulary is what attackers guess from.
type vocabulary struct {
	ranks map[string]int32
	walks [][]rune // over keyboards: rows one after the other, columns, and the rows with shift
}

// commonWords has zxcvbn's lists by rank: 7,141 common passwords, 32,545 English words, 4,819 first names; rank 1 is the most common. They
// are read at first use. zxcvbn-go itself reads them, and family names and keyboards, whenever a program starts that imports it: 50 ms and 7 MB
// were measured. It also does not see "xyxyxyxyxyxyxyxy" or "p4ssw0rdp4ssw0rd", and takes exponential time for l33t. So only its data is used.
var commonWords = sync.OnceValues(func() (*vocabulary, error) {
	v := &vocabulary{ranks: make(map[string]int32, 45000), walks: keyboards()}
	for _, name := range []string{"Passwords", "English", "FemaleNames", "MaleNames"} {
		text, err := data.Asset("data/" + name + ".json")
		if err != nil {
			return nil, fmt.Errorf("read common words: %w", err)
		}
		var file struct{ List []string }
		if err := json.Unmarshal(text, &file); err != nil {
			return nil, fmt.Errorf("read common words %s: %w", name, err)
		}
		for i, word := range file.List {
			word = fold(word)
			rank := int32(i + 1) // #nosec G115 -- a list has fewer than 2^31 words
			if old, ok := v.ranks[word]; !ok || rank < old {
				v.ranks[word] = rank
			}
		}
	}
	return v, nil
})

func keyboards() (walks [][]rune) {
	for _, walk := range []string{
		"qwertyuiopasdfghjklzxcvbnm", "qwertzuiopasdfghjklyxcvbnm", "azertyuiopqsdfghjklmwxcvbn", "йцукенгшщзхъфывапролджэячсмитьбю",
		"1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik,9ol.0p;/", "1qay2wsx3edc4rfv5tgb6zhn7ujm8ik,9ol.", "zaq1xsw2cde3vfr4bgt5nhy6mju7,ki8.lo9/;p0",
		"zaq12wsxcde34rfvbgt56yhnmju78ik,", "qazwsxedcrfvtgbyhnujmikolp", "1q2w3e4r5t6y7u8i9o0p", "741852963", "789456123",
		"1234567890-=", "!@#$%^&*()_+", "!\"§$%&/()=?",
	} {
		walks = append(walks, []rune(walk))
	}
	return walks
}

const (
	maxNames     = 16
	maxNameRunes = 256
	minNameRunes = 3
)

// nameWords are the folded names, whole, without what separates their parts, and the parts. An address gives its local part too.
func nameWords(names []string) map[string]int32 {
	words := make(map[string]int32)
	add := func(word string) {
		if len([]rune(word)) >= minNameRunes {
			words[word] = 1
		}
	}
	split := func(name string) {
		parts := strings.FieldsFunc(name, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsNumber(r) })
		for _, part := range parts {
			add(part)
			add(strings.TrimFunc(part, unicode.IsNumber))
		}
		add(strings.Join(parts, ""))
	}
	for _, name := range names[:min(len(names), maxNames)] {
		name = fold(firstRunes(name, maxNameRunes))
		add(name)
		split(name)
		if at := strings.LastIndexByte(name, '@'); at >= 0 {
			add(name[:at])
			split(name[:at])
			add(name[at+1:])
			split(name[at+1:])
		}
	}
	return words
}

// fold makes alike what looks or is typed alike: compatibility forms, accents, case.
func fold(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Mn, r) {
			return -1
		}
		return unicode.ToLower(r)
	}, norm.NFKD.String(text))
}

func firstRunes(text string, n int) string {
	for i := range text {
		if n == 0 {
			return text[:i]
		}
		n--
	}
	return text
}
