package app

import (
	"context"
	"crypto/rand"
	"net/http"

	"github.com/ringwall/ringwall/sqlsafe"
)

// unsafeEachTime does it again each time.
func unsafeEachTime(context.Context, *sqlsafe.Tx) error { return nil }

// unsafeNewKey forgets which transfer was meant: each try is a new one.
func unsafeNewKey(*http.Request) string { return rand.Text() }
