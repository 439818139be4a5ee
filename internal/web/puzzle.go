package web

import (
	"encoding/json"

	"github.com/ringwall/ringwall/internal/challenge"
	"github.com/ringwall/ringwall/internal/problem"
)

// puzzle is a challenge that the browser must solve before a form is taken. static/challenge.js does it; the page says what
// it is for, how far it is, and what else there is to do.
type puzzle struct {
	Text   string // as JSON
	Sent   bool   // the form was sent once: what is complete is sent again by itself
	Device bool   // whoever has signed in before in this browser would not be asked
}

// askFor shows a challenge on the page of a form, if one is needed at this moment.
func (v *visit) askFor(p *page, form string) {
	if v.web.Challenge == nil || v.ask == nil || v.ask.SignedIn {
		return
	}
	p.Puzzle = puzzleOf(form, v.web.Challenge(v.r.Context(), v.by(), form, v.ask.Device))
}

func puzzleOf(form string, asked any) *puzzle {
	if asked == nil {
		return nil
	}
	text, err := json.Marshal(asked)
	if err != nil { // a challenger of the host's that does not keep its word: nothing a page could show
		return nil
	}
	return &puzzle{Text: string(text), Device: form == challenge.Login || form == challenge.Forgot}
}

// challenged shows the challenge that a refusal brought.
func (p *page) challenged(e *problem.Error) {
	p.Puzzle = nil
	for _, m := range e.Members {
		if m.Name == "challenge" {
			p.Puzzle = puzzleOf(p.form, m.Value)
		}
	}
	if p.Puzzle != nil {
		p.Puzzle.Sent = true
	}
}
