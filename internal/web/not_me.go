package web

import (
	"net/http"

	"github.com/ringwall/ringwall/internal/problem"
)

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

// secure answers GET /account/secure: it asks once, and says what happens.
func (v *visit) secure() {
	p := v.page("secure")
	p.Body = v.ask.Person
	v.show(http.StatusOK, p)
}

// postSecure answers POST /account/secure.
func (v *visit) postSecure() {
	if !v.press() {
		return
	}
	if err := v.web.Accounts.Secure(v.r.Context(), v.by(), v.lang.tag); err != nil {
		v.web.Fail(v.w, v.r, err)
		return
	}
	v.web.Cookies.EndSession(v.w)
	v.seeOther("/login", "account-secured", "")
}

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

// barredWay is whether a refusal sends somebody to their mail.
func barredWay(e *problem.Error) bool {
	return e.Code == "reset-required" || e.Code == "deletion-pending"
}
