package e2e_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/ringwall/ringwall"
	"github.com/ringwall/ringwall/ringwalltest"
	"github.com/ringwall/ringwall/session"
)

// sharedCache stands between people and a server, as Varnish does, and keeps whatever RFC 9111 lets it keep: every status that
// may be cached without being told so, with or without Set-Cookie. A careless one does not look at Vary either.
type sharedCache struct {
	next     http.RoundTripper
	careless bool
	kept     map[string][]keptAnswer
	reused   int
}

type keptAnswer struct {
	asked, head http.Header
	status      int
	body        []byte
}

// RoundTrip answers from what is kept, or asks and keeps.
func (c *sharedCache) RoundTrip(r *http.Request) (*http.Response, error) {
	for _, kept := range c.kept[r.URL.String()] {
		if r.Method == "GET" && (c.careless || sameSelection(kept.head, kept.asked, r.Header)) {
			c.reused++
			return &http.Response{StatusCode: kept.status, Header: kept.head.Clone(), Body: io.NopCloser(bytes.NewReader(kept.body)), Request: r, ProtoMajor: 1}, nil
		}
	}
	response, err := c.next.RoundTrip(r)
	if err != nil || r.Method != "GET" || !mayKeep(r, response) {
		return response, err
	}
	body, err := io.ReadAll(response.Body)
	_ = response.Body.Close()
	response.Body = io.NopCloser(bytes.NewReader(body))
	c.kept[r.URL.String()] = append(c.kept[r.URL.String()], keptAnswer{r.Header.Clone(), response.Header.Clone(), response.StatusCode, body})
	return response, err
}

// mayKeep is RFC 9111, 3, for a shared cache.
func mayKeep(r *http.Request, response *http.Response) bool {
	says := strings.ToLower(strings.Join(response.Header.Values("Cache-Control"), ","))
	if strings.Contains(says, "no-store") || strings.Contains(says, "private") || response.Header.Get("Vary") == "*" {
		return false
	}
	if r.Header.Get("Authorization") != "" && !strings.Contains(says, "public") && !strings.Contains(says, "s-maxage") && !strings.Contains(says, "must-revalidate") {
		return false
	}
	return strings.Contains(says, "max-age") || slices.Contains([]int{200, 203, 204, 206, 300, 301, 308, 404, 405, 410, 414, 501}, response.StatusCode)
}

func sameSelection(head, asked, asks http.Header) bool {
	for _, line := range head.Values("Vary") {
		for name := range strings.SplitSeq(line, ",") {
			if name = strings.TrimSpace(name); !slices.Equal(asked.Values(name), asks.Values(name)) {
				return false
			}
		}
	}
	return true
}

// I067 to I071: with a cache in front two people never see each other's answers, whatever the cache may keep.
func TestASharedCacheMixesNobodyUp(t *testing.T) {
	who := func(w http.ResponseWriter, r *http.Request) {
		address := "nobody"
		if s, ok := session.From(r.Context()); ok {
			address = s.Email
		}
		_, _ = fmt.Fprint(w, "hello, ", address)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", who)
	mux.HandleFunc("GET /later", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "max-age=600") // without a thought of who reads it
		who(w, r)
	})
	mux.HandleFunc("GET /logo", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "public, max-age=600")
		_, _ = fmt.Fprint(w, "logo")
	})
	for _, careless := range []bool{false, true} {
		s := ringwalltest.StartApp(t, ringwall.Options{}, mux, "GET /{$}", "GET /later", "GET /logo")
		cache := &sharedCache{careless: careless, kept: map[string][]keptAnswer{}}
		people := map[string]*ringwalltest.Client{"ann@example.org": s.SignIn("ann@example.org"), "bob@example.org": s.SignIn("bob@example.org"), "nobody": s.Client()}
		for _, c := range people {
			cache.next = c.HTTP.Transport
		}
		paths := []string{"/", "/auth/v1/session", "/auth/v1/me", "/auth/v1/sessions", "/auth/account", "/auth/login", "/auth/nowhere", "/nowhere", "/auth/v1/login", "/.well-known/change-password", "/auth"}
		if !careless {
			paths = append(paths, "/later") // Vary keeps it apart; a cache that ignores it breaks every site
		}
		for range 2 {
			for name, c := range people {
				c.HTTP.Transport = cache
				for _, path := range paths {
					got := c.Get(path)
					for other := range people {
						if other != name && strings.Contains(string(got.Body), other) {
							t.Errorf("careless %v: %s at %s sees %s", careless, name, path, other)
						}
					}
				}
				if got := c.Get("/logo"); string(got.Body) != "logo" {
					t.Errorf("%s is shown %q as the logo", name, got.Body)
				}
			}
		}
		if careless && cache.reused < 5 || len(cache.kept) == 0 {
			t.Errorf("the cache kept %d answers and used %d again: it proves nothing", len(cache.kept), cache.reused)
		}
		for url, kept := range cache.kept {
			if strings.Contains(url, "/auth") || strings.Contains(url, ".well-known") {
				t.Errorf("the cache may keep %s: %v", url, kept[0].head)
			}
		}
	}
}
