package mail

import (
	"net/url"
	"regexp"
	"strings"
	"unicode"
)

// looksLikeLink finds what mail programs turn into links. A stranger's words must not become one in our mail.
var looksLikeLink = regexp.MustCompile(`(?i)[@/\\]|www\.|[^\s.]\.[\pL_]`)

// oneLine makes text from strangers safe to print: valid UTF-8, no control, format or line characters, single spaces,
// at most max characters. Angle brackets stay: the templates escape them.
func oneLine(text string, max int) string {
	text = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case r == unicode.ReplacementChar, !unicode.IsGraphic(r):
			return -1
		}
		return r
	}, strings.ToValidUTF8(text, ""))
	text = strings.Join(strings.Fields(text), " ")
	if runes := []rune(text); len(runes) > max {
		text = strings.TrimSpace(string(runes[:max-1])) + "…"
	}
	return text
}

// fromStranger is oneLine of at most 60 characters, or nothing where it could become a link.
func fromStranger(text string) string {
	text = oneLine(text, 60)
	if looksLikeLink.MatchString(text) {
		return ""
	}
	return text
}

// ownLink is link if it leads to our origin, and nothing otherwise.
func ownLink(link, origin string) string {
	if origin == "" || !strings.HasPrefix(link, strings.TrimSuffix(origin, "/")+"/") {
		return ""
	}
	parsed, err := url.Parse(link)
	if err != nil || parsed.User != nil || (parsed.Scheme != "https" && parsed.Scheme != "http") {
		return ""
	}
	if strings.ContainsFunc(link, func(r rune) bool { return r <= ' ' || r >= 0x7f || r == '<' || r == '>' || r == '"' }) {
		return ""
	}
	return link
}

// grouped shows a code of eight characters as two groups of four.
func grouped(code string) string {
	code = oneLine(code, 32)
	if len(code) == 8 {
		return code[:4] + "-" + code[4:]
	}
	return code
}
