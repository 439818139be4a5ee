package app

import (
	"net/http"

	"github.com/ringwall/ringwall/input"
	"github.com/ringwall/ringwall/session"
	"github.com/ringwall/ringwall/sqlsafe"
)

// person is what the page of the profile shows.
type person struct {
	ID, Email  string
	Balance    Cents
	HasPicture bool
}

// profileForm is what a person may change of themselves: these two and nothing else.
type profileForm struct {
	Name  input.DisplayName `form:"display_name" required:"true"`
	About string            `form:"about" maxLength:"500"`
}

var (
	ownProfile    = sqlsafe.Owned(`SELECT display_name, about, balance_cents, picture IS NOT NULL FROM people WHERE id = $1`)
	updateProfile = sqlsafe.Owned(`UPDATE people SET display_name = $2, about = $3 WHERE id = $1`)
)

// showProfile answers GET /profile.
func (a *App) showProfile(w http.ResponseWriter, r *http.Request, s *session.Session) error {
	v, err := a.openProfile(r, s)
	if err == nil {
		a.show(w, r, v)
	}
	return err
}

func (a *App) openProfile(r *http.Request, s *session.Session) (view, error) {
	p := person{ID: s.UserID.String(), Email: s.Email}
	var name, about string
	err := a.db.QueryRow(r.Context(), ownProfile.For(s.Subject())).Scan(&name, &about, &p.Balance, &p.HasPicture)
	return view{
		page: "profile", Title: "Profile", Nav: "/profile", Body: p,
		Values: map[string]string{"display_name": name, "about": about},
	}, err
}

// changeProfile answers POST /profile.
func (a *App) changeProfile(w http.ResponseWriter, r *http.Request, s *session.Session) error {
	in, err := a.readProfile(r)
	if err == nil {
		err = a.saveProfile(r, s.Subject(), in)
	}
	if err != nil {
		return a.profileAgain(w, r, s, err)
	}
	http.Redirect(w, r, "/profile?done=profile", http.StatusSeeOther)
	return nil
}

// updateProfile changes the columns that stand in the statement, whatever else was sent.
func (a *App) updateProfile(r *http.Request, who session.Subject, in profileForm) error {
	_, err := a.db.Exec(r.Context(), updateProfile.For(who, string(in.Name), in.About))
	return err
}

func (a *App) profileAgain(w http.ResponseWriter, r *http.Request, s *session.Session, err error) error {
	again, broken := a.openProfile(r, s)
	if broken != nil {
		return broken
	}
	for name := range r.PostForm {
		again.Values[name] = r.PostForm.Get(name)
	}
	return a.again(w, r, again, err)
}
