package app

import (
	"context"
	"net/http"

	"github.com/ringwall/ringwall/authz"
	"github.com/ringwall/ringwall/idempotency"
	"github.com/ringwall/ringwall/input"
	"github.com/ringwall/ringwall/sanitize"
	"github.com/ringwall/ringwall/session"
	"github.com/ringwall/ringwall/sqlsafe"
)

// seams are the places where a layer can be switched off: a function that does what the layer does, or its unsafe twin.
// Without the lab there would be none of them, and the methods would be called as they are.
type seams struct {
	adminRule   authz.Rule                                                             // route-rule
	readSearch  func(*http.Request) (searchQuery, error)                               // strict-input
	readProfile func(*http.Request) (profileForm, error)                               // strict-input
	parse       parser                                                                 // escaping
	markdown    func(string) string                                                    // sanitize-store
	markup      any                                                                    // sanitize-show: a function of templates
	once        func(http.Handler) http.Handler                                        // idempotency
	doneOnce    func(context.Context, *sqlsafe.Tx) error                               // idempotency
	transferKey func(*http.Request) string                                             // unique-transfer
	sorted      func(ctx context.Context, key, file string) ([]byte, error)            // run-no-shell
	sortKey     func(by string) (string, error)                                        // run-allowlist
	hooks       *http.Client                                                           // outbound-dial, outbound-allowlist
	readPicture func(http.ResponseWriter, *http.Request) (picture, error)              // upload-by-content
	sendPicture func(http.ResponseWriter, picture)                                     // upload-serving
	stay        func(to string) string                                                 // return-path
	pageOf      func(to string) (string, error)                                        // page-of-return
	mayReadAll  func(*session.Session) error                                           // permission-at-query
	isOwn       func(session.Subject, Invoice) error                                   // owner-check
	findInvoice func(context.Context, session.Subject, string) (Invoice, error)        // owner-in-query
	begin       func(context.Context, session.Subject) (*sqlsafe.Tx, error)            // row-security
	find        func(context.Context, session.Subject, searchQuery) ([]Invoice, error) // sqlsafe
	saveProfile func(*http.Request, session.Subject, profileForm) error                // named-columns
}

// safe is the application as it is.
func (a *App) safe() seams {
	return seams{
		adminRule:   authz.Permission(ReadAll),
		readSearch:  input.DecodeQuery[searchQuery],
		readProfile: input.DecodeForm[profileForm],
		parse:       parseEscaping,
		markdown:    func(text string) string { return string(sanitize.Markdown(text)) },
		markup:      sanitize.HTML,
		once:        func(next http.Handler) http.Handler { return keyFromForm(a.keys.Handler(next)) },
		doneOnce:    idempotency.Once,
		transferKey: keyOf,
		sorted:      a.runSort,
		sortKey:     columnKey,
		hooks:       a.hookClient(),
		readPicture: readPicture,
		sendPicture: sendPicture,
		stay:        func(to string) string { return input.ReturnPath(to, "") },
		pageOf:      pageOf,
		mayReadAll:  mayReadAll,
		isOwn:       isOwn,
		findInvoice: a.ownInvoice,
		begin:       a.db.BeginAs,
		find:        a.searchInvoices,
		saveProfile: a.updateProfile,
	}
}
