package sqlstore_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/ringwall/ringwall/internal/account"
	"github.com/ringwall/ringwall/internal/identity"
	"github.com/ringwall/ringwall/internal/testdb"
)

// Somebody whose address or id is taken is not imported and disturbs nothing; a sort of hash is known until the last of it is replaced.
func TestImportsAndTheirShapes(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db testdb.DB) {
		store, ctx := open(t, db), t.Context()
		there := addUser(t, store, "there@example.org")
		person := func(address string) account.User {
			return account.User{ID: identity.NewRandomID(), Email: address, EmailCanonical: address, Password: []byte("sealed"), PasswordChangedMicros: start, CreatedMicros: start}
		}
		one, two, three, thief := person("one@example.org"), person("two@example.org"), person("three@example.org"), person("thief@example.org")
		thief.ID = there.ID
		change(t, store, func(ctx context.Context, tx account.Tx) error {
			for _, tt := range []struct {
				user  account.User
				shape string
				want  bool
			}{{one, "$2b$10", true}, {person("one@example.org"), "$2b$12", false}, {thief, "$2b$13", false}, {two, "$scrypt$ln=14,r=8,p=1", true}, {three, "$2b$10", true}, {person("ours@example.org"), "", true}} {
				if made, err := tx.ImportUser(ctx, tt.user, tt.shape); made != tt.want || err != nil {
					t.Errorf("ImportUser(%s) = %v, %v, want %v", tt.user.Email, made, err, tt.want)
				}
			}
			return nil
		})
		if _, err := store.UserByEmail(ctx, "thief@example.org"); !errors.Is(err, account.ErrMissing) {
			t.Errorf("somebody with another's id = %v, want ErrMissing", err)
		}
		for _, step := range []struct {
			replaced account.User
			want     []string
		}{{there, []string{"$2b$10", "$scrypt$ln=14,r=8,p=1"}}, {one, []string{"$2b$10", "$scrypt$ln=14,r=8,p=1"}}, {three, []string{"$scrypt$ln=14,r=8,p=1"}}, {two, nil}} {
			change(t, store, func(ctx context.Context, tx account.Tx) error {
				return tx.SetPassword(ctx, step.replaced.ID, []byte("new"), start+1)
			})
			if shapes, err := store.PasswordShapes(ctx); err != nil || !slices.Equal(shapes, step.want) {
				t.Errorf("PasswordShapes after %s = %q, %v, want %q", step.replaced.Email, shapes, err, step.want)
			}
		}
	})
}
