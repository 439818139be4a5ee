package sanitize_test

import (
	"os"
	"strings"
	"testing"
)

// corpus is testdata/corpus.txt: payloads with a line of %% between, most from public lists of bypasses (OWASP's filter
// evasion cheat sheet, PortSwigger's, html5sec, and the published bypasses of DOMPurify and other sanitisers).
func corpus(t testing.TB) (payloads []string) {
	t.Helper()
	text, err := os.ReadFile("testdata/corpus.txt")
	if err != nil {
		t.Fatal(err)
	}
	for payload := range strings.SplitSeq(string(text), "\n%%\n") {
		payloads = append(payloads, payload)
	}
	if len(payloads) < 100 {
		t.Fatalf("the corpus has %d payloads", len(payloads))
	}
	return payloads
}

func TestCorpusComesOutInert(t *testing.T) {
	for _, payload := range corpus(t) {
		hold(t, payload)
	}
}
