package web

// home answers GET <prefix>/.
func (v *visit) home() {
	if v.ask.SignedIn {
		v.seeOther("/account", "", "")
		return
	}
	v.seeOther("/login", "", "")
}

// wellKnownChangePassword answers GET /.well-known/change-password, by which password managers find the form.
func (v *visit) wellKnownChangePassword() {
	v.redirect(v.web.Prefix + "/account#password")
}
