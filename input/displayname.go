package input

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

const maxNameRunes = 100

// DisplayName is what a person wants to be called, in NFC, without spaces at its ends. It may be empty.
type DisplayName string

// ParseDisplayName reads a name. It returns a [*Fault] for more than 100 code points, control, private and unassigned
// characters, invisible ones and those that turn the direction of writing (joiners apart, which names and emoji need),
// line breaks, angle brackets in any width, and addresses of the web, which mail programs would make a link.
func ParseDisplayName(text string) (DisplayName, error) {
	if !utf8.ValidString(text) {
		return "", &Fault{"characters", "Write the name in UTF-8."}
	}
	if len(text) > 4*4*maxNameRunes { // before it costs anything; NFC shortens, by no more than this
		return "", &Fault{"too-long", "A name has at most 100 characters."}
	}
	name := strings.TrimSpace(norm.NFC.String(text))
	if utf8.RuneCountInString(name) > maxNameRunes {
		return "", &Fault{"too-long", "A name has at most 100 characters."}
	}
	if strings.ContainsFunc(name, isNoNameRune) || strings.Contains(name, "://") {
		return "", &Fault{"characters", "Leave out < and >, web addresses, line breaks and invisible characters."}
	}
	if name != "" && !strings.ContainsFunc(name, isVisible) {
		return "", &Fault{"characters", "Write a name that can be seen."}
	}
	return DisplayName(name), nil
}

// UnmarshalText is [ParseDisplayName].
func (n *DisplayName) UnmarshalText(text []byte) error {
	parsed, err := ParseDisplayName(string(text))
	if err != nil {
		return err
	}
	*n = parsed
	return nil
}

func isNoNameRune(r rune) bool {
	const nonJoiner, joiner = '\u200C', '\u200D'
	switch r {
	case nonJoiner, joiner:
		return false
	case '<', '>', '\uFF1C', '\uFF1E', '\uFE64', '\uFE65':
		return true
	case '\u115F', '\u1160', '\u3164', '\uFFA0', '\u2800': // letters that show nothing
		return true
	}
	// Graphic letters, marks, numbers, punctuation, symbols and spaces; all else is control, format, private or not
	// assigned.
	return !unicode.IsGraphic(r)
}

func isVisible(r rune) bool {
	return unicode.In(r, unicode.L, unicode.N, unicode.P, unicode.S)
}
