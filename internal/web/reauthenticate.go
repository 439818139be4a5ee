package web

import "net/http"

func (v *visit) reauthenticatePage() *page {
	p := v.page("reauthenticate", "password")
	p.proof = "password"
	p.Body = v.ask.Person
	return p
}

// reauthenticate answers GET /reauthenticate.
func (v *visit) reauthenticate() { v.show(http.StatusOK, v.reauthenticatePage()) }

type reauthenticateForm struct {
	Password string `form:"password" required:"true"`
	ReturnTo string `form:"return_to"`
}

// postReauthenticate answers POST /reauthenticate.
func (v *visit) postReauthenticate() {
	in, ok, err := decode[reauthenticateForm](v)
	if !ok {
		return
	}
	p := v.reauthenticatePage()
	p.ReturnTo = v.returnPath(in.ReturnTo)
	if err != nil {
		v.again(p, err)
		return
	}
	signedIn, err := v.web.Accounts.Reauthenticate(v.r.Context(), v.by(), in.Password, v.ask.Device)
	if err != nil {
		v.again(p, err)
		return
	}
	v.web.Cookies.StartSession(v.w, signedIn)
	v.redirect(v.onward(p.ReturnTo))
}
