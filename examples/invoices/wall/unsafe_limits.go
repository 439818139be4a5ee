package wall

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/ringwall/ringwall"
)

// uncounted is a sign-in that counts no tries of an account: an operator's command forgets them before each.
type uncounted struct {
	next http.Handler
	rw   *ringwall.Ringwall
}

// ServeHTTP forgets, and goes on.
func (u uncounted) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/v1/login") {
		var in struct {
			Email string `json:"email"`
		}
		if json.Unmarshal(keepBody(r), &in) == nil {
			clear, _ := json.Marshal(map[string]string{"who": in.Email})
			_, _ = u.rw.Operate(r.Context(), "wall", "limits.clear", clear) // nobody has that address: there is nothing to forget
		}
	}
	u.next.ServeHTTP(w, r)
}
