package app

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/ringwall/ringwall"
	"github.com/ringwall/ringwall/sqlsafe"
)

// DemoPeople are who there is to begin with. The last one is an accountant.
func DemoPeople() []string { return []string{"ada@example.com", "ben@example.com", "eve@example.com"} }

// AccountantRole is the role of those who read everybody's invoices: {"accountant": {ReadAll}} of ringwall.Options.Roles.
const AccountantRole = "accountant"

var (
	demoPerson = sqlsafe.New(`
		INSERT INTO people (id, email, display_name, about, balance_cents, picture_type)
		VALUES ($1, $2, $3, '', $4, '')`)
	demoInvoice = sqlsafe.New(`
		INSERT INTO invoices (owner_id, id, number, customer, amount_cents, due, paid, created_micros)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`)
	demoComment = sqlsafe.New(`
		INSERT INTO comments (owner_id, id, invoice_id, html, created_micros)
		VALUES ($1, $2, $3, $4, $5)`)
	demoSubject = sqlsafe.New(`SELECT set_config('ringwall.subject', $1, TRUE)`)
)

// Demo makes people through Ringwall, and invoices for them, so that there is something to see. It returns the password of
// them all: a new one, which nobody knows beforehand.
func (a *App) Demo(ctx context.Context, rw *ringwall.Ringwall) (password string, err error) {
	password = rand.Text()
	names := []string{"Ada", "Ben", "Eve"}
	for i, email := range DemoPeople() {
		roles := []string{}
		if i == len(names)-1 {
			roles = append(roles, AccountantRole)
		}
		body, err := json.Marshal(map[string]any{"email": email, "display_name": names[i], "roles": roles, "password": password})
		if err != nil {
			return "", err
		}
		answer, err := rw.Operate(ctx, "demo", "user.create", body)
		if err != nil {
			return "", fmt.Errorf("make %s: %w", email, err)
		}
		var made struct{ ID uuid.UUID }
		if err := json.Unmarshal(answer, &made); err != nil {
			return "", err
		}
		if err := a.demoRows(ctx, made.ID, email, names[i], i); err != nil {
			return "", fmt.Errorf("invoices of %s: %w", email, err)
		}
	}
	return password, nil
}

type demoRow struct {
	number, customer string
	amount           Cents
	dueInDays        int
	paid             bool
}

func demoInvoices(person int) []demoRow {
	return [][]demoRow{
		{
			{"2026-001", "Harbour Books", 480_00, -40, true}, {"2026-002", "O’Brien & Daughters", 1_250_00, -8, false},
			{"2026-003", "Nordwind Energie", 89_90, 6, false}, {"2026-004", "Café Lumière", 312_50, 20, false},
		},
		{{"B-17", "Harbour Books", 75_00, -3, false}, {"B-18", "Velo Meister", 640_00, 14, false}},
		{{"E-1", "Quiet Rivers Ltd", 2_000_00, 30, false}},
	}[person]
}

// demoRows writes as somebody who is not there: it is the one place that does, and knows their id from Ringwall itself.
func (a *App) demoRows(ctx context.Context, owner uuid.UUID, email, name string, person int) error {
	tx, err := a.db.Begin(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	if a.config.Dialect == Postgres {
		if _, err := tx.Exec(ctx, demoSubject.With(owner.String())); err != nil {
			return err
		}
	}
	if _, err := tx.Exec(ctx, demoPerson.With(owner[:], email, name, int64(1_000_00))); err != nil {
		return err
	}
	now := a.config.Now()
	for i, v := range demoInvoices(person) {
		id := uuid.NewString()
		due := now.AddDate(0, 0, v.dueInDays).Format(time.DateOnly)
		if _, err := tx.Exec(ctx, demoInvoice.With(owner[:], id, v.number, v.customer, int64(v.amount), due, v.paid, now.UnixMicro())); err != nil {
			return err
		}
		if i > 0 {
			continue
		}
		said := a.markdown("They **always** pay late. Ask [their office](https://example.com), not the shop:\n\n- call before ten\n- name the number")
		if _, err := tx.Exec(ctx, demoComment.With(owner[:], uuid.NewString(), id, said, now.UnixMicro())); err != nil {
			return err
		}
	}
	return tx.Commit()
}
