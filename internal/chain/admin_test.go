package chain_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/ringwall/ringwall/authz"
	"github.com/ringwall/ringwall/internal/audit"
	"github.com/ringwall/ringwall/internal/chain"
	"github.com/ringwall/ringwall/internal/secret"
	"github.com/ringwall/ringwall/internal/sessions"
	"github.com/ringwall/ringwall/internal/sqlstore"
	"github.com/ringwall/ringwall/internal/testdb"
)

// bareChain is a chain without a server, for routes that a test makes up.
func bareChain(t *testing.T) *chain.Chain {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	store, err := sqlstore.Open(t.Context(), sqlstore.Config{Database: testdb.SQLite(t).DSN})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	master, err := secret.ParseMasterKey(secret.NewText("5b1f0a9be7c2d4863f7799aa10e4c3d85612f0be9d3c4a7788e1b2c3d4f5a697"))
	if err != nil {
		t.Fatal(err)
	}
	keys, err := secret.OpenKeyring(t.Context(), master, "test", store, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	store.UseKeyring(keys)
	c, err := chain.New(chain.Config{
		Sessions: sessions.New(store, sessions.Options{Idle: time.Hour, Absolute: time.Hour, CacheBytes: 1 << 20, Now: time.Now, Log: log}), Keys: keys,
		Refusals: audit.NewRefusals(store, audit.RefusalsOptions{Now: time.Now, Log: log}),
		Origins:  []string{"http://127.0.0.1"}, Prefix: "/auth", Development: true, Now: time.Now, Log: log,
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// S063: a route of administrators whose rule was forgotten, or is another, is closed to everybody.
func TestARouteOfAdministratorsHasTheirRuleOrIsClosed(t *testing.T) {
	c := bareChain(t)
	reached := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	for _, tt := range []struct {
		path string
		rule authz.Rule
		want int
	}{
		{"/v1/other", authz.Public(), 204},
		{"/v1/administration", authz.Public(), 204}, // begins like it, and is none
		{"/v1/other", authz.Rule{}, 403},
		{"/v1/admin", authz.Public(), 403},
		{"/v1/admin/new", authz.Public(), 403},
		{"/v1/admin/new", authz.Rule{}, 403},
		{"/v1/admin/new/{id}", authz.All(authz.Public()), 403},
		{"/admin", authz.Public(), 403},
		{"/admin/new", authz.Public(), 403},
		{"/v1/admin/new", c.Admin, 401}, // open to administrators, and nobody is signed in
	} {
		table := c.Serve([]chain.Route{{Method: "GET", Path: tt.path, Rule: tt.rule, Handler: reached}})
		w := httptest.NewRecorder()
		table.ServeHTTP(w, httptest.NewRequest("GET", "http://127.0.0.1/auth"+tt.path, nil))
		if w.Code != tt.want {
			t.Errorf("GET %s with the rule %q = %d, want %d", tt.path, tt.rule, w.Code, tt.want)
		}
	}
}
