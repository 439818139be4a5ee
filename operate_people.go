package ringwall

import (
	"context"
	"slices"
	"time"

	"github.com/ringwall/ringwall/internal/account"
	"github.com/ringwall/ringwall/internal/identity"
	"github.com/ringwall/ringwall/internal/problem"
	"github.com/ringwall/ringwall/internal/secret"
)

// personRow is somebody on the way from or to a file. What is wrong with one must not keep the others out, so its texts are judged
// where it is imported, and any text is taken here.
type personRow struct {
	ID                string   `json:"id,omitempty" anyText:"true"`
	Email             string   `json:"email" anyText:"true"`
	Verified          bool     `json:"email_verified,omitempty"`
	DisplayName       string   `json:"display_name,omitempty" anyText:"true"`
	Hash              string   `json:"password_hash,omitempty" anyText:"true"`
	PasswordChangedAt int64    `json:"password_changed_at,omitempty"` // microseconds, as the other times
	CreatedAt         int64    `json:"created_at,omitempty"`
	Language          string   `json:"language,omitempty" anyText:"true"`
	Locked            bool     `json:"locked,omitempty"`
	LockReason        string   `json:"lock_reason,omitempty" anyText:"true"`
	LockUntil         int64    `json:"lock_until,omitempty"`
	Roles             []string `json:"roles,omitempty" anyText:"true"`
	Metadata          string   `json:"metadata,omitempty" anyText:"true"` // a JSON text, so that one that is too deep keeps nobody else out
}

type importInput struct {
	Users []personRow `json:"users" required:"true"`
	Dry   bool        `json:"dry_run,omitempty"`
}

type importedView struct {
	Outcome account.Outcome `json:"outcome"`
	Field   string          `json:"field,omitempty"`
	Detail  string          `json:"detail,omitempty"`
}

type importReply struct {
	Users []importedView `json:"users"`
}

func (rw *Ringwall) importUsers(ctx context.Context, by identity.Actor, in importInput) (importReply, error) {
	people, places := make([]account.Import, 0, len(in.Users)), make([]int, 0, len(in.Users))
	out := importReply{Users: make([]importedView, len(in.Users))}
	for i, row := range in.Users {
		person := account.Import{
			Email: row.Email, Verified: row.Verified, DisplayName: row.DisplayName, Hash: secret.NewText(row.Hash), PasswordChangedMicros: row.PasswordChangedAt,
			CreatedMicros: row.CreatedAt, Language: row.Language, Locked: row.Locked, LockReason: row.LockReason, LockUntilMicros: row.LockUntil, Roles: row.Roles, Metadata: row.Metadata,
		}
		if row.ID != "" {
			id, err := identity.ParseID(row.ID)
			if err != nil || id.IsZero() {
				out.Users[i] = importedView{account.ImportRefused, "id", "An id is a UUID. Leave it out for a new one."}
				continue
			}
			person.ID = id
		}
		people, places = append(people, person), append(places, i)
	}
	done, err := rw.accounts.ImportUsers(ctx, by, people, in.Dry)
	if err != nil {
		return importReply{}, err
	}
	for i, each := range done {
		out.Users[places[i]] = importedView(each)
	}
	if !in.Dry {
		err = rw.prepareHasher(ctx)
	}
	return out, err
}

type exportInput struct {
	After string `json:"after,omitempty"`
	Limit int    `json:"limit,omitempty"`
}

type exportReply struct {
	Users []personRow `json:"users"`
	Next  string      `json:"next,omitempty"`
}

func (rw *Ringwall) exportUsers(ctx context.Context, by identity.Actor, in exportInput) (out exportReply, err error) {
	var after identity.ID
	if in.After != "" {
		if after, err = identity.ParseID(in.After); err != nil {
			return out, problem.New(problem.Invalid, "invalid", "after must be the id of a user.")
		}
	}
	limit := min(bounded(in.Limit), account.ImportMost)
	users, err := rw.accounts.ExportUsers(ctx, by, after, limit)
	out.Users = make([]personRow, 0, len(users))
	for _, u := range users {
		out.Users = append(out.Users, personRow{
			ID: u.ID.String(), Email: u.Email, Verified: true, DisplayName: u.DisplayName, Hash: u.Hash.Reveal(), PasswordChangedAt: u.PasswordChangedMicros,
			CreatedAt: u.CreatedMicros, Language: u.Language, Locked: u.LockedMicros != 0, LockReason: u.LockReason, LockUntil: u.LockUntilMicros, Roles: slices.Clone(u.Roles), Metadata: u.Metadata,
		})
	}
	if len(users) > 0 {
		out.Next = users[len(users)-1].ID.String()
	}
	return out, err
}

// prepareHasher tells the hasher which hashes of other systems there are, so that it bears their cost for everybody.
func (rw *Ringwall) prepareHasher(ctx context.Context) error {
	shapes, err := rw.store.PasswordShapes(ctx)
	if err == nil {
		rw.hasher.Prepare(shapes)
	}
	return err
}

// shapeWatcher sees what other nodes have imported, and when the last such hash has been replaced.
type shapeWatcher struct{ rw *Ringwall }

const shapesEvery = time.Minute

// Run looks every minute until ctx ends.
func (w shapeWatcher) Run(ctx context.Context) {
	tick := time.NewTicker(shapesEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := w.rw.prepareHasher(ctx); err != nil && ctx.Err() == nil {
			w.rw.opt.Log.WarnContext(ctx, "imported password hashes not looked for; trying again in a minute", "error", err)
		}
	}
}
