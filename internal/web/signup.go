package web

import (
	"errors"
	"net/http"
	"slices"

	"github.com/ringwall/ringwall/internal/account"
	"github.com/ringwall/ringwall/internal/challenge"
	"github.com/ringwall/ringwall/internal/problem"
	"github.com/ringwall/ringwall/password"
)

type signupForm struct {
	DisplayName string `form:"display_name"`
	Email       string `form:"email" required:"true"`
	Password    string `form:"password" required:"true"`
	ReturnTo    string `form:"return_to"`
	Challenge   string `form:"challenge"`
}

func (v *visit) signupPage() *page {
	p := v.page("signup", "display_name", "email", "password")
	p.form = challenge.SignUp
	return p
}

// signup answers GET /signup. Who comes back to correct the address finds it filled in.
func (v *visit) signup() {
	if token := v.r.URL.Query().Get("invitation"); token != "" {
		v.invitation(token)
		return
	}
	p := v.signupPage()
	if v.ask.SignedIn {
		v.redirect(v.onward(p.ReturnTo))
		return
	}
	if err := v.web.Accounts.SignUpOpen(); err != nil {
		v.web.Fail(v.w, v.r, err)
		return
	}
	noted := v.noted()
	p.Values["email"] = noted.Email
	if p.ReturnTo == "" {
		p.ReturnTo = noted.ReturnTo
	}
	v.askFor(p, p.form)
	v.show(http.StatusOK, p)
}

// postSignup answers POST /signup, alike for a free and a taken address.
func (v *visit) postSignup() {
	in, ok, err := decode[signupForm](v)
	if !ok {
		return
	}
	if closed := v.web.Accounts.SignUpOpen(); closed != nil {
		v.web.Fail(v.w, v.r, closed)
		return
	}
	p := v.signupPage()
	p.keep("display_name", in.DisplayName)
	p.keep("email", in.Email)
	p.ReturnTo = v.returnPath(in.ReturnTo)
	if err := checkTexts(err, in.Email, in.DisplayName); err != nil {
		v.again(p, v.alsoWeak(err, in))
		return
	}
	flow, err := v.web.Accounts.SignUp(v.r.Context(), v.by(), account.SignUp{
		Email: in.Email, Password: in.Password, DisplayName: in.DisplayName, Challenge: in.Challenge, Lang: v.lang.tag,
	})
	if err != nil {
		v.again(p, err)
		return
	}
	v.web.Cookies.SetFlow(v.w, flow)
	v.note(note{Email: in.Email, ReturnTo: p.ReturnTo})
	v.seeOther("/check-mail", "", "")
}

// alsoWeak adds to other faults what is wrong with the password, which the accounts look at only when the rest is right:
// so that nobody mends one thing only to be told of the next.
func (v *visit) alsoWeak(err error, in signupForm) error {
	weak, ok := errors.AsType[*password.Weak](password.Policy{MinLength: v.web.PasswordMinLength}.Check(in.Password, in.Email, in.DisplayName, v.web.Service))
	if !ok || in.Password == "" {
		return err
	}
	faults := append(slices.Clone(problem.From(err).Fields), problem.Field{Name: "password", Code: weak.Code, Detail: weak.Detail})
	return problem.New(problem.Invalid, "invalid", "Some fields break a rule.").With(faults...)
}
