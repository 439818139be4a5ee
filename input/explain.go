package input

import "github.com/ringwall/ringwall/internal/problem"

// Refusal is the public face of an error, for a page that shows it in a frame of its own. Nothing in it is input.
type Refusal struct {
	Status int    // 400 or more
	Code   string // stable, as at the end of a problem document's type
	Title  string // constant for the code
	Detail string // what to do
	Fields []FieldFault
}

// FieldFault is what is wrong with one field: its name (empty for a field that is not known), and how to mend it.
type FieldFault struct{ Name, Code, Detail string }

// Explain is what [Refuse] would tell of err. An error that does not come from Ringwall's packages is a 500 that explains
// nothing.
func Explain(err error) Refusal {
	e := problem.From(err)
	out := Refusal{Status: e.Kind.Status(), Code: e.Code, Title: problem.Title(e.Code), Detail: e.Detail}
	for _, f := range e.Fields {
		out.Fields = append(out.Fields, FieldFault(f))
	}
	return out
}
