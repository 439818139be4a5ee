package chain_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ringwall/ringwall"
	"github.com/ringwall/ringwall/internal/chain"
	"github.com/ringwall/ringwall/ratelimit"
	"github.com/ringwall/ringwall/ringwalltest"
	"github.com/ringwall/ringwall/session"
)

func asked(t *testing.T, s *ringwalltest.Server, of *ringwalltest.Client) *http.Request {
	r := httptest.NewRequestWithContext(t.Context(), "GET", s.URL+"/", nil)
	r.Header.Set("Cookie", "__Host-ringwall="+of.Cookie("__Host-ringwall"))
	r.Header.Set("User-Agent", "Firefox")
	r.RemoteAddr = "127.0.0.1:40000"
	r.Header.Set("X-Forwarded-For", "192.0.2.1")
	return r
}

// What the audit log tells of a request is what came, whatever the application has made of its headers before somebody asks.
func TestAnApplicationCannotChangeWhereARequestCameFrom(t *testing.T) {
	for _, header := range []string{"X-Forwarded-For", ""} {
		options, want := ringwall.Options{TrustedProxyHeader: header}, "127.0.0.1"
		if header != "" {
			options.TrustedProxies, want = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}, "192.0.2.1"
		}
		s := ringwalltest.StartApp(t, options, nil)
		var from *chain.Request
		app := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			r.RemoteAddr = "6.6.6.6:6"
			r.Header.Set("X-Forwarded-For", "6.6.6.6")
			r.Header.Set("User-Agent", "Evil")
			from = chain.From(r.Context())
		})
		answer(s.Ringwall.Protect(app), asked(t, s, s.SignIn("ann@example.org")))
		if got := from.Actor.Request(); got.Address.String() != want || got.UserAgent != "Firefox" || got.ID != from.ID || got.ID == "" {
			t.Errorf("with the header %q a request came from %+v, want %s and Firefox", header, got, want)
		}
	}
}

// A handler may keep its request after it has answered: it stays that of its own person, and has one id, whoever asks when.
func TestAKeptRequestStaysItsPersons(t *testing.T) {
	s := ringwalltest.StartApp(t, ringwall.Options{}, nil)
	var kept []*http.Request
	protected := s.Ringwall.Protect(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { kept = append(kept, r) }))
	people := []*ringwalltest.Client{s.SignIn("ann@example.org"), s.SignIn("bob@example.org")}
	for range 3 {
		for _, p := range people {
			answer(protected, asked(t, s, p))
		}
	}
	var all sync.WaitGroup
	for i, r := range kept {
		want := []string{"ann@example.org", "bob@example.org"}[i%2]
		for range 2 {
			all.Go(func() {
				in, ok := session.From(r.Context())
				if req := chain.From(r.Context()); !ok || in.Email != want || req.Person.Email != want || req.Session.ID != in.ID || req.ID != chain.From(r.Context()).ID {
					t.Errorf("the request that %s made is that of %q", want, req.Person.Email)
				}
			})
		}
		for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
			if text := fmt.Sprintf(verb, r.Context()); strings.Contains(text, "@") {
				t.Errorf("printed with %s a context tells %s", verb, text)
			}
		}
	}
	all.Wait()
	if len(kept) != 6 || chain.From(kept[0].Context()).ID == chain.From(kept[2].Context()).ID {
		t.Error("two requests have one id")
	}
}

// Mark 9: what stands before an application, with a limit and its fields, costs at most ten allocations a request.
func TestTheChainOfAnApplicationAllocatesLittle(t *testing.T) {
	s := ringwalltest.StartApp(t, ringwall.Options{}, nil)
	limit, err := ratelimit.New("test", []ratelimit.Window{{Quota: 100_000, Per: time.Second}}, ratelimit.Options{})
	if err != nil {
		t.Fatal(err)
	}
	protected := s.Ringwall.Protect(limit.Handler(ratelimit.ByAddress(nil, ""), http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })))
	r, w := asked(t, s, s.SignIn("ann@example.org")), httptest.NewRecorder()
	got := testing.AllocsPerRun(1000, func() {
		w.Code = 0
		clear(w.Header())
		protected.ServeHTTP(w, r)
	})
	if w.Header().Get("RateLimit") == "" {
		t.Errorf("the answer is %d without RateLimit", w.Code)
	}
	if got > 10 {
		t.Errorf("%v allocations a request, want at most ten", got)
	}
}
