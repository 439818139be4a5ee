package app

import (
	"context"
	"fmt"

	"github.com/ringwall/ringwall/session"
)

// unsafeSearch writes its statement out of what was typed.
func (a *App) unsafeSearch(ctx context.Context, who session.Subject, q searchQuery) ([]Invoice, error) {
	//ringwall:allow rawsql the twin of searchInvoices
	tx, err := a.db.Unsafe().BeginTx(ctx, nil)
	if err != nil {
		return nil, err
	}
	defer func() { _ = tx.Rollback() }()
	id := who.ID()
	owner := fmt.Sprintf("X'%x'", id[:])
	if a.config.Dialect == Postgres {
		owner = fmt.Sprintf(`'\x%x'::bytea`, id[:])
		//ringwall:allow rawsql the twin of BeginAs
		if _, err := tx.ExecContext(ctx, "SELECT set_config('ringwall.subject', '"+id.String()+"', TRUE)"); err != nil { // #nosec G202 -- the twin of sqlsafe
			return nil, err
		}
	}
	order := "due DESC"
	switch q.Sort {
	case "", "due":
	case "amount":
		order = "amount_cents DESC"
	default:
		order = string(q.Sort)
	}
	//ringwall:allow rawsql the twin of searchInvoices
	return scanInvoices(tx.QueryContext(ctx, `SELECT id, number, customer, amount_cents, due, paid, owner_id FROM invoices
		WHERE owner_id = `+owner+` AND (LOWER(customer) LIKE LOWER('%`+string(q.Text)+`%') OR LOWER(number) LIKE LOWER('%`+string(q.Text)+`%'))
		ORDER BY `+order+` LIMIT 100`)) // #nosec G202 -- the twin of sqlsafe
}
