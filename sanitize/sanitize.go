// Package sanitize makes HTML and markdown of strangers safe to show: what comes out holds text, a few elements of
// running text, and links; nothing that a browser would run, fetch or submit.
//
// Call it before you store, so that what lies in the database is harmless, and again where it is shown, so that it is
// harmless whoever stored it. The second call changes nothing:
//
//	comment.HTML = string(sanitize.Markdown(in.Text)) // before storing
//	page.Execute(w, sanitize.HTML(comment.HTML))      // where it is shown; html/template prints it as it is
//
// [Text] takes all markup off, for titles and mails.
//
// # The rules
//
// These elements stay: p br hr h1–h6 blockquote pre ul ol li dl dt dd div table thead tbody tr th td, and a abbr b
// code del em i ins kbd mark q s small strong sub sup u. Their only attributes are href and title of a link, title of
// abbr, start of ol, and class of code if it names a language (language-go). Other tags go and their text stays; of
// script, style and others whose content is no text, that goes too. Links lead to http, https, mailto or a path, carry
// no user name, and get rel="nofollow noopener noreferrer".
//
// There are no pictures: a foreign one tells its owner who reads the page and when, and one of your own host may be
// redirected to a foreign one. In markdown the words that describe a picture stay.
//
// HTML inside markdown is text: it is shown as it was typed. Markdown is CommonMark without extensions.
//
// The result is well-formed, and a browser builds the very elements that it names: tags are paired, nest at most
// [MaxDepth] deep, and no element stands where a parser would move it. So it can neither end an element of your page
// nor become something else when it is written out and read again (mutation XSS). Two layers see to that, each alone:
// bluemonday's list of elements, attributes and addresses, and a writer of ours that knows nothing but its own.
//
// Input and result are at most [MaxBytes] long; what is longer is cut. Refuse longer input before, with maxLength of
// package input. Time and memory grow with the length, and no faster: what is nested or marked more than people do in
// markdown is text.
//
// # What it does not catch
//
// The result is for the content of an element: not for an attribute, a script or a style, where html/template escapes
// it; and do not change it after it came out. Words still lie: a link may say one address and lead to another, and
// relative links lead into your own site, so a GET there must not change anything. Text may look like a part of your
// page; give it a frame. A Content-Security-Policy (package headers) is the layer behind this one.
package sanitize

import (
	"bytes"
	"html/template"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/html"
)

const (
	// MaxBytes is how long input and result may be: 1 MiB. What is longer is cut.
	MaxBytes = 1 << 20
	// MaxDepth is how deep elements nest. Tags of deeper ones go, their text stays.
	MaxDepth = 32
)

// HTML makes HTML safe to show inside of an element of a page. It is idempotent: HTML(HTML(x)) is HTML(x).
func HTML(in string) template.HTML {
	return template.HTML(tidy(policy().Sanitize(clean(in)))) // #nosec G203 -- the one place where markup becomes trusted
}

// Markdown turns markdown (CommonMark) into HTML that is safe to show inside of an element of a page. [HTML] leaves the
// result as it is.
func Markdown(in string) template.HTML {
	return HTML(convert(clean(in)))
}

// Text is the text of HTML, without any tag or character reference. It is plain text: escape it when you print it, as
// html/template does. It is idempotent, and even who forgets to escape it prints no tag: a "<" that could begin one is
// left out.
func Text(in string) string {
	text := clean(in)
	for range 4 { // text that is escaped several times over is read as if once
		plain := strip(text)
		if plain == text {
			return text
		}
		text = plain
	}
	return strip(strings.ReplaceAll(text, "&", ""))
}

// clean makes the input UTF-8 without control characters but tab and line feed, and cuts it.
func clean(in string) string {
	return cut(characters(cut(in, MaxBytes)), MaxBytes)
}

// cut shortens text to a number of bytes, between two characters.
func cut(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	end := limit
	for end > limit-utf8.UTFMax && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end]
}

// characters drops control characters, which browsers read each in its own way, and writes line ends as \n.
func characters(text string) string {
	if strings.Contains(text, "\r") {
		text = strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\r", "\n")
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\n' && r != '\t' || r >= 0x7f && r < 0xa0 {
			return -1
		}
		return r // of what is no UTF-8, U+FFFD
	}, text)
}

// strip takes tags off and decodes what is left, once. Where a block began or ended, a line ends.
func strip(text string) string {
	if !strings.ContainsAny(text, "<&") {
		return text
	}
	var out []byte
	for z := html.NewTokenizer(strings.NewReader(policy().Sanitize(text))); z.Next() != html.ErrorToken; {
		token := z.Token()
		if token.Type == html.TextToken {
			out = appendText(out, characters(token.Data))
		} else if elements[token.Data].kind != inline && len(out) > 0 && out[len(out)-1] != '\n' {
			out = append(out, '\n')
		}
	}
	return cut(strings.TrimRight(string(out), "<\n"), MaxBytes)
}

// appendText appends text, and takes away each "<" that could begin a tag, a comment or the like with what follows.
func appendText(out []byte, text string) []byte {
	for i := range len(text) {
		if c := text[i]; c|0x20 >= 'a' && c|0x20 <= 'z' || c == '/' || c == '!' || c == '?' {
			out = bytes.TrimRight(out, "<")
		}
		out = append(out, text[i])
	}
	return out
}
