package web

import (
	"net/http"

	"github.com/ringwall/ringwall/internal/problem"
	"github.com/ringwall/ringwall/internal/secret"
)

// resetPassword answers GET /reset-password: it says whose the link is, and changes nothing.
func (v *visit) resetPassword() {
	token := v.r.URL.Query().Get("token")
	if token == "" {
		v.seeOther("/forgot-password", "", "")
		return
	}
	v.resetAgain(token, nil)
}

type resetForm struct {
	Token    string `form:"token"`
	Password string `form:"password" required:"true"`
}

// postResetPassword answers POST /reset-password.
func (v *visit) postResetPassword() {
	in, ok, err := decode[resetForm](v)
	if !ok {
		return
	}
	var device secret.Text
	if err == nil {
		device, err = v.web.Accounts.ResetPassword(v.r.Context(), v.by(), in.Token, in.Password, v.ask.Device, v.lang.tag)
	}
	if err != nil {
		v.resetAgain(in.Token, err)
		return
	}
	v.web.Cookies.RememberDevice(v.w, device)
	v.keepAddress()
	v.seeOther("/login", "password-reset", "")
}

// resetAgain shows the form with what is wrong, if anything is; or that the link is spent.
func (v *visit) resetAgain(token string, wrong error) {
	if wrong != nil && problem.From(wrong).Code == "link-invalid" {
		v.spentLink("reset_password_spent", wrong)
		return
	}
	holder, err := v.web.Accounts.ResetByToken(v.r.Context(), token)
	if err != nil {
		v.spentLink("reset_password_spent", err)
		return
	}
	p := v.page("reset_password", "password")
	p.Body = linkPage{Token: token, Email: holder.Email}
	if wrong != nil {
		v.again(p, wrong)
		return
	}
	v.show(http.StatusOK, p)
}
