package web

import (
	"net/http"

	"github.com/ringwall/ringwall/internal/sessions"
)

// accountPage is what the account says.
type accountPage struct {
	Person      sessions.Person
	Languages   []choice
	Pending     *pendingEmail // nil: no change of address waits
	Changed     *moment       // when the password was; nil: not known
	ChangedAge  string
	Here        *device // the device that asks
	Others      []device
	OtherDevice bool // there is at least one to sign out
}

// account answers GET /account.
func (v *visit) account() {
	p, err := v.accountPage()
	if err != nil {
		v.web.Fail(v.w, v.r, err)
		return
	}
	v.show(http.StatusOK, p)
}

type passwordForm struct {
	Current string `form:"current_password" required:"true"`
	New     string `form:"new_password" required:"true"`
}

// postAccountPassword answers POST /account/password.
func (v *visit) postAccountPassword() {
	in, ok, wrong := decode[passwordForm](v)
	if !ok {
		return
	}
	if wrong == nil {
		signedIn, err := v.web.Accounts.ChangePassword(v.r.Context(), v.by(), in.Current, in.New, v.ask.Device, v.lang.tag)
		if err == nil {
			v.web.Cookies.StartSession(v.w, signedIn)
			v.seeOther("/account", "password-changed", "")
			return
		}
		wrong = err
	}
	p, err := v.accountPage()
	if err != nil {
		v.web.Fail(v.w, v.r, err)
		return
	}
	v.again(p, wrong)
}

func (v *visit) accountPage() (*page, error) {
	list, err := v.web.Accounts.Sessions(v.r.Context(), v.by())
	if err != nil {
		return nil, err
	}
	p := v.page("account", "display_name", "language", "current_password", "new_password")
	p.Wide = true
	p.proof = "current_password"
	me, err := v.web.Accounts.Me(v.r.Context(), v.by())
	if err != nil {
		return nil, err
	}
	p.Values["display_name"] = me.DisplayName
	body := accountPage{Person: v.ask.Person, Languages: v.languageChoices(me.Language), Pending: v.pendingEmail(me)}
	for _, session := range list {
		d := v.describe(session)
		if d.Here {
			body.Here = &d
		} else {
			body.Others = append(body.Others, d)
		}
	}
	body.OtherDevice = len(body.Others) > 0
	if v.web.PasswordChanged != nil {
		changed, err := v.web.PasswordChanged(v.r.Context(), v.by())
		if err != nil {
			return nil, err
		}
		if !changed.IsZero() {
			m := v.lang.moment(changed.UnixMicro())
			body.Changed, body.ChangedAge = &m, v.lang.age(v.web.Now().Sub(changed))
		}
	}
	p.Body = body
	return p, nil
}
