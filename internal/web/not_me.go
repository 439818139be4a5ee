package web

import "net/http"

type tokenForm struct {
	Token string `form:"token"`
}

// notMe answers GET /not-me: it says whose the link is, and changes nothing.
func (v *visit) notMe() {
	token := v.r.URL.Query().Get("token")
	holder, err := v.web.Accounts.NotMeByToken(v.r.Context(), token)
	if err != nil {
		v.spentLink("link_spent", err)
		return
	}
	p := v.page("not_me")
	p.Body = linkPage{Token: token, Email: holder.Email}
	v.show(http.StatusOK, p)
}

// postNotMe answers POST /not-me: the one click.
func (v *visit) postNotMe() {
	in, ok, err := decode[tokenForm](v)
	if !ok {
		return
	}
	if err == nil {
		err = v.web.Accounts.NotMe(v.r.Context(), v.by(), in.Token, v.lang.tag)
	}
	if err != nil {
		v.spentLink("link_spent", err)
		return
	}
	v.seeOther("/login", "account-secured", "")
}
