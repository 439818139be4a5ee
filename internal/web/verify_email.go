package web

import (
	"net/http"

	"github.com/ringwall/ringwall/internal/problem"
)

// linkPage is what a page behind a mailed link says beside its fields.
type linkPage struct {
	Token         string
	Email         string
	NeedsPassword bool
}

type linkForm struct {
	Token    string `form:"token"`
	Password string `form:"password"`
}

// verifyEmail answers GET /verify-email: it says whose the link is, and changes nothing.
func (v *visit) verifyEmail() {
	token := v.r.URL.Query().Get("token")
	if token == "" {
		v.seeOther("/check-mail", "", "")
		return
	}
	pending, err := v.web.Accounts.PendingByToken(v.r.Context(), token, v.ask.Flow)
	if err != nil {
		v.spentLink("verify_email_spent", err)
		return
	}
	p := v.page("verify_email", "password")
	p.Body = linkPage{token, pending.Email, pending.NeedsPassword}
	v.show(http.StatusOK, p)
}

// postVerifyEmail answers POST /verify-email: the one click.
func (v *visit) postVerifyEmail() {
	in, ok, err := decode[linkForm](v)
	if !ok {
		return
	}
	if err == nil {
		err = v.web.Accounts.ConfirmByToken(v.r.Context(), v.by(), in.Token, v.ask.Flow, in.Password)
	}
	if err == nil {
		v.confirmed(v.noted().ReturnTo)
		return
	}
	if problem.From(err).Code == "link-invalid" {
		v.spentLink("verify_email_spent", err)
		return
	}
	pending, gone := v.web.Accounts.PendingByToken(v.r.Context(), in.Token, v.ask.Flow)
	if gone != nil {
		v.spentLink("verify_email_spent", gone)
		return
	}
	p := v.page("verify_email", "password")
	p.proof = "password"
	p.Body = linkPage{in.Token, pending.Email, pending.NeedsPassword}
	v.again(p, err)
}

// spentLink shows the page that says that a link does not work any more, and offers a new one.
func (v *visit) spentLink(name string, err error) {
	e := problem.From(err)
	if e.Code != "link-invalid" {
		v.web.Fail(v.w, v.r, err)
		return
	}
	p := v.page(name, "email")
	p.Values["email"] = v.noted().Email
	problem.WriteHead(v.w.Header(), e)
	v.show(e.Kind.Status(), p)
}
