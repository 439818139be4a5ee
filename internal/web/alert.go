package web

import (
	"slices"
	"strings"
	"time"

	"github.com/ringwall/ringwall/internal/problem"
)

// alert is the summary at the top of a page that was refused.
type alert struct {
	Text   string
	Faults []fault
	Code   string // of the problem, for the way out that the template offers
}

// fault is one line of the summary. Field is the id of an input, or empty.
type fault struct{ Field, Text string }

// aliases are the names that the accounts or the API give to a field which pages call otherwise.
var aliases = map[string]string{"password": "new_password", "new_password": "password", "name": "display_name"}

// blame says in p what e is about, in the reader's language.
func (v *visit) blame(p *page, e *problem.Error) {
	p.Alert = &alert{Code: e.Code}
	switch {
	case e.Code == "login-failed" && p.proof != "":
		p.accuse(p.proof, v.lang.say("fault.password-wrong"))
		return
	case e.Code == "password-required" && slices.Contains(p.known, "password"):
		p.accuse("password", v.problemText(e))
		return
	case e.Code == "signup-closed" && slices.Contains(p.known, "email"): // the page is open, so it is the address
		p.accuse("email", v.lang.say("fault.signup-domain"))
		return
	case e.Code == "link-invalid" && slices.Contains(p.known, "code"):
		p.accuse("code", v.lang.say("fault.code-wrong"))
		return
	}
	for _, f := range e.Fields {
		field := strings.TrimPrefix(f.Name, "/")
		if !slices.Contains(p.known, field) {
			field = aliases[field]
		}
		if !slices.Contains(p.known, field) {
			field = ""
		}
		p.accuse(field, v.faultText(field, f))
	}
	slices.SortStableFunc(p.Alert.Faults, func(a, b fault) int {
		return slices.Index(p.known, a.Field) - slices.Index(p.known, b.Field)
	})
	if len(e.Fields) == 0 {
		p.Alert.Text = v.problemText(e)
	}
}

// accuse adds a fault to the summary and beside its field, of which each keeps the first.
func (p *page) accuse(field, text string) {
	if p.Alert == nil {
		p.Alert = &alert{}
	}
	if field != "" {
		if _, twice := p.Faults[field]; twice {
			return
		}
		p.Faults[field] = text
	}
	p.Alert.Faults = append(p.Alert.Faults, fault{field, text})
}

// faultText is the catalogue's sentence for a fault; for a code that it does not know, what the accounts said.
func (v *visit) faultText(field string, f problem.Field) string {
	kind := field
	if strings.HasSuffix(field, "password") {
		kind = "password"
	}
	for _, key := range []string{"fault." + f.Code + "." + field, "fault." + f.Code + "." + kind, "fault." + field, "fault." + f.Code} {
		if v.lang.knows(key) {
			return v.lang.say(key, "min", v.web.PasswordMinLength)
		}
	}
	return f.Detail
}

// problemText tells what happened and, where that is known, when to come back.
func (v *visit) problemText(e *problem.Error) string {
	text := v.lang.say("error." + known(e) + ".what")
	if e.Kind == problem.TooMany || e.Kind == problem.Unavailable {
		text += " " + v.comeBack(e.RetryAfter)
	}
	return text
}

// comeBack says when to try again, rounded up so that it is never too early.
func (v *visit) comeBack(wait time.Duration) string {
	roundUp := func(unit time.Duration) int { return int((wait + unit - 1) / unit) }
	switch {
	case wait <= 0:
		return v.lang.say("wait.soon")
	case wait < 90*time.Second:
		return v.lang.say("wait.seconds", "n", roundUp(time.Second))
	case wait < 90*time.Minute:
		return v.lang.say("wait.minutes", "n", roundUp(time.Minute))
	default:
		return v.lang.say("wait.hours", "n", roundUp(time.Hour))
	}
}

// known is the code under which the catalogue has words for e: its own, or that of the first problem of the same status.
func known(e *problem.Error) string {
	same := "internal"
	for _, entry := range problem.Catalogue() {
		if entry.Code == e.Code {
			return e.Code
		}
		if entry.Kind == e.Kind && same == "internal" {
			same = entry.Code
		}
	}
	return same
}
