package sanitize

import (
	"regexp"
	"sync"

	"github.com/microcosm-cc/bluemonday"
)

var (
	policy   = sync.OnceValue(newPolicy)
	language = regexp.MustCompile(`^language-[a-zA-Z0-9+#.-]{1,32}$`)
	number   = regexp.MustCompile(`^[0-9]{1,9}$`)
)

// newPolicy is the first layer: which elements, attributes and addresses there are. It never changes once it is made.
func newPolicy() *bluemonday.Policy {
	p := bluemonday.NewPolicy()
	for name := range elements {
		p.AllowElements(name)
		p.AllowNoAttrs().OnElements(name)
	}
	p.AllowAttrs("href", "title").OnElements("a")
	p.AllowAttrs("title").OnElements("abbr")
	p.AllowAttrs("start").Matching(number).OnElements("ol")
	p.AllowAttrs("class").Matching(language).OnElements("code")
	p.RequireParseableURLs(true)
	p.AllowRelativeURLs(true)
	p.AllowURLSchemes("http", "https", "mailto")
	return p
}
