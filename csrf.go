package ringwall

import (
	"context"

	"github.com/ringwall/ringwall/internal/chain"
)

// CSRFToken is a new token for a form of the application's, for its hidden field csrf_token; in a form with files that field
// stands first. It is bound to the session of a request that passed [Ringwall.Protect] or, where nobody is signed in, to a
// cookie that is set with the answer: ask for it before you write, and let no cache keep that page. Elsewhere it is empty.
func CSRFToken(ctx context.Context) string {
	if r := chain.From(ctx); r != nil {
		return r.CSRFToken()
	}
	return ""
}
