package web

import "net/http"

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
