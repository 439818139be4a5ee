package input

import "golang.org/x/text/language"

const maxLanguages = 200 // bytes: no browser sends more, and parsing costs

// Language is the one of those that there are which the reader prefers, by the header Accept-Language; the
// first of them if it names none.
func Language(asked string, have ...string) string {
	if asked == "" || len(asked) > maxLanguages {
		return have[0]
	}
	wanted, _, err := language.ParseAcceptLanguage(asked)
	if err != nil {
		return have[0]
	}
	for _, tag := range wanted {
		base, _ := tag.Base()
		for _, tongue := range have {
			if base.String() == tongue {
				return tongue
			}
		}
	}
	return have[0]
}
