package sqlsafe

import "strings"

// Verb is the first word of a statement in upper case, such as "INSERT": what it does, for those who run statements of
// others. It is empty if the text does not begin with a word, after spaces and comments.
func Verb(q Query) string {
	text, _, err := q.build()
	if err != nil {
		return ""
	}
	for text != "" {
		size := token(text)
		if comment := size > 1 && (text[0] == '-' || text[0] == '/'); !comment && strings.TrimSpace(text[:size]) != "" {
			break
		}
		text = text[size:]
	}
	end := strings.IndexFunc(text, func(r rune) bool { return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') })
	if end >= 0 {
		text = text[:end]
	}
	return strings.ToUpper(text)
}
