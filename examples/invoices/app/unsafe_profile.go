package app

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/ringwall/ringwall/session"
)

// unsafeSaveProfile changes a column for each field of the form: whatever the form has.
func (a *App) unsafeSaveProfile(r *http.Request, who session.Subject, _ profileForm) error {
	id := who.ID()
	var columns []string
	args := []any{id[:]}
	for name, values := range r.PostForm {
		if name != "csrf_token" {
			args = append(args, values[0])
			columns = append(columns, fmt.Sprintf("%s = $%d", name, len(args)))
		}
	}
	//ringwall:allow rawsql the twin of updateProfile
	_, err := a.db.Unsafe().ExecContext(r.Context(), "UPDATE people SET "+strings.Join(columns, ", ")+" WHERE id = $1", args...) // #nosec G202 -- the twin of updateProfile
	return err
}
