package app_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/ringwall/ringwall/internal/testdb"
)

// fifty sends a transfer fifty times at once, and counts the answers.
func fifty(t *testing.T, p *person, fields func(i int) url.Values) map[int]int {
	t.Helper()
	p.CSRF = ""
	var wg sync.WaitGroup
	var mu sync.Mutex
	count := map[int]int{}
	for i := range 50 {
		wg.Go(func() {
			got, err := p.Try("POST", "/transfers", fields(i))
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				t.Errorf("transfer %d: %v", i, err)
			}
			count[got.Status]++
		})
	}
	wg.Wait()
	return count
}

// Somebody presses the button fifty times: the money goes once, and every press is answered.
func TestFiftyPressesAreOneTransfer(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db testdb.DB) {
		s := start(t, db, nil)
		ada, ben := s.person("ada@example.org"), s.person("ben@example.org")
		ben.Get("/transfers")
		form := ada.form("/transfers", "/transfers")
		form.Set("to", "ben@example.org")
		form.Set("amount", "1")
		count := fifty(t, ada, func(int) url.Values { return form })
		if count[303] < 1 || count[303]+count[409] != 50 {
			t.Errorf("answers %v, want 303, or 409 while the first one runs", count)
		}
		expect(t, "the same once more", ada.send("/transfers", form), 303)
		expect(t, "Ada has", ada.Get("/transfers"), 200, "99.00 €")
		expect(t, "Ben has", ben.Get("/transfers"), 200, "101.00 €")
		form.Set("amount", "50")
		expect(t, "the same key for more", ada.send("/transfers", form), 422)
		expect(t, "Ada still has", ada.Get("/transfers"), 200, "99.00 €")
	})
}

// Fifty transfers at once that are each covered, and together are not.
func TestNobodyOverdraws(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db testdb.DB) {
		s := start(t, db, nil)
		ada, ben := s.person("ada@example.org"), s.person("ben@example.org")
		ben.Get("/transfers")
		base := ada.form("/transfers", "/transfers")
		count := fifty(t, ada, func(i int) url.Values {
			return url.Values{"csrf_token": base["csrf_token"], "idempotency_key": {fmt.Sprintf("transfer-number-%04d", i)}, "to": {"ben@example.org"}, "amount": {"30"}}
		})
		if count[303] != 3 || count[422] != 47 {
			t.Errorf("answers %v, want 3 transfers of 30 out of 100 and 47 refusals", count)
		}
		expect(t, "Ada has", ada.Get("/transfers"), 200, "10.00 €")
		expect(t, "Ben has", ben.Get("/transfers"), 200, "190.00 €")
	})
}

// Two who send each other money at once must not wait for each other for ever.
func TestTransfersThatCross(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db testdb.DB) {
		s := start(t, db, nil)
		people := []*person{s.person("ada@example.org"), s.person("ben@example.org")}
		for _, p := range people {
			p.Get("/transfers")
		}
		var wg sync.WaitGroup
		for i, p := range people {
			other := []string{"ben@example.org", "ada@example.org"}[i]
			base := p.form("/transfers", "/transfers")
			wg.Go(func() {
				count := fifty(t, p, func(n int) url.Values {
					return url.Values{"csrf_token": base["csrf_token"], "idempotency_key": {fmt.Sprintf("crossing-number-%04d", n)}, "to": {other}, "amount": {"0.50"}}
				})
				if count[303] != 50 {
					t.Errorf("answers %v, want 50 transfers", count)
				}
			})
		}
		wg.Wait()
		for _, p := range people {
			expect(t, "the balance", p.Get("/transfers"), 200, "100.00 €")
		}
	})
}

func TestTransferIsRefused(t *testing.T) {
	s := start(t, testdb.SQLite(t), nil)
	ada := s.person("ada@example.org")
	s.person("ben@example.org").Get("/transfers")
	for _, tt := range []struct{ name, to, amount, says string }{
		{"to nobody", "who@example.org", "1", "Nobody here has this address."},
		{"to oneself", "ADA@example.org", "1", "That is you"},
		{"of more than there is", "ben@example.org", "100.01", "You have less than that."},
		{"of less than nothing", "ben@example.org", "-1", "Write an amount"},
		{"without anything", "", "", "This field is required."},
	} {
		expect(t, tt.name, ada.submit("/transfers", "/transfers", map[string]string{"to": tt.to, "amount": tt.amount}), 422, tt.says, "100.00 €")
	}
	form := ada.form("/transfers", "/transfers")
	form.Set("to", "ben@example.org")
	form.Set("amount", "1")
	form.Del("idempotency_key")
	expect(t, "without a key", ada.send("/transfers", form), 400)
	form.Del("csrf_token")
	expect(t, "without a token", ada.send("/transfers", form), http.StatusForbidden)
	form.Set("key", "x")
	expect(t, "Ada has", ada.Get("/transfers"), 200, "100.00 €", "No money has moved yet.")

	// A program sends the key as a header.
	ada.Get("/auth/v1/session")
	ada.Header.Set("Idempotency-Key", `"`+strings.Repeat("k", 20)+`"`)
	for range 2 {
		if got := ada.Do("POST", "/transfers", url.Values{"to": {"ben@example.org"}, "amount": {"1"}}); got.Status != 303 {
			t.Errorf("with the header = %d\n%s", got.Status, got.Body)
		}
	}
	expect(t, "Ada has", ada.Get("/transfers"), 200, "99.00 €")
}
