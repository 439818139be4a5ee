package ringwall

import (
	"context"

	"github.com/ringwall/ringwall/internal/chain"
)

// CSRFToken is a new token for a form of the application's, for its hidden field csrf_token; in a form with files that field
// stands first. It is bound to the session of a request that passed [Ringwall.Protect], and empty on a request without one.
func CSRFToken(ctx context.Context) string {
	if r := chain.From(ctx); r != nil && r.SignedIn {
		return r.CSRFToken()
	}
	return ""
}
