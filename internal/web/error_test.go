package web_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/ringwall/ringwall/internal/chain"
	"github.com/ringwall/ringwall/internal/problem"
)

func TestErrorPagesEchoNothing(t *testing.T) {
	const canary = "canary9137"
	h := newHouse(t).signIn()
	for _, entry := range problem.Catalogue() {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			r := httptest.NewRequest(method, "/auth/"+canary+"?x="+canary, strings.NewReader("email="+canary))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.Header.Set("User-Agent", canary)
			r.Header.Set("Referer", "https://"+canary)
			err := problem.New(entry.Kind, entry.Code, canary).With(problem.Field{Name: canary, Detail: canary}).Because(errors.New(canary))
			res := h.fail(r, err)
			if strings.Contains(bodyOf(t, res), canary) {
				t.Errorf("the page of %s repeats what was sent", entry.Code)
			}
			if res.Header.Get("Cache-Control") != "no-store" {
				t.Errorf("the page of %s may be stored", entry.Code)
			}
			if entry.Code == "unauthenticated" && res.Header.Get("WWW-Authenticate") == "" {
				t.Error("401 without WWW-Authenticate")
			}
		}
	}
	res := h.fail(httptest.NewRequest(http.MethodGet, "/auth/x", nil), errors.New(canary))
	if body := bodyOf(t, res); res.StatusCode != 500 || strings.Contains(body, canary) || !strings.Contains(body, h.ask.ID) {
		t.Error("an unforeseen error is explained, or cannot be reported")
	}
}

func TestErrorPagesNeedNoChain(t *testing.T) {
	h := newHouse(t)
	h.Behind(func() *chain.Request { return nil })
	for _, entry := range problem.Catalogue() {
		if entry.Code == "fresh-required" {
			continue
		}
		res := h.fail(httptest.NewRequest(http.MethodGet, "/", nil), problem.New(entry.Kind, entry.Code, "x"))
		if res.StatusCode != entry.Kind.Status() {
			t.Errorf("%s answers %d", entry.Code, res.StatusCode)
		}
		checkPage(t, bodyOf(t, res))
	}
	refused := problem.New(problem.MethodNotAllowed, "method-not-allowed", "x")
	refused.Header = http.Header{"Allow": {"GET, HEAD"}}
	elsewhere := problem.New(problem.Misdirected, "misdirected", "x")
	if body := bodyOf(t, h.fail(httptest.NewRequest(http.MethodGet, "/auth/", nil), elsewhere)); strings.Contains(body, h.Say("en", "error.back")) {
		t.Error("the page of 421 leads back to the host that it refuses")
	}
	if res := h.fail(httptest.NewRequest(http.MethodPut, "/", nil), refused); res.Header.Get("Allow") != "GET, HEAD" {
		t.Error("405 without Allow")
	}
	unknown := problem.New(problem.TooMany, "a-code-of-tomorrow", "x")
	if body := bodyOf(t, h.fail(httptest.NewRequest(http.MethodGet, "/", nil), unknown)); !strings.Contains(body, h.Say("en", "error.too-many-requests.title")) {
		t.Error("a code that the catalogue does not know has no words")
	}
}

func TestOldProofLeadsToTheQuestionAndBack(t *testing.T) {
	h := newHouse(t).signIn()
	stale := problem.New(problem.Forbidden, "fresh-required", "x")
	res := h.fail(httptest.NewRequest(http.MethodGet, "/auth/account/other-devices?x=1", nil), stale)
	if res.StatusCode != http.StatusSeeOther || res.Header.Get("Location") != "/auth/reauthenticate?return_to=%2Fauth%2Faccount%2Fother-devices" {
		t.Errorf("%d to %q", res.StatusCode, res.Header.Get("Location"))
	}
	res = h.fail(httptest.NewRequest(http.MethodGet, "//evil.example/%2f..", nil), stale)
	if res.Header.Get("Location") != "/auth/reauthenticate" {
		t.Errorf("a foreign path is kept: %q", res.Header.Get("Location"))
	}
	res = h.fail(httptest.NewRequest(http.MethodPost, "/auth/account/other-devices", nil), stale)
	if res.StatusCode != http.StatusForbidden {
		t.Errorf("a POST answers %d, want 403: its body would be lost", res.StatusCode)
	}
}
