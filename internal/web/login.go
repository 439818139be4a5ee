package web

import (
	"net/http"

	"github.com/ringwall/ringwall/internal/account"
	"github.com/ringwall/ringwall/internal/challenge"
)

type loginForm struct {
	Email     string `form:"email" required:"true"`
	Password  string `form:"password" required:"true"`
	Remember  bool   `form:"remember"`
	ReturnTo  string `form:"return_to"`
	Challenge string `form:"challenge"`
}

// loginPage's Body is whether the box to stay signed in is ticked.
func (v *visit) loginPage() *page {
	p := v.page("login", "email", "password")
	p.Body, p.form = false, challenge.Login
	return p
}

// login answers GET /login.
func (v *visit) login() {
	p := v.loginPage()
	if v.ask.SignedIn {
		v.redirect(v.onward(p.ReturnTo))
		return
	}
	p.Values["email"] = v.noted().Email // of a sign-up or a new password just finished here
	v.askFor(p, p.form)
	v.show(http.StatusOK, p)
}

// postLogin answers POST /login.
func (v *visit) postLogin() {
	in, ok, err := decode[loginForm](v)
	if !ok {
		return
	}
	p := v.loginPage()
	p.keep("email", in.Email)
	p.Body = in.Remember
	p.ReturnTo = v.returnPath(in.ReturnTo)
	if err != nil {
		v.again(p, err)
		return
	}
	signedIn, err := v.web.Accounts.SignIn(v.r.Context(), v.by(), account.SignIn{
		Email: in.Email, Password: in.Password, Remember: in.Remember, DeviceCookie: v.ask.Device, Challenge: in.Challenge, Lang: v.lang.tag,
	})
	if err != nil {
		v.again(p, err)
		return
	}
	if v.noted() != (note{}) {
		v.forget()
	}
	v.web.Cookies.StartSession(v.w, signedIn)
	v.redirect(v.onward(p.ReturnTo))
}
