package sanitize

import (
	"os"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// S074: each of the two layers by itself leaves nothing that runs, fetches or submits. If one of them has a hole, the
// other still holds.
func TestEachLayerAloneStopsTheCorpus(t *testing.T) {
	corpus, err := os.ReadFile("testdata/corpus.txt")
	if err != nil {
		t.Fatal(err)
	}
	for name, layer := range map[string]func(string) string{"the policy": policy().Sanitize, "the writer": tidy} {
		for payload := range strings.SplitSeq(string(corpus), "\n%%\n") {
			root, err := html.Parse(strings.NewReader("<!doctype html><body>" + layer(payload)))
			if err != nil {
				t.Fatal(err)
			}
			for n := range root.Descendants() {
				if n.Type != html.ElementNode || n.Data == "html" || n.Data == "head" || n.Data == "body" {
					continue
				}
				if _, ok := elements[n.Data]; !ok || n.Namespace != "" {
					t.Errorf("%s alone lets %s through: %q", name, n.Data, payload)
				}
				for _, a := range n.Attr {
					scheme, _, _ := strings.Cut(strings.ToLower(a.Val), ":")
					if strings.HasPrefix(a.Key, "on") || a.Key == "style" || a.Key == "src" || a.Key == "id" || a.Key == "href" && (strings.TrimSpace(scheme) == "javascript" || scheme == "data") {
						t.Errorf("%s alone lets %s=%q through: %q", name, a.Key, a.Val, payload)
					}
				}
			}
		}
	}
}
