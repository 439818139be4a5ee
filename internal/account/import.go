package account

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"unicode/utf8"

	"github.com/ringwall/ringwall/internal/audit"
	"github.com/ringwall/ringwall/internal/identity"
	"github.com/ringwall/ringwall/internal/lifecycle"
	"github.com/ringwall/ringwall/internal/problem"
	"github.com/ringwall/ringwall/internal/secret"
	"github.com/ringwall/ringwall/password"
)

// ImportMost is how many people one call of [Service.ImportUsers] takes, and one of [Service.ExportUsers] gives.
const ImportMost = 500

// Import is somebody who comes from another system, or from another Ringwall.
type Import struct {
	ID                    identity.ID // zero: a new one
	Email                 string
	Verified              bool // only people with a confirmed address have an account here (D22)
	DisplayName           string
	Hash                  secret.Text // see [password.Adopt]; empty: they choose a password by a mailed link
	PasswordChangedMicros int64       // zero: when they were made
	CreatedMicros         int64       // zero: now
	Language              string      // any but "en" and "de" counts as not chosen
	Locked                bool
	LockReason            string
	LockUntilMicros       int64
	Roles                 []string
	Metadata              string // a JSON object with the parts of [Metadata], which must fit their schemas; empty: none
}

// Outcome says what became of one [Import].
type Outcome string

// The outcomes.
const (
	ImportMade    Outcome = "made"
	ImportThere   Outcome = "there" // the address has an account already, which was left as it is
	ImportRefused Outcome = "refused"
)

// Imported is what became of one [Import]. Field and Detail say why it was refused; they never hold the hash.
type Imported struct {
	Outcome Outcome
	Field   string
	Detail  string
}

// newcomer is an [Import] that can be stored.
type newcomer struct {
	user   User
	shape  string
	roles  []string
	sealed SealedMetadata // zero: none
}

const maxLockReason = 500

// ImportUsers takes in at most [ImportMost] people in one transaction, with one audit event for each who was made and one
// for them all. Who is there already stays as they are, so that doing it again does nothing. A dry run only reports.
// The order of the outcomes is that of the people. No mail is sent. Hooks are called as for a sign-up: one that refuses refuses
// one person, one that fails ends the import before anybody of this call is made. Problems: invalid, unavailable.
func (s *Service) ImportUsers(ctx context.Context, by identity.Actor, people []Import, dry bool) ([]Imported, error) {
	if err := operator(by); err != nil {
		return nil, err
	}
	if len(people) > ImportMost {
		return nil, problem.New(problem.Invalid, "invalid", "At most 500 people can be imported at a time.")
	}
	out, ready := make([]Imported, len(people)), make([]newcomer, len(people))
	for i, person := range people {
		var err error
		if ready[i], err = s.readImport(person); err != nil {
			out[i] = refusedImport(err)
			continue
		}
		switch err := s.askHost(ctx, by, lifecycle.ByImport, ready[i].user.EmailCanonical, ready[i].user.DisplayName); {
		case errors.Is(err, errSignupHost):
			out[i] = Imported{ImportRefused, "email", errSignupHost.Detail}
		case err != nil:
			return nil, err
		}
	}
	if dry {
		return out, s.lookForImports(ctx, ready, out)
	}
	judged := out
	err := s.Store.Change(ctx, by, func(ctx context.Context, tx Tx) (audit.Event, error) {
		out = append([]Imported(nil), judged...) // this may run more than once
		made := 0
		for i := range out {
			if out[i].Outcome == ImportRefused {
				continue
			}
			var err error
			if out[i], err = s.importOne(ctx, tx, ready[i]); err != nil {
				return audit.Event{}, err
			}
			if out[i].Outcome == ImportMade {
				made++
			}
		}
		if made == 0 {
			return audit.Event{Name: audit.Unrecorded}, nil
		}
		return audit.Event{Name: audit.AuthzAdmin, Reason: "users imported", Private: map[string]string{"made": strconv.Itoa(made)}}, nil
	})
	return out, err
}

func refusedImport(err error) Imported {
	refused := Imported{Outcome: ImportRefused, Detail: err.Error()}
	if p, ok := errors.AsType[*problem.Error](err); ok {
		refused.Detail = p.Detail
		for _, field := range p.Fields {
			refused.Field = field.Name
		}
	}
	if f, ok := errors.AsType[importFault](err); ok {
		refused.Field, refused.Detail = f.field, f.detail
	}
	return refused
}

// importFault is what is wrong with somebody who was to be imported.
type importFault struct{ field, detail string }

func (f importFault) Error() string { return f.field + ": " + f.detail }

func (s *Service) readImport(in Import) (n newcomer, err error) {
	address, name, err := readPerson(in.Email, in.DisplayName)
	if err != nil {
		return n, err
	}
	now := s.Now().UnixMicro()
	switch {
	case !in.Verified:
		return n, importFault{"email_verified", "The address is not confirmed: its owner signs up here, which confirms it."}
	case in.CreatedMicros < 0 || in.CreatedMicros > now:
		return n, importFault{"created_at", "The time lies before 1970 or in the future."}
	case in.PasswordChangedMicros < 0 || in.PasswordChangedMicros > now:
		return n, importFault{"password_changed_at", "The time lies before 1970 or in the future."}
	case len(in.LockReason) > maxLockReason || !utf8.ValidString(in.LockReason):
		return n, importFault{"lock_reason", fmt.Sprintf("The reason is longer than %d bytes, or no text.", maxLockReason)}
	}
	for _, role := range in.Roles {
		if !roleName.MatchString(role) {
			return n, importFault{"roles", "A role is 1 to 32 lower-case letters, digits, hyphens and underscores, and begins with a letter."}
		}
	}
	n = newcomer{roles: in.Roles, user: User{
		ID: in.ID, Email: address.String(), EmailCanonical: address.Key(), DisplayName: name,
		CreatedMicros: in.CreatedMicros, LockUntilMicros: in.LockUntilMicros, LockReason: in.LockReason,
	}}
	if n.user.ID.IsZero() {
		n.user.ID = identity.NewRandomID()
	}
	if n.user.CreatedMicros == 0 {
		n.user.CreatedMicros = now
	}
	if in.Language == "en" || in.Language == "de" {
		n.user.Language = in.Language
	}
	if in.Locked {
		n.user.LockedMicros = now
	}
	if n.sealed, err = s.readMetadata(identity.SubjectOf(n.user.ID), in.Metadata); err != nil {
		return n, err
	}
	if in.Hash.IsZero() {
		return n, nil
	}
	stored, err := password.Adopt(in.Hash.Reveal())
	if err != nil {
		return n, importFault{"password_hash", err.Error() + "."}
	}
	n.shape = s.Hasher.Shape(stored)
	n.user.Password, n.user.PasswordChangedMicros = s.sealPassword(n.user.ID, stored), in.PasswordChangedMicros
	if n.user.PasswordChangedMicros == 0 {
		n.user.PasswordChangedMicros = n.user.CreatedMicros
	}
	return n, nil
}

func (s *Service) importOne(ctx context.Context, tx Tx, n newcomer) (Imported, error) {
	made, err := tx.ImportUser(ctx, n.user, n.shape)
	if err != nil {
		return Imported{}, err
	}
	if !made {
		return taken(tx.UserByEmail(ctx, n.user.EmailCanonical))
	}
	for _, role := range n.roles {
		if err := tx.Grant(ctx, n.user.ID, role); err != nil {
			return Imported{}, err
		}
	}
	if n.sealed.Public != nil || n.sealed.Private != nil || n.sealed.Own != nil {
		if err := tx.SetMetadata(ctx, identity.SubjectOf(n.user.ID), n.sealed); err != nil {
			return Imported{}, err
		}
	}
	// Without the address, which stands in the account: a key for each person's private fields would cost as much as the person.
	return Imported{Outcome: ImportMade}, tx.Record(ctx, audit.Event{Name: audit.UserCreated, User: n.user.ID, Reason: "imported"})
}

// taken tells what was in the way of somebody: their own account, or somebody else with their id.
func taken(_ User, err error) (Imported, error) {
	if errors.Is(err, ErrMissing) {
		return Imported{ImportRefused, "id", "Another account has this id."}, nil
	}
	return Imported{Outcome: ImportThere}, err
}

// lookForImports says what importing would do.
func (s *Service) lookForImports(ctx context.Context, ready []newcomer, out []Imported) error {
	for i, n := range ready {
		if out[i].Outcome == ImportRefused {
			continue
		}
		out[i] = Imported{Outcome: ImportMade}
		_, err := s.Store.UserByEmail(ctx, n.user.EmailCanonical)
		if err == nil {
			out[i].Outcome = ImportThere
			continue
		}
		if !errors.Is(err, ErrMissing) {
			return err
		}
		switch _, err := s.Store.UserByID(ctx, n.user.ID); {
		case err == nil:
			out[i], _ = taken(User{}, ErrMissing)
		case !errors.Is(err, ErrMissing):
			return err
		}
	}
	return nil
}

// Exported is an account with its password hash, as [Service.ImportUsers] takes it.
type Exported struct {
	User
	Hash     secret.Text
	Metadata string // as in [Import]; empty: none
}

// ExportUsers gives accounts with their password hashes, by id after the given one, and leaves an audit event. It is for moving away.
func (s *Service) ExportUsers(ctx context.Context, by identity.Actor, after identity.ID, limit int) ([]Exported, error) {
	users, err := s.Users(ctx, by, after, min(limit, ImportMost))
	if err != nil || len(users) == 0 {
		return nil, err
	}
	err = s.Store.Change(ctx, by, func(context.Context, Tx) (audit.Event, error) {
		return audit.Event{Name: audit.AuthzAdmin, Reason: "users exported with password hashes", Private: map[string]string{
			"users": strconv.Itoa(len(users)), "first": users[0].ID.String(), "last": users[len(users)-1].ID.String(),
		}}, nil
	})
	if err != nil {
		return nil, err
	}
	list := make([]Exported, 0, len(users))
	for _, listed := range users {
		user, err := s.Store.UserByID(ctx, listed.ID)
		if errors.Is(err, ErrMissing) {
			continue // gone meanwhile
		}
		if err != nil {
			return nil, err
		}
		phc, err := s.openPassword(ctx, by, user.ID, user.Password)
		if err != nil {
			return nil, fmt.Errorf("password of %s: %w", user.ID, err)
		}
		if user.closed() {
			phc = "" // it opens nothing here, and must not anywhere else
		}
		kept, err := s.writeMetadata(ctx, by, identity.SubjectOf(user.ID))
		if err != nil {
			return nil, fmt.Errorf("metadata of %s: %w", user.ID, err)
		}
		list = append(list, Exported{user, secret.NewText(phc), kept})
	}
	return list, nil
}
