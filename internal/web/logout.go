package web

// postLogout answers POST /logout. Whoever is signed out already is signed out.
func (v *visit) postLogout() {
	if !v.press() {
		return
	}
	if v.ask.SignedIn {
		if err := v.web.Accounts.SignOut(v.r.Context(), v.by()); err != nil {
			v.web.Fail(v.w, v.r, err)
			return
		}
	}
	v.web.Cookies.EndSession(v.w)
	v.seeOther("/login", "signed-out", "")
}
