package web

import (
	"net/http"

	"github.com/ringwall/ringwall/internal/account"
	"github.com/ringwall/ringwall/internal/challenge"
	"github.com/ringwall/ringwall/internal/problem"
)

// checkMailPage asks for the code of a mail, and names the address that it went to if this browser typed it.
func (v *visit) checkMailPage() *page {
	noted := v.noted()
	p := v.page("check_mail", "email", "code", "password")
	p.proof, p.form = "password", challenge.Resend
	p.Values["email"] = noted.Email
	if p.ReturnTo == "" {
		p.ReturnTo = noted.ReturnTo
	}
	p.Body = checkMail{Address: noted.Email}
	return p
}

// checkMail is what the page says beside its fields.
type checkMail struct {
	Address       string // known, so it is shown and not asked for
	NeedsPassword bool
}

// checkMail answers GET /check-mail.
func (v *visit) checkMail() {
	p := v.checkMailPage()
	v.askFor(p, p.form)
	v.show(http.StatusOK, p)
}

type codeForm struct {
	Email    string `form:"email" required:"true"`
	Code     string `form:"code" required:"true"`
	Password string `form:"password"`
	ReturnTo string `form:"return_to"`
}

// postCheckMail answers POST /check-mail: the code in place of the link.
func (v *visit) postCheckMail() {
	in, ok, err := decode[codeForm](v)
	if !ok {
		return
	}
	p := v.checkMailPage()
	p.keep("email", in.Email)
	p.keep("code", in.Code)
	p.ReturnTo = v.returnPath(in.ReturnTo)
	if err = checkTexts(err, in.Email, ""); err == nil {
		err = v.web.Accounts.ConfirmByCode(v.r.Context(), v.by(), in.Email, in.Code, v.ask.Flow, in.Password)
	}
	if err != nil {
		body := checkMail{NeedsPassword: in.Password != "" || problem.From(err).Code == "password-required"} // which stays once it was there
		if in.Email == v.noted().Email {
			body.Address = in.Email // otherwise it was typed here, and may be what is wrong
		}
		p.Body = body
		v.again(p, err)
		return
	}
	v.confirmed(p.ReturnTo)
}

type resendForm struct {
	Email     string `form:"email" required:"true"`
	ReturnTo  string `form:"return_to"`
	Challenge string `form:"challenge"`
}

// postResend answers POST /check-mail/resend, alike for every address.
func (v *visit) postResend() {
	in, ok, err := decode[resendForm](v)
	if !ok {
		return
	}
	p := v.checkMailPage()
	p.keep("email", in.Email)
	p.ReturnTo = v.returnPath(in.ReturnTo)
	if err := checkTexts(err, in.Email, ""); err != nil {
		p.Body = checkMail{} // so that the address can be mended
		v.again(p, err)
		return
	}
	err = v.web.Accounts.ResendConfirmation(v.r.Context(), v.by(), account.Resend{Email: in.Email, FlowCookie: v.ask.Flow, Challenge: in.Challenge, Lang: v.lang.tag})
	if err != nil {
		v.again(p, err)
		return
	}
	v.note(note{Email: in.Email, ReturnTo: p.ReturnTo})
	v.seeOther("/check-mail", "mail-sent", "")
}

// confirmed ends a sign-up: the next step is to sign in.
func (v *visit) confirmed(returnTo string) {
	v.web.Cookies.ClearFlow(v.w)
	v.keepAddress()
	v.seeOther("/login", "email-confirmed", returnTo)
}
