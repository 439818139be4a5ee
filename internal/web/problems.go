package web

import (
	"net/http"

	"github.com/ringwall/ringwall/internal/problem"
)

// problemPage documents one problem code.
type problemPage struct {
	problem.Entry
	Status int
	Docs   bool // there is a page of the whole API
}

// problem answers GET /problems/{code}, to which the type of every problem document points.
func (v *visit) problem() {
	for _, entry := range problem.Catalogue() {
		if entry.Code == v.r.PathValue("code") {
			p := v.page("problem")
			p.Body = problemPage{entry, entry.Kind.Status(), v.web.Operations != nil}
			v.show(http.StatusOK, p)
			return
		}
	}
	v.web.Fail(v.w, v.r, problem.New(problem.Missing, "not-found", "There is nothing here that you may see."))
}
