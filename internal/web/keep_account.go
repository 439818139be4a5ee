package web

import "net/http"

// keepAccount answers GET /keep-account: it says whose the link is, and changes nothing.
func (v *visit) keepAccount() {
	token := v.r.URL.Query().Get("token")
	holder, err := v.web.Accounts.KeepByToken(v.r.Context(), token)
	if err != nil {
		v.spentLink("link_spent", err)
		return
	}
	p := v.page("keep_account")
	p.Body = linkPage{Token: token, Email: holder.Email}
	v.show(http.StatusOK, p)
}

// postKeepAccount answers POST /keep-account: the one click.
func (v *visit) postKeepAccount() {
	in, ok, err := decode[tokenForm](v)
	if !ok {
		return
	}
	if err == nil {
		err = v.web.Accounts.Keep(v.r.Context(), v.by(), in.Token)
	}
	if err != nil {
		v.spentLink("link_spent", err)
		return
	}
	v.seeOther("/login", "account-kept", "")
}
