package web

import "net/http"

// forgotPassword answers GET /forgot-password.
func (v *visit) forgotPassword() {
	p := v.page("forgot_password", "email")
	p.Values["email"] = v.noted().Email
	v.show(http.StatusOK, p)
}

type forgotForm struct {
	Email string `form:"email" required:"true"`
}

// postForgotPassword answers POST /forgot-password, alike for every address.
func (v *visit) postForgotPassword() {
	in, ok, err := decode[forgotForm](v)
	if !ok {
		return
	}
	p := v.page("forgot_password", "email")
	p.keep("email", in.Email)
	if err := checkTexts(err, in.Email, ""); err != nil {
		v.again(p, err)
		return
	}
	if err := v.web.Accounts.ForgotPassword(v.r.Context(), v.by(), in.Email, v.ask.Device, v.lang.tag); err != nil {
		v.again(p, err)
		return
	}
	v.note(note{Email: in.Email})
	v.seeOther("/forgot-password/sent", "", "")
}

// forgotPasswordSent answers GET /forgot-password/sent.
func (v *visit) forgotPasswordSent() {
	p := v.page("forgot_password_sent")
	p.Values["email"] = v.noted().Email
	v.show(http.StatusOK, p)
}
