package web

import (
	"slices"

	"github.com/ringwall/ringwall/internal/account"
)

// choice is one of a list to choose from.
type choice struct {
	Value, Label, Lang string // Lang: of the label, where that is not the page's
	Chosen             bool
}

// languageChoices are the languages there are, each by its own name.
func (v *visit) languageChoices(chosen string) []choice {
	choices := []choice{{Label: v.lang.say("account.language-browser")}}
	for _, l := range v.web.languages {
		c := choice{Value: l.tag, Label: l.say("account.language-name")}
		if l != v.lang {
			c.Lang = l.tag
		}
		choices = append(choices, c)
	}
	at := slices.IndexFunc(choices, func(c choice) bool { return c.Value == chosen })
	choices[max(at, 0)].Chosen = true
	return choices
}

type profileForm struct {
	DisplayName string `form:"display_name"`
	Language    string `form:"language"`
}

// postAccountProfile answers POST /account/profile.
func (v *visit) postAccountProfile() {
	in, ok, wrong := decode[profileForm](v)
	if !ok {
		return
	}
	if wrong == nil {
		_, wrong = v.web.Accounts.ChangeProfile(v.r.Context(), v.by(), account.Profile{DisplayName: &in.DisplayName, Language: &in.Language})
	}
	if wrong == nil {
		v.seeOther("/account", "profile-saved", "")
		return
	}
	p, err := v.accountPage()
	if err != nil {
		v.web.Fail(v.w, v.r, err)
		return
	}
	p.keep("display_name", in.DisplayName)
	if body, ok := p.Body.(accountPage); ok {
		body.Languages = v.languageChoices(in.Language)
		p.Body = body
	}
	v.again(p, wrong)
}
