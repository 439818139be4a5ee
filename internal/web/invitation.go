package web

import (
	"net/http"

	"github.com/ringwall/ringwall/internal/account"
	"github.com/ringwall/ringwall/internal/problem"
)

type invitationForm struct {
	Token       string `form:"token"`
	DisplayName string `form:"display_name"`
	Password    string `form:"password" required:"true"`
}

// invitation answers GET /signup?invitation=…: it says whose the invitation is, and changes nothing.
func (v *visit) invitation(token string) { v.invitationAgain(invitationForm{Token: token}, nil) }

// postInvitation answers POST /signup/invitation.
func (v *visit) postInvitation() {
	in, ok, err := decode[invitationForm](v)
	if !ok {
		return
	}
	var email string
	if err == nil {
		email, err = v.web.Accounts.AcceptInvitation(v.r.Context(), v.by(), account.Accept{Token: in.Token, Password: in.Password, DisplayName: in.DisplayName})
	}
	if err != nil {
		v.invitationAgain(in, err)
		return
	}
	v.note(note{Email: email})
	v.seeOther("/login", "invitation-accepted", "")
}

// invitationAgain shows the form with what is wrong, if anything is; or that the link is spent.
func (v *visit) invitationAgain(in invitationForm, wrong error) {
	if wrong != nil && problem.From(wrong).Code == "link-invalid" {
		v.spentInvitation(wrong)
		return
	}
	holder, err := v.web.Accounts.InvitationByToken(v.r.Context(), in.Token)
	if err != nil {
		v.spentInvitation(err)
		return
	}
	p := v.page("invitation", "display_name", "password")
	p.ReturnTo = ""
	p.keep("display_name", in.DisplayName)
	p.Body = linkPage{Token: in.Token, Email: holder.Email}
	if wrong != nil {
		v.again(p, wrong)
		return
	}
	v.show(http.StatusOK, p)
}

// spentInvitation shows the page that says that an invitation does not work any more. Only who sent it can send another.
func (v *visit) spentInvitation(err error) {
	e := problem.From(err)
	if e.Code != "link-invalid" {
		v.web.Fail(v.w, v.r, err)
		return
	}
	problem.WriteHead(v.w.Header(), e)
	v.show(e.Kind.Status(), v.page("invitation_spent"))
}
