// Package e2e_test attacks a whole Ringwall over HTTPS, on both databases, and looks at nothing but its answers and mails.
package e2e_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/ringwall/ringwall"
	"github.com/ringwall/ringwall/internal/testdb"
	"github.com/ringwall/ringwall/ringwalltest"
)

// each runs a test against a server on SQLite and against one on PostgreSQL.
func each(t *testing.T, test func(t *testing.T, s *ringwalltest.Server)) {
	t.Helper()
	eachWith(t, nil, test)
}

func eachWith(t *testing.T, change func(*ringwall.Options), test func(t *testing.T, s *ringwalltest.Server)) {
	t.Helper()
	testdb.Each(t, func(t *testing.T, db testdb.DB) {
		t.Parallel()
		o := ringwall.Options{Database: db.DSN, MasterKey: ringwall.NewSecret(masterKey)}
		if change != nil {
			change(&o)
		}
		test(t, ringwalltest.StartApp(t, o, application))
	})
}

// application is what stands behind the wall.
var application = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	_, _ = w.Write([]byte("the application"))
})

const masterKey = "5b1f0a9be7c2d4863f7799aa10e4c3d85612f0be9d3c4a7788e1b2c3d4f5a697"

type object = map[string]any

// want fails the test unless the answer has the status and, if it is a refusal, the problem code.
func want(t *testing.T, what string, got ringwalltest.Answer, status int, code string) {
	t.Helper()
	if got.Status != status || got.Code() != code {
		t.Fatalf("%s = %d %q, want %d %q\n%s", what, got.Status, got.Code(), status, code, got.Body)
	}
}

// left is what a caller's own requests have left of a quota, and when there is more.
var left = regexp.MustCompile(`r=\d+;t=\d+`)

// sameAnswer holds two answers against each other byte for byte, but for what differs by nature: the time, the
// request id, the random values of cookies, and what is left of the caller's quota after one request more.
func sameAnswer(t *testing.T, what string, a, b ringwalltest.Answer) {
	t.Helper()
	if a.Status != b.Status {
		t.Errorf("%s: statuses differ: %d and %d", what, a.Status, b.Status)
	}
	if x, y := withoutInstance(a.Body), withoutInstance(b.Body); !bytes.Equal(x, y) {
		t.Errorf("%s: bodies differ:\n%s\n%s", what, x, y)
	}
	names := func(h http.Header) []string {
		n := slices.Sorted(maps.Keys(h))
		return slices.DeleteFunc(n, func(s string) bool { return s == "Date" })
	}
	if x, y := names(a.Header), names(b.Header); !slices.Equal(x, y) {
		t.Errorf("%s: headers differ:\n%v\n%v", what, x, y)
	}
	for _, name := range names(a.Header) {
		if name == "Set-Cookie" {
			continue
		}
		if x, y := left.ReplaceAllString(strings.Join(a.Header[name], "\n"), ""), left.ReplaceAllString(strings.Join(b.Header[name], "\n"), ""); x != y {
			t.Errorf("%s: header %s differs: %v and %v", what, name, a.Header[name], b.Header[name])
		}
	}
	if len(a.Header["Set-Cookie"]) != len(b.Header["Set-Cookie"]) {
		t.Errorf("%s: cookies differ:\n%v\n%v", what, a.Header["Set-Cookie"], b.Header["Set-Cookie"])
	}
}

func withoutInstance(body []byte) []byte {
	var doc object
	if json.Unmarshal(body, &doc) != nil {
		return body
	}
	delete(doc, "instance")
	out, _ := json.Marshal(doc)
	return out
}

// fifty calls try from fifty goroutines at once and counts how often it was true.
func fifty(try func(i int) bool) int {
	var wins atomic.Int64
	var wg sync.WaitGroup
	start := make(chan struct{})
	for i := range 50 {
		wg.Go(func() {
			<-start
			if try(i) {
				wins.Add(1)
			}
		})
	}
	close(start)
	wg.Wait()
	return int(wins.Load())
}
