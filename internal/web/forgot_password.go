package web

import (
	"net/http"

	"github.com/ringwall/ringwall/internal/account"
	"github.com/ringwall/ringwall/internal/challenge"
)

func (v *visit) forgotPasswordPage() *page {
	p := v.page("forgot_password", "email")
	p.form = challenge.Forgot
	return p
}

// forgotPassword answers GET /forgot-password.
func (v *visit) forgotPassword() {
	p := v.forgotPasswordPage()
	p.Values["email"] = v.noted().Email
	v.askFor(p, p.form)
	v.show(http.StatusOK, p)
}

type forgotForm struct {
	Email     string `form:"email" required:"true"`
	Challenge string `form:"challenge"`
}

// postForgotPassword answers POST /forgot-password, alike for every address.
func (v *visit) postForgotPassword() {
	in, ok, err := decode[forgotForm](v)
	if !ok {
		return
	}
	p := v.forgotPasswordPage()
	p.keep("email", in.Email)
	if err := checkTexts(err, in.Email, ""); err != nil {
		v.again(p, err)
		return
	}
	err = v.web.Accounts.ForgotPassword(v.r.Context(), v.by(), account.Forgotten{
		Email: in.Email, DeviceCookie: v.ask.Device, Challenge: in.Challenge, Lang: v.lang.tag,
	})
	if err != nil {
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
