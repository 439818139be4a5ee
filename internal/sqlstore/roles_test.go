package sqlstore_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/ringwall/ringwall/internal/account"
	"github.com/ringwall/ringwall/internal/sessions"
	"github.com/ringwall/ringwall/internal/testdb"
)

func of(role, permission string) account.RolePermission {
	return account.RolePermission{Role: role, Permission: permission}
}

// What a role allows comes with the one statement of the session check, and a change of it makes everybody untrue.
func TestPermissionsComeWithTheSession(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db testdb.DB) {
		store := open(t, db)
		ada, bob := addUser(t, store, "ada@example.org"), addUser(t, store, "bob@example.org")
		change(t, store, func(ctx context.Context, tx account.Tx) error {
			return errors.Join(tx.Grant(ctx, ada.ID, "auditor"), tx.Grant(ctx, ada.ID, "clerk"), tx.Grant(ctx, bob.ID, "clerk"))
		})
		hers, his := addSession(t, store, ada.ID, 1), addSession(t, store, bob.ID, 2)
		var told sessions.Invalidation
		store.OnInvalidate(func(i sessions.Invalidation) { told = i })
		permissions := func(s sessions.Session) string {
			t.Helper()
			_, person, err := store.SessionByHash(t.Context(), s.TokenHash)
			if err != nil {
				t.Fatal(err)
			}
			list := strings.Split(person.Permissions, ",")
			slices.Sort(list)
			return strings.Join(list, " ")
		}
		for _, tt := range []struct {
			allow      bool
			role, name string
			changes    bool
			ada, bob   string
		}{
			{true, "auditor", "ledger.read", true, "ledger.read", ""},
			{true, "auditor", "ledger.read", false, "ledger.read", ""},
			{true, "auditor", "ledger.export", true, "ledger.export ledger.read", ""},
			{true, "clerk", "post.open", true, "ledger.export ledger.read post.open", "post.open"},
			{true, "nobodys", "ledger.delete", true, "ledger.export ledger.read post.open", "post.open"},
			{false, "auditor", "ledger.read", true, "ledger.export post.open", "post.open"},
			{false, "auditor", "ledger.read", false, "ledger.export post.open", "post.open"},
			{false, "clerk", "ledger.export", false, "ledger.export post.open", "post.open"},
		} {
			told = sessions.Invalidation{}
			change(t, store, func(ctx context.Context, tx account.Tx) error {
				run := tx.DenyRole
				if tt.allow {
					run = tx.AllowRole
				}
				changed, err := run(ctx, account.RolePermission{Role: tt.role, Permission: tt.name})
				if changed != tt.changes {
					t.Errorf("allow %v of %s to %s changes something: %v, want %v", tt.allow, tt.name, tt.role, changed, tt.changes)
				}
				return err
			})
			if tt.changes && (!told.People || told.All) {
				t.Errorf("allow %v of %s to %s announced %+v, want everybody", tt.allow, tt.name, tt.role, told)
			}
			if got := permissions(hers); got != tt.ada {
				t.Errorf("ada has %q, want %q", got, tt.ada)
			}
			if got := permissions(his); got != tt.bob {
				t.Errorf("bob has %q, want %q", got, tt.bob)
			}
		}
		list, err := store.RolePermissions(t.Context())
		if want := []account.RolePermission{of("auditor", "ledger.export"), of("clerk", "post.open"), of("nobodys", "ledger.delete")}; err != nil || !slices.Equal(list, want) {
			t.Errorf("RolePermissions = %v, %v, want %v", list, err, want)
		}
	})
}

// The comma stands between permissions: one with a comma in it would be two.
func TestAPermissionHasNoComma(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db testdb.DB) {
		store := open(t, db)
		for _, p := range []account.RolePermission{of("auditor", "a,b"), of("a,b", "a"), of("", "a"), of("a", "")} {
			err := try(store, func(ctx context.Context, tx account.Tx) error {
				_, err := tx.AllowRole(ctx, p)
				return err
			})
			if err == nil {
				t.Errorf("AllowRole(%q) was taken", p)
			}
		}
	})
}
