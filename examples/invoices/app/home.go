package app

import (
	"net/http"

	"github.com/ringwall/ringwall/session"
)

// home answers GET /: for strangers what this is, for others where they can go.
func (a *App) home(w http.ResponseWriter, r *http.Request) {
	v := view{page: "home", Title: "Invoices", Nav: "/"}
	if _, ok := session.From(r.Context()); ok {
		v.Body = places
	}
	a.show(w, r, v)
}
