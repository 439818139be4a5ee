package web

import (
	"errors"
	"slices"

	"github.com/ringwall/ringwall/input"
	"github.com/ringwall/ringwall/internal/problem"
)

// keep puts what was typed back into the page. Passwords and tokens are not for keeping.
func (p *page) keep(field, typed string) { p.Values[field] = typed }

// decode reads a posted form strictly. What cannot be read at all is answered here, and ok is false; a field that
// breaks a rule is err, for [visit.again].
func decode[T any](v *visit) (in T, ok bool, err error) {
	in, err = input.DecodeForm[T](v.r)
	if err != nil && problem.From(err).Kind != problem.Invalid {
		v.web.Fail(v.w, v.r, err)
		return in, false, err
	}
	return in, true, err
}

// press reads a form that has no field but its token. It reports whether to go on; if not, it has answered.
func (v *visit) press() bool {
	if _, err := input.DecodeForm[struct{}](v.r); err != nil {
		v.web.Fail(v.w, v.r, err)
		return false
	}
	return true
}

// checkTexts adds to what decoding found what is wrong with an address and, unless it is empty, a name, so that a slip is
// mended before a mail is waited for. Where addresses are answered alike, this tells nothing: it looks at the text alone.
func checkTexts(decoded error, email, name string) error {
	var faults []problem.Field
	if decoded != nil {
		faults = slices.Clone(problem.From(decoded).Fields)
	}
	add := func(field string, err error) {
		fault, ok := errors.AsType[*input.Fault](err)
		if ok && !slices.ContainsFunc(faults, func(f problem.Field) bool { return f.Name == field }) {
			faults = append(faults, problem.Field{Name: field, Code: fault.Code, Detail: fault.Detail})
		}
	}
	_, err := input.ParseEmail(email)
	add("email", err)
	if name != "" {
		_, err = input.ParseDisplayName(name)
		add("display_name", err)
	}
	if len(faults) == 0 {
		return nil
	}
	return problem.New(problem.Invalid, "invalid", "Some fields break a rule.").With(faults...)
}
