package web

import (
	"net/http"

	"github.com/ringwall/ringwall/internal/account"
	"github.com/ringwall/ringwall/internal/problem"
)

// emailLinkPage is what the page behind a link of a change of address says beside its fields.
type emailLinkPage struct {
	Token string
	account.EmailLink
}

// changeEmail answers GET /change-email: it says what the link agrees to, and changes nothing.
func (v *visit) changeEmail() { v.changeEmailAgain(v.r.URL.Query().Get("token"), nil) }

// postChangeEmail answers POST /change-email: the one click.
func (v *visit) postChangeEmail() {
	in, ok, err := decode[linkForm](v)
	if !ok {
		return
	}
	var used account.EmailUsed
	if err == nil {
		used, err = v.web.Accounts.UseEmailLink(v.r.Context(), v.by(), in.Token, in.Password, v.lang.tag)
	}
	if !used.Renewed.Token.IsZero() {
		v.web.Cookies.StartSession(v.w, used.Renewed)
	}
	switch {
	case err != nil:
		v.changeEmailAgain(in.Token, err)
	case !used.Changed && v.ask.SignedIn:
		v.seeOther("/account", "email-half", "")
	case !used.Changed:
		v.seeOther("/login", "email-half", "")
	case v.ask.SignedIn:
		v.seeOther("/account", "email-changed", "")
	default:
		v.forget() // the address before
		v.seeOther("/login", "email-changed-out", "")
	}
}

// changeEmailAgain shows the page with what is wrong, if anything is; or that the link is spent, or somebody else's.
func (v *visit) changeEmailAgain(token string, wrong error) {
	link, err := v.web.Accounts.EmailLinkByToken(v.r.Context(), v.by(), token)
	if err != nil {
		wrong = err
	}
	switch code := problem.From(wrong).Code; {
	case wrong != nil && code == "forbidden":
		v.refuse("change_email_other", problem.From(wrong))
		return
	case wrong != nil && code == "link-invalid":
		v.refuse("change_email_spent", problem.From(wrong))
		return
	case err != nil:
		v.web.Fail(v.w, v.r, err)
		return
	case wrong != nil && code == "password-required":
		wrong = problem.New(problem.Invalid, "invalid", "The password is needed.").With(problem.Field{Name: "password", Code: "required", Detail: "Enter the password."})
	}
	p := v.page("change_email", "password")
	p.proof = "password"
	p.Body = emailLinkPage{token, link}
	if wrong != nil {
		v.again(p, wrong)
		return
	}
	v.show(http.StatusOK, p)
}

// refuse shows a page of its own for a refusal.
func (v *visit) refuse(name string, e *problem.Error) {
	problem.WriteHead(v.w.Header(), e)
	v.show(e.Kind.Status(), v.page(name))
}
