package app

import (
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/ringwall/ringwall/input"
	"github.com/ringwall/ringwall/session"
	"github.com/ringwall/ringwall/sqlsafe"
)

// comment is one comment on an invoice. HTML was made safe before it was stored, and goes through the function markup of the
// templates, which makes it safe once more: it may have been stored before a rule was tightened, or past this program.
type comment struct {
	HTML string
	At   time.Time
}

var (
	insertComment = sqlsafe.Owned(`
		INSERT INTO comments (owner_id, id, invoice_id, html, created_micros)
		VALUES ($1, $2, $3, $4, $5)`)
	ownComments = sqlsafe.Owned(`
		SELECT html, created_micros
		FROM comments
		WHERE owner_id = $1 AND invoice_id = $2
		ORDER BY created_micros, id
		LIMIT 500`)
)

type commentForm struct {
	Text string `form:"text" required:"true" maxLength:"5000"`
}

// addComment answers POST /invoices/{id}/comments.
func (a *App) addComment(w http.ResponseWriter, r *http.Request, s *session.Session) error {
	v, err := a.invoice(r.Context(), s, r.PathValue("id"))
	if err != nil {
		return err
	}
	in, err := input.DecodeForm[commentForm](r)
	if err != nil {
		again, missing := a.openInvoice(r, s)
		if missing != nil {
			return missing
		}
		return a.again(w, r, again, err)
	}
	err = a.as(r.Context(), s.Subject(), func(tx *sqlsafe.Tx) error {
		_, err := tx.Exec(r.Context(), insertComment.For(s.Subject(), uuid.NewString(), v.ID, a.markdown(in.Text), a.config.Now().UnixMicro()))
		return err
	})
	if err != nil {
		return err
	}
	http.Redirect(w, r, "/invoices/"+v.ID+"?done=comment#comments", http.StatusSeeOther)
	return nil
}

func (a *App) comments(ctx context.Context, who session.Subject, invoice string) (list []comment, err error) {
	err = a.as(ctx, who, func(tx *sqlsafe.Tx) error {
		list, err = scanComments(ctx, tx, ownComments.For(who, invoice))
		return err
	})
	return list, err
}

func scanComments(ctx context.Context, tx *sqlsafe.Tx, q sqlsafe.Query) (list []comment, err error) {
	rows, err := tx.Query(ctx, q)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var c comment
		var micros int64
		if err := rows.Scan(&c.HTML, &micros); err != nil {
			return nil, err
		}
		c.At = time.UnixMicro(micros).UTC()
		list = append(list, c)
	}
	return list, rows.Err()
}
