package web

import (
	"net/http"

	"github.com/ringwall/ringwall/internal/account"
)

// pendingEmail is a change of address that waits for its links.
type pendingEmail struct {
	Old, New            string
	Approved, Confirmed bool // the link to the old address was used, that to the new one
	Until               moment
}

func (v *visit) pendingEmail(me account.Me) *pendingEmail {
	if me.Pending == nil {
		return nil
	}
	return &pendingEmail{
		Old: me.Email, New: me.Pending.Email, Approved: me.Pending.ApprovedMicros != 0, Confirmed: me.Pending.ConfirmedMicros != 0,
		Until: v.lang.moment(me.Pending.ExpiresMicros),
	}
}

func (v *visit) accountEmailPage() *page {
	p := v.page("account_email", "email", "password")
	p.proof = "password"
	p.Body = v.ask.Person
	return p
}

// accountEmail answers GET /account/email.
func (v *visit) accountEmail() { v.show(http.StatusOK, v.accountEmailPage()) }

type accountEmailForm struct {
	Email    string `form:"email" required:"true"`
	Password string `form:"password" required:"true"`
}

// postAccountEmail answers POST /account/email, alike for every address.
func (v *visit) postAccountEmail() {
	in, ok, err := decode[accountEmailForm](v)
	if !ok {
		return
	}
	if err = checkTexts(err, in.Email, ""); err == nil {
		err = v.web.Accounts.RequestEmailChange(v.r.Context(), v.by(), in.Email, in.Password, v.ask.Device, v.lang.tag)
	}
	if err != nil {
		p := v.accountEmailPage()
		p.keep("email", in.Email)
		v.again(p, err)
		return
	}
	v.seeOther("/account", "email-asked", "")
}

// postAccountEmailCancel answers POST /account/email/cancel.
func (v *visit) postAccountEmailCancel() {
	if !v.press() {
		return
	}
	if err := v.web.Accounts.CancelEmailChange(v.r.Context(), v.by()); err != nil {
		v.web.Fail(v.w, v.r, err)
		return
	}
	v.seeOther("/account", "email-cancelled", "")
}
